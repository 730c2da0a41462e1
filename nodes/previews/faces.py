"""What the interface shows of the faces found in photos: small pictures and where the faces are.

The list travels as ``ui`` result under :data:`UI_KEY`; a widget can number the faces and choose one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...consistentid_core.faces.face_crop import CropPlan, face_share
from ...consistentid_core.identity.face_analysis import Face
from ...consistentid_core.identity.face_choice import PhotoFaces
from . import temp_pictures

UI_KEY = "consistentid_faces"
#: Of Crop Face alone: what was cut out of each photo.
CROPS_KEY = "consistentid_face_crops"

#: Of a larger batch only the first photos are shown; each entry says how many there are.
MAX_PHOTOS = 8


def faces_ui(
    photos: Sequence[np.ndarray], found: Sequence[PhotoFaces], plan: CropPlan | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Write the previews of photos; returns the ``ui`` part of a node's result.

    photos: uint8 RGB (H, W, 3).  found: the faces in each.  plan: where they are cut.
    One entry per photo shown: ``index`` and ``total`` (its place in the batch), ``width`` and ``height`` of the
    photo, ``photo`` (a file for ``/view``), ``chosen`` (number of the face that was taken, or None), and
    ``faces``, numbered from 0 as listed: ``box`` (left, top, right, bottom, as shares of the photo) and ``score``.
    With a plan there is a second list under :data:`CROPS_KEY`: the ``box`` cut out (None: the photo passes whole) and
    the face's ``share`` of the photo's shorter side.
    """
    shown = zip(photos[:MAX_PHOTOS], found[:MAX_PHOTOS], strict=True)
    entries = [_entry(photo, faces, index, len(photos)) for index, (photo, faces) in enumerate(shown)]
    if plan is None:
        return {UI_KEY: entries}
    crops = [
        _crop(plan, index, found[index], entry["width"], entry["height"])
        for index, entry in enumerate(entries)
    ]
    return {UI_KEY: entries, CROPS_KEY: crops}


def _crop(plan: CropPlan, index: int, found: PhotoFaces, width: int, height: int) -> dict[str, Any]:
    box = plan.boxes[index]
    edges = (box.x, box.y, box.right, box.bottom)
    face = None if found.chosen is None else found.faces[found.chosen].box
    return {
        "box": None if plan.is_whole[index] else _shares(edges, width, height),
        "share": None if face is None else round(face_share(face, width, height), 4),
    }


def _entry(photo: np.ndarray, found: PhotoFaces, index: int, total: int) -> dict[str, Any]:
    return {
        **temp_pictures.photo_entry(photo, temp_pictures.shrunk(photo), index, total),
        "chosen": found.chosen,
        "faces": face_entries(found.faces, photo),
    }


def face_entries(faces: Sequence[Face], photo: np.ndarray) -> list[dict[str, Any]]:
    """What an entry says of the faces of a photo, uint8 (H, W, 3): ``box`` and ``score``."""
    height, width = photo.shape[:2]
    return [{"box": _shares(face.box, width, height), "score": round(float(face.score), 3)} for face in faces]


def _shares(box: Sequence[float], width: int, height: int) -> list[float]:
    """A box as shares of the photo, cut where the photo ends."""
    sides = zip(box, (width, height, width, height), strict=True)
    return [round(min(max(float(value) / side, 0.0), 1.0), 5) for value, side in sides]
