"""Label maps and masks that arrive over ComfyUI sockets."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch

from ...consistentid_core.regions import CLASSES, classes_present
from .pictures import check_values, mask_batch

T = TypeVar("T")


def to_label_maps(label_map: torch.Tensor) -> list[np.ndarray]:
    """The label maps of a batch, uint8 class ids (h, w) each.

    label_map: IMAGE (B, h, w, C) of equal channels or MASK (B, h, w). As 8-bit grey, a pixel's value
    is its class id; so Load Image reads a grey PNG, up to a rounding error.
    Raises ValueError that lists the values found if they are no class ids.
    """
    channels = label_map[..., :3].movedim(-1, 0) if label_map.ndim == 4 else label_map[None]
    ids, *others = (_to_uint8(_batch(channel, "label map")) for channel in channels)
    if not all(np.array_equal(ids, other) for other in others):
        raise ValueError(
            "The label map is a coloured picture. Expected is a grey one whose 8-bit values are class ids "
            f"(0 to {len(CLASSES) - 1}: {_class_list()}); a palette of colours cannot be read."
        )
    maps = list(ids)
    for one in maps:
        _require_class_ids(one)
    return maps


def to_masks(mask: torch.Tensor) -> list[np.ndarray]:
    """The masks of a batch, bool (h, w) each: at least half selected counts as selected.

    mask: MASK (B, h, w) or (h, w), [0, 1].
    """
    return [selected >= 128 for selected in _to_uint8(_batch(mask, "mask"))]


def one_per_photo(items: Sequence[T], photos: int, what: str) -> list[T]:
    """``items`` for each photo of a batch: as many as photos, or one for all of them.

    Raises ValueError for any other number.
    """
    if len(items) not in (1, photos):
        raise ValueError(
            f"{len(items)} {what}s came with {photos} photos. Connect one {what} for each photo, "
            "or one for all."
        )
    return list(items) * photos if len(items) == 1 else list(items)


def _batch(mask: torch.Tensor, what: str) -> torch.Tensor:
    mask = mask_batch(mask, what)
    check_values(mask, what)
    return mask


def _to_uint8(mask: torch.Tensor) -> np.ndarray:
    return (mask.detach().to("cpu", torch.float32) * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def _require_class_ids(ids: np.ndarray) -> None:
    values = list(classes_present(ids))
    if values[-1] < len(CLASSES):
        return
    shown = ", ".join(map(str, values[:12])) + (f", ... ({len(values)} values)" if len(values) > 12 else "")
    hint = ""
    if values[0] == 0 and len(values) == 2:
        hint = " This looks like the mask of one part: connect it to the input of that part instead."
    elif len(values) > len(CLASSES):
        hint = " This looks like a photo, or like a map that was resized with smoothing."
    raise ValueError(
        f"The label map has the 8-bit values {shown}. Expected are class ids from 0 to {len(CLASSES) - 1} "
        f"({_class_list()}).{hint}"
    )


def _class_list() -> str:
    return ", ".join(f"{class_id} {name}" for class_id, name in enumerate(CLASSES))
