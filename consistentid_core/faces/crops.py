"""A facial part as the image encoder sees it: the photo with everything else in black.

Source: SPEC 2.5.
"""

import numpy as np
from PIL import Image


def crop_part(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Black out everything of a photo but one part; nothing is cut off.

    image: uint8 RGB (H, W, 3).  mask: uint8 (h, w), 0..255, stretched over the photo.
    Returns uint8 (H, W, 3).
    """
    photo = Image.fromarray(image)
    black = Image.new("RGB", photo.size)
    return np.asarray(Image.composite(photo, black, Image.fromarray(fit_mask(mask, image))))


def fit_mask(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A mask at the size of a photo.

    mask: uint8 (h, w).  image: (H, W, 3).
    Returns uint8 (H, W); edges are soft where the sizes differ, because the filter is bicubic.
    """
    height, width = image.shape[:2]
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BICUBIC))
