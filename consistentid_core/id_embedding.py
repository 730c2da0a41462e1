"""The face-recognition vector of one person, from one or more photos (SPEC 2.1)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .errors import NoFaceError
from .face_analysis import EMBEDDING_WIDTH, Detection, Face, FaceAnalyser
from .face_models import RECOGNISER

logger = logging.getLogger(__name__)

BGR = "BGR"
RGB = "RGB (original SD1.5 script)"
#: Which array the networks get. They were trained on BGR, and so were ConsistentID's weights;
#: the original's SD1.5 script hands them RGB.
CHANNEL_ORDERS = (BGR, RGB)

ERROR = "error"
ZERO_VECTOR = "zero vector (original)"
#: What to do with a photo without a face. The original goes on with a zero vector.
NO_FACE_POLICIES = (ERROR, ZERO_VECTOR)


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
class IDEmbedding:
    """What a face recogniser says about one person.

    vector: (1, 512) float32 on the CPU, of unit length; zeros stand for nobody.
    channel_order: one of :data:`CHANNEL_ORDERS`.
    photos: how many photos with a face it was averaged over.
    """

    vector: torch.Tensor
    channel_order: str = BGR
    recogniser: str = RECOGNISER.name
    photos: int = 1

    def __post_init__(self) -> None:
        if self.vector.shape != (1, EMBEDDING_WIDTH) or self.vector.dtype != torch.float32:
            found = f"{tuple(self.vector.shape)} {self.vector.dtype}"
            raise ValueError(f"An ID embedding is a (1, {EMBEDDING_WIDTH}) float32 tensor, not {found}.")

    @property
    def is_zero(self) -> bool:
        """True if it stands for nobody: no photo showed a face."""
        return not bool(self.vector.any())


@dataclass(frozen=True)
class PhotoFaces:
    """The faces of one photo, in the chosen order, and which of them was taken."""

    faces: tuple[Face, ...]
    #: None if the photo shows no face and that was allowed.
    chosen: int | None


def embed_person(
    analyser: FaceAnalyser,
    photos: Sequence[np.ndarray],
    *,
    order: str = LARGE_TO_SMALL,
    index: int = 0,
    threshold: float = 0.5,
    no_face: str = ERROR,
    channel_order: str = BGR,
) -> tuple[IDEmbedding, list[PhotoFaces]]:
    """Recognise one person in one or more photos.

    The unit vectors of several photos are averaged and brought back to unit length.

    photos: uint8 RGB pictures (H, W, 3).
    order, index: which face of a photo is the person, a key of :data:`FACE_ORDERS` and a place in it.
    threshold: the lowest detection score of a face.
    no_face: one of :data:`NO_FACE_POLICIES`.
    Returns the embedding and, per photo, the faces found.
    Raises NoFaceError for a photo without a face (policy ``error``) or with too few for ``index``.
    """
    if not photos:
        raise ValueError("At least one photo is needed for an ID embedding.")
    vectors: list[np.ndarray] = []
    found: list[PhotoFaces] = []
    for number, photo in enumerate(photos, start=1):
        pixels = photo[..., ::-1] if channel_order == BGR else photo
        detection = analyser.detect(pixels, threshold=threshold)
        name = _name(photo, number, len(photos))
        if not detection.faces:
            message = _no_face_message(name, detection, threshold)
            if no_face == ERROR:
                raise NoFaceError(message)
            logger.warning("%s Counted as a zero vector.", message)
            found.append(PhotoFaces((), None))
            continue
        faces = tuple(sorted(detection.faces, key=FACE_ORDERS[order]))
        if index >= len(faces):
            raise NoFaceError(
                f"Face {index} was asked for, but {name} shows {len(faces)}, counted from 0. "
                f"Choose a face_index up to {len(faces) - 1}, or lower det_threshold (now {threshold:g})."
            )
        vectors.append(analyser.embed(pixels, faces[index]))
        found.append(PhotoFaces(faces, index))
    return IDEmbedding(_average(vectors), channel_order, photos=len(vectors)), found


def _average(vectors: Sequence[np.ndarray]) -> torch.Tensor:
    """The direction unit vectors share: (1, 512); zeros if there are none."""
    total = np.sum(vectors, axis=0, dtype=np.float64) if vectors else np.zeros(EMBEDDING_WIDTH)
    length = np.linalg.norm(total)
    if vectors and length < 1e-6:
        raise ValueError(
            "The faces of the photos cancel each other out: they cannot be of one person. "
            "Use photos of one person, or choose another face_index."
        )
    unit = total / length if vectors else total
    return torch.from_numpy(unit.astype(np.float32)).unsqueeze(0)


def _name(photo: np.ndarray, number: int, count: int) -> str:
    height, width = photo.shape[:2]
    which = f"image {number} of {count}" if count > 1 else "the image"
    return f"{which} ({width}x{height})"


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
