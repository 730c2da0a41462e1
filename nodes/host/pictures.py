"""ComfyUI images to 8-bit pictures and back."""

from collections.abc import Sequence

import numpy as np
import torch


def to_pictures(image: torch.Tensor) -> list[np.ndarray]:
    """The pictures of an IMAGE batch, uint8 RGB (H, W, 3) each.

    image: (B, H, W, C) float, [0, 1]; one channel is grey, a fourth (alpha) is dropped as by Load Image.
    Raises ValueError for another shape, an empty batch, or values that are not numbers.
    """
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"Expected an IMAGE of shape (batch, height, width, 1, 3 or 4); found {tuple(image.shape)}. "
            "Connect a picture, for example from Load Image."
        )
    if not torch.isfinite(image).all():
        raise ValueError(
            "The picture contains values that are not numbers (NaN). Check the node it comes from."
        )
    colours = image[..., :3].expand(*image.shape[:-1], 3).detach().to("cpu", torch.float32)
    return list((colours * 255.0).round().clamp(0, 255).to(torch.uint8).numpy())


def to_image(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Pictures of one size, uint8 (H, W, 3), as an IMAGE (B, H, W, 3)."""
    return torch.from_numpy(np.stack(pictures)).to(torch.float32) / 255.0
