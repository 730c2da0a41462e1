"""Which of the faces of a photo is meant: counted in an order, chosen by number."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import NobodyError, NoFaceError
from .face_analysis import Detection, Face, FaceAnalyser


def _width(face: Face) -> float:
    return face.box[2] - face.box[0]


def _height(face: Face) -> float:
    return face.box[3] - face.box[1]


#: How the faces of a photo are counted -> sort key. The first one is the default.
FACE_ORDERS: dict[str, Callable[[Face], float]] = {
    "large_to_small": lambda face: -_width(face) * _height(face),
    "small_to_large": lambda face: _width(face) * _height(face),
    "left_to_right": lambda face: face.box[0] + face.box[2],
    "right_to_left": lambda face: -face.box[0] - face.box[2],
    "top_to_bottom": lambda face: face.box[1] + face.box[3],
    "bottom_to_top": lambda face: -face.box[1] - face.box[3],
    "best_score (original)": lambda face: -face.score,
}
LARGE_TO_SMALL = next(iter(FACE_ORDERS))


@dataclass(frozen=True)
class PhotoFaces:
    """The faces of one photo, in the chosen order, and which of them was taken."""

    faces: tuple[Face, ...]
    #: None if the photo shows no face and that was allowed.
    chosen: int | None


def photo_name(photo: np.ndarray, number: int, count: int) -> str:
    """What a message calls a photo.  photo: (H, W, 3).  number: its place among ``count``, from 1."""
    height, width = photo.shape[:2]
    which = f"image {number} of {count}" if count > 1 else "the image"
    return f"{which} ({width}x{height})"


def detect_faces(
    analyser: FaceAnalyser, pixels: np.ndarray, name: str, *, order: str, threshold: float
) -> tuple[Face, ...]:
    """The faces of a photo in an order, one or more.

    pixels: uint8 (H, W, 3), BGR unless the caller knows better.  name: from :func:`photo_name`.
    order: a key of :data:`FACE_ORDERS`.  threshold: the lowest detection score of a face.
    Raises NobodyError if there is none.
    """
    detection = analyser.detect(pixels, threshold=threshold)
    if not detection.faces:
        raise NobodyError(_no_face_message(name, detection, threshold))
    return tuple(sorted(detection.faces, key=FACE_ORDERS[order]))


def require_face(faces: tuple[Face, ...], index: int, name: str, threshold: float) -> Face:
    """The face with a number; raises NoFaceError if there are too few.  name, threshold: for the message."""
    if not 0 <= index < len(faces):
        raise NoFaceError(
            f"Face {index} was asked for, but {name} shows {len(faces)}, counted from 0. "
            f"Choose a face_index from 0 to {len(faces) - 1}, or lower det_threshold (now {threshold:g})."
        )
    return faces[index]


def _no_face_message(name: str, detection: Detection, threshold: float) -> str:
    sizes = ", ".join(map(str, detection.tried))
    best = (
        f"the best candidate scored {detection.best_score:.2f}"
        if detection.best_score
        else "nothing looked like one"
    )
    return (
        f"No face found in {name}: {best}, det_threshold is {threshold:g}. Tried detector sizes {sizes}. "
        "Use a photo with a larger or less turned face, or lower det_threshold."
    )
