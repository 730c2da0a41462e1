"""What the interface needs to correct parts with a brush, beside what :mod:`.parts` shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...consistentid_core.faces.brush import Correction
from ...consistentid_core.faces.face_parts import FacePhoto
from .parts import UI_KEY, parts_ui


def add_brush(
    ui: dict[str, list[dict[str, Any]]],
    photos: Sequence[FacePhoto],
    ids: Sequence[str],
    file: str,
    corrections: Mapping[str, Correction],
) -> dict[str, list[dict[str, Any]]]:
    """``ui`` with an entry ``brush`` for each photo shown.

    ui: of :func:`.parts.parts_ui`, after the correction.  photos: as they were before, with their ids.
    file: where the corrections are from, or "".
    ``brush`` is ``photo``, its id; ``file``; ``is_aside``, whether the file holds strokes of other photos alone; and
    ``masks``, of a corrected photo the masks by region as they were before (files, or None).
    """
    is_aside = bool(corrections) and not any(one in corrections for one in ids)
    for entry, photo, one in zip(ui[UI_KEY], photos, ids, strict=False):
        parts = parts_ui([photo], ())[UI_KEY][0]["parts"] if one in corrections else []
        entry["brush"] = {
            "photo": one,
            "file": file,
            "is_aside": is_aside,
            "masks": {part["region"]: part["mask"] for part in parts},
        }
    return ui
