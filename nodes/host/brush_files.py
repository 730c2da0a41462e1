"""Brush strokes that the interface keeps in ComfyUI's input folder, where a workflow finds them by name."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ...consistentid_core.errors import BrushError
from ...consistentid_core.faces.brush import (
    MAX_BYTES,
    Correction,
    Stroke,
    correct_photo,
    photo_id,
    read_corrections,
)
from ...consistentid_core.faces.face_parts import FacePhoto
from ...consistentid_core.files.quoting import quoted

logger = logging.getLogger(__name__)

_WHAT_TO_DO = "Put the right file there, or press Reset in the brush to go on without corrections."


def brush_input() -> io.String.Input:
    """The input by which a node finds its strokes; nothing is corrected without."""
    return io.String.Input(
        "brush",
        default="",
        optional=True,
        socketless=True,
        extra_dict={"hidden": True},  # nobody types the name of a file that the pencils write
        tooltip="Corrections of the parts: a file of brush strokes in ComfyUI's input folder. The pencils in the "
        "preview write it; empty corrects nothing.",
    )


def stamp(name: str | None) -> tuple[int, int] | None:
    """Changes when another file takes the place of this one; for ``fingerprint_inputs``. None if there is no file."""
    try:
        status = _path(name or "").stat()
    except (BrushError, OSError):
        return None  # said when the node runs
    return status.st_mtime_ns, status.st_size


def read(name: str) -> dict[str, Correction]:
    """The corrections in a file, by photo; none for an empty name.

    name: a path below the input folder.
    Raises BrushError if there is no such file, or if it cannot be used.
    """
    if not name.strip():
        return {}
    path = _path(name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BrushError(
            f"The brush file '{quoted(name)}' cannot be found in ComfyUI's input folder: {error.strerror}. "
            f"{_WHAT_TO_DO}"
        ) from None
    try:
        return read_corrections(data)
    except BrushError as error:
        raise BrushError(
            f"The strokes in '{quoted(name)}' cannot be used: the file {error}. {_WHAT_TO_DO}"
        ) from None


def correct_photos(
    photos: Sequence[FacePhoto], corrections: Mapping[str, Correction]
) -> tuple[list[FacePhoto], list[str]]:
    """Photos with the strokes that were painted on them, and the id of each.

    Strokes of other photos are kept aside, which is logged if none is of these.
    Raises BrushError if a correction is of another size than the photo it names.
    """
    ids = [photo_id(photo.image) for photo in photos]
    if corrections and not any(one in corrections for one in ids):
        painted = ", ".join(sorted({f"{one.width}x{one.height}" for one in corrections.values()}))
        height, width = photos[0].image.shape[:2]
        logger.warning(
            "The brush strokes were painted on another photo (%s) than this one (%dx%d), so they are kept aside.",
            painted,
            width,
            height,
        )
    corrected = [
        correct_photo(photo, _strokes(photo, corrections.get(one)))
        for photo, one in zip(photos, ids, strict=True)
    ]
    return corrected, ids


def _strokes(photo: FacePhoto, correction: Correction | None) -> tuple[Stroke, ...]:
    if correction is None:
        return ()
    height, width = photo.image.shape[:2]
    if (correction.width, correction.height) != (width, height):
        raise BrushError(
            f"The brush file says that this photo is {correction.width}x{correction.height} pixels large; it is "
            f"{width}x{height}. The file was changed by hand or is damaged: press Reset in the brush and paint again."
        )
    return correction.strokes


def _path(name: str) -> Path:
    """Where a file is; raises BrushError for a name that leads out of the input folder or is none."""
    folder = os.path.realpath(folder_paths.get_input_directory())
    try:
        path = os.path.realpath(os.path.join(folder, name))
        is_inside = os.path.commonpath((folder, path)) == folder and path != folder
    except ValueError:  # a NUL character, another drive
        is_inside = False
    if not is_inside:
        raise BrushError(
            f"The brush file '{quoted(name)}' is not in ComfyUI's input folder. Give the name of a file below it, or "
            "press Reset in the brush to go on without corrections."
        )
    return Path(path)
