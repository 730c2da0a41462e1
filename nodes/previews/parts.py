"""What the interface shows of parsed photos: small pictures in ComfyUI's temp folder, and a list.

The list travels as ``ui`` result under :data:`UI_KEY`; a widget can colour the parts and switch
them without asking the server again.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...consistentid_core.faces.crops import fit_mask
from ...consistentid_core.faces.face_parts import FacePart, FaceParts, FacePhoto, twin_mask
from ...consistentid_core.faces.part_warnings import PartWarnings
from ...consistentid_core.regions import REGION_NAMES, REGIONS, Region
from . import temp_pictures

UI_KEY = "consistentid_parts"

#: Of a larger batch only the first photos are shown; each entry says how many there are.
MAX_PHOTOS = 8
MAX_SIDE = temp_pictures.MAX_SIDE

#: What one mask may take, so that a photo with its five masks stays below 300 kB.
_MAX_MASK_BYTES = 14_000
_MASK_SIDES = (MAX_SIDE, 384, 192, 96)

#: The most a close-up of a part measures, and how much of the part's size it adds on each side.
_CLOSE_UP_SIDE = 96
_CLOSE_UP_MARGIN = 0.25


def parts_ui(
    photos: Sequence[FacePhoto], enabled: Collection[str], warnings: Sequence[PartWarnings] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Write the previews of parsed photos; returns the ``ui`` part of a node's result.

    photos: with every part that was found.  enabled: names of the regions switched on.  warnings: of each photo.
    One entry per photo shown: ``index`` and ``total`` (its place in the batch), ``width`` and ``height``
    of the photo, ``photo`` (a file for ``/view``), and ``parts``: all five regions in crop
    order with ``name``, ``region``, ``label``, ``colour`` (``#rrggbb``), ``enabled``, ``present``,
    ``area`` (0..1), ``mask`` (a file, 8-bit grey, to be stretched over the photo; None if absent) and ``twin`` (a file
    alike: the other one of a pair, left out).
    With warnings also ``faces`` and ``tiny``, as :class:`PartWarnings` has them.
    """
    entries = [_entry(photo, enabled, index, len(photos)) for index, photo in enumerate(photos[:MAX_PHOTOS])]
    for entry, warning in zip(entries, warnings, strict=False):
        entry |= {"faces": warning.faces, "tiny": list(warning.tiny)}
    return {UI_KEY: entries}


def mixed_parts_ui(face_parts: FaceParts) -> dict[str, list[dict[str, Any]]]:
    """As :func:`parts_ui`, of a face whose parts are from several photos.

    One entry per photo that is still there, with the parts taken from it. All entries say of each part where
    the face has it from: ``source``, a close-up (a file; None if no photo is there), ``source_index``, the
    photo's place in the batch, and ``strength``.
    """
    photos = [photo for photo in face_parts.photos if isinstance(photo, FacePhoto)]
    result = parts_ui(photos, REGION_NAMES)
    sources: dict[str, dict[str, Any]] = {}
    for photo, part in face_parts.pictured_parts():
        if part.region not in sources:
            close_up = temp_pictures.save(temp_pictures.jpeg(_close_up(photo, part)), ".jpg")
            sources[part.region] = {"source": close_up, "source_index": photos.index(photo)}
    for entry in result[UI_KEY]:
        for part in entry["parts"]:
            part |= sources.get(part["region"], {"source": None, "source_index": None})
            part["strength"] = face_parts.strength(part["region"])
    return result


def _close_up(photo: FacePhoto, part: FacePart) -> np.ndarray:
    """The square around a part, uint8 RGB, at most 96 pixels large."""
    height, width = photo.image.shape[:2]
    rows, columns = (np.flatnonzero(part.mask.any(axis=axis)) for axis in (1, 0))
    top, bottom = rows[[0, -1]] * height / part.mask.shape[0]
    left, right = columns[[0, -1]] * width / part.mask.shape[1]
    reach = max(bottom - top, right - left, 8) * (0.5 + _CLOSE_UP_MARGIN)
    row, column = (top + bottom) / 2, (left + right) / 2
    box = (column - reach, row - reach, column + reach, row + reach)
    side = min(_CLOSE_UP_SIDE, max(1, round(2 * reach)))
    # What lies outside the photo is black.
    cut = Image.fromarray(photo.image).crop(tuple(map(round, box)))
    return np.asarray(cut.resize((side, side), Image.Resampling.LANCZOS))


def _entry(photo: FacePhoto, enabled: Collection[str], index: int, total: int) -> dict[str, Any]:
    small = temp_pictures.shrunk(photo.image)
    found = {part.region: part for part in photo.parts}
    return {
        **temp_pictures.photo_entry(photo.image, small, index, total),
        "parts": [
            _part(region, found.get(region.name), region.name in enabled, small, photo.label_map)
            for region in REGIONS
        ],
    }


def _part(
    region: Region,
    part: FacePart | None,
    is_enabled: bool,
    picture: np.ndarray,
    label_map: np.ndarray | None,
) -> dict[str, Any]:
    twin = twin_mask(part, label_map) if part else None
    return {
        "name": part.name if part else region.united,
        "region": region.name,
        "label": region.label,
        "colour": "#{:02x}{:02x}{:02x}".format(*region.colour),
        "enabled": is_enabled,
        "present": part is not None,
        "area": round(part.area, 6) if part else 0.0,
        "mask": temp_pictures.save(_mask_png(part.mask, picture), ".png") if part else None,
        "twin": None if twin is None else temp_pictures.save(_mask_png(twin, picture), ".png"),
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
