"""Pictures as input of the CLIP vision tower, prepared with PIL as the original did.

The host's own CLIP preprocessing resizes differently, which would shift the features.
Source: SPEC 2.2.
"""

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image

CLIP_SIZE = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

#: Beyond this ratio of the sides the centre square is a sliver of the picture,
#: and resizing the rest of it could fill the memory.
MAX_ASPECT_RATIO = 64


def clip_pixel_values(pictures: Iterable[np.ndarray], size: int = CLIP_SIZE) -> torch.Tensor:
    """Resize the shorter side to 224 (bicubic), keep the centre square, normalise.

    pictures: uint8 RGB (H, W, 3) of any sizes; a generator keeps only one in memory.
    size: in place of 224.
    Returns (n, 3, 224, 224) float32.
    Raises ValueError for a picture that is not uint8 RGB or is too long and thin.
    """
    squares = [centre_square(picture, size) for picture in pictures]
    if not squares:
        return torch.empty(0, 3, size, size)
    pixels = np.stack(squares).astype(np.float32) * np.float32(1 / 255)
    normalised = (pixels - np.array(CLIP_MEAN, np.float32)) / np.array(CLIP_STD, np.float32)
    return torch.from_numpy(normalised).permute(0, 3, 1, 2).contiguous()  # BHWC -> BCHW


def centre_square(picture: np.ndarray, side: int = CLIP_SIZE) -> np.ndarray:
    """The picture CLIP sees, before it is normalised.

    picture: uint8 RGB (H, W, 3).
    Returns uint8 (side, side, 3); the ends of a picture that is not square are lost.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"A picture is uint8 (height, width, 3); found {picture.dtype} {picture.shape}.")
    height, width = picture.shape[:2]
    short, long = sorted((height, width))
    if long > MAX_ASPECT_RATIO * short:
        raise ValueError(
            f"A picture of {width}x{height} pixels is too long and thin: one side may be at most "
            f"{MAX_ASPECT_RATIO} times the other. Crop it around the face."
        )
    resized_long = side * long // short
    size = (resized_long, side) if width > height else (side, resized_long)
    resized = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return np.asarray(resized.crop((left, top, left + side, top + side)))
