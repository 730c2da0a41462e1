"""What the interface shows of parsed photos: small pictures in ComfyUI's temp folder, and a list.

The list travels as ``ui`` result under :data:`UI_KEY`; a widget can colour the parts and switch
them without asking the server again.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..consistentid_core.crops import fit_mask
from ..consistentid_core.face_parts import FacePart, FacePhoto, choose_parts
from ..consistentid_core.overlay import draw_overlay
from ..consistentid_core.regions import REGIONS, Region
from . import temp_pictures

UI_KEY = "consistentid_parts"

#: Of a larger batch only the first photos are shown; each entry says how many there are.
MAX_PHOTOS = 8
MAX_SIDE = temp_pictures.MAX_SIDE

#: What one mask may take, so that a photo with its five masks stays below 300 kB.
_MAX_MASK_BYTES = 14_000
_MASK_SIDES = (MAX_SIDE, 384, 192, 96)


def parts_ui(photos: Sequence[FacePhoto], enabled: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Write the previews of parsed photos; returns the ``ui`` part of a node's result.

    photos: with every part that was found.  enabled: names of the regions switched on.
    One entry per photo shown: ``index`` and ``total`` (its place in the batch), ``width`` and ``height``
    of the photo, ``photo`` and ``overlay`` (files for ``/view``), and ``parts``: all five regions in crop
    order with ``name``, ``region``, ``label``, ``colour`` (``#rrggbb``), ``enabled``, ``present``,
    ``area`` (0..1) and ``mask`` (a file, 8-bit grey, to be stretched over the photo; None if absent).
    """
    shown = photos[:MAX_PHOTOS]
    return {UI_KEY: [_entry(photo, enabled, index, len(photos)) for index, photo in enumerate(shown)]}


def _entry(photo: FacePhoto, enabled: Collection[str], index: int, total: int) -> dict[str, Any]:
    height, width = photo.image.shape[:2]
    small = temp_pictures.shrunk(photo.image)
    found = {part.region: part for part in photo.parts}
    return {
        "index": index,
        "total": total,
        "width": width,
        "height": height,
        "photo": temp_pictures.save(temp_pictures.jpeg(small), ".jpg"),
        "overlay": temp_pictures.save(
            temp_pictures.jpeg(draw_overlay(small, choose_parts(photo.parts, enabled))), ".jpg"
        ),
        "parts": [_part(region, found.get(region.name), region.name in enabled, small) for region in REGIONS],
    }


def _part(region: Region, part: FacePart | None, is_enabled: bool, picture: np.ndarray) -> dict[str, Any]:
    return {
        "name": part.name if part else region.united,
        "region": region.name,
        "label": region.label,
        "colour": "#{:02x}{:02x}{:02x}".format(*region.colour),
        "enabled": is_enabled,
        "present": part is not None,
        "area": round(part.area, 6) if part else 0.0,
        "mask": temp_pictures.save(_mask_png(part.mask, picture), ".png") if part else None,
    }


def _mask_png(mask: np.ndarray, picture: np.ndarray) -> bytes:
    """Soft-edged and in the picture's proportions; smaller where the outline is very ragged."""
    fitted = Image.fromarray(fit_mask(mask, picture))
    data = b""
    for side in _MASK_SIDES:
        fitted.thumbnail((side, side))
        data = temp_pictures.encoded(fitted, "PNG", optimize=True)
        if len(data) <= _MAX_MASK_BYTES:
            break
    return data
