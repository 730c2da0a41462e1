"""ComfyUI images to 8-bit pictures and back."""

from collections.abc import Sequence

import numpy as np
import torch

#: Above this no colour is meant to count from 0 to 1: three stops over white. Sharpening overshoots by less, and
#: pictures that count from 0 to 255 go further even where they are dark.
BRIGHTEST = 8.0


def to_pictures(image: torch.Tensor) -> list[np.ndarray]:
    """The pictures of an IMAGE batch, uint8 RGB (H, W, 3) each.

    image: (B, H, W, C) float, [0, 1]; one channel is grey, a fourth (alpha) is dropped as by Load Image.
    Raises ValueError for another shape, an empty batch, or values that :func:`check_values` refuses.
    """
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"Expected an IMAGE of shape (batch, height, width, 1, 3 or 4); found {tuple(image.shape)}. "
            "Connect a picture, for example from Load Image."
        )
    check_values(image, "picture")
    colours = image[..., :3].expand(*image.shape[:-1], 3).detach().to("cpu", torch.float32)
    return list((colours * 255.0).round().clamp(0, 255).to(torch.uint8).numpy())


def mask_batch(mask: torch.Tensor, what: str) -> torch.Tensor:
    """A mask, or several, as (B, H, W); raises ValueError if it is of another shape or empty.

    what: its name in the message.
    """
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim != 3 or 0 in mask.shape:
        raise ValueError(
            f"Expected a {what} of shape (batch, height, width); found {tuple(mask.shape)}. "
            "Check the node it comes from."
        )
    return mask


def check_values(values: torch.Tensor, what: str) -> None:
    """Raise ValueError unless these can be colours or a mask as ComfyUI counts them: floats from 0 to 1, or bool.

    values: of any shape, not empty.  what: ``picture``, ``mask`` or ``label map``.
    A little beyond the range is clipped later on; what counts from 0 to 255 would become white.
    """
    if values.dtype == torch.bool:
        return
    if not values.is_floating_point():
        found = str(values.dtype).removeprefix("torch.")
        raise ValueError(
            f"The {what} holds numbers of type {found}; ComfyUI's own are floats from 0 to 1. The node it comes from "
            "counts otherwise, probably from 0 to 255: divide by 255, with that pack's node for it or a math node."
        )
    if not torch.isfinite(values).all():
        raise ValueError(
            f"The {what} contains values that are not numbers (NaN). Check the node it comes from."
        )
    largest = float(values.max())
    if largest > BRIGHTEST:
        raise ValueError(
            f"The {what} has values up to {largest:g}; expected are 0 to 1. If it counts from 0 to 255, divide it by "
            "255; if it is a high dynamic range picture, tone-map it first. Everything above 1 would become white."
        )


def to_image(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Pictures of one size, uint8 (H, W, 3), as an IMAGE (B, H, W, 3)."""
    return torch.from_numpy(np.stack(pictures)).to(torch.float32) / 255.0
