"""One training portrait, and how its pictures and numbers travel as bytes."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..identity.face_analysis import EMBEDDING_WIDTH


@dataclass(frozen=True, eq=False)
class Portrait:
    """One portrait, ready for training.

    key: its name, unique in the set.
    picture: uint8 RGB (H, W, 3).
    label_map: uint8 class ids (h, w) of :mod:`..regions`, stretched over the picture.
    general_caption: of the person and the scene.  face_caption: of the face, naming its parts.
    id_original, id_resized: (512,) float32, unit length, of the face in the picture and in its square copy; None
    where no face was found.
    """

    key: str
    picture: np.ndarray
    label_map: np.ndarray
    general_caption: str
    face_caption: str
    id_original: np.ndarray | None = None
    id_resized: np.ndarray | None = None

    @property
    def id_vector(self) -> np.ndarray:
        """The face vector to train with, (512,): the picture's own first, zeros if there is none (SPEC 7.1)."""
        for vector in (self.id_original, self.id_resized):
            if vector is not None:
                return np.asarray(vector, np.float32).reshape(-1)
        return np.zeros(EMBEDDING_WIDTH, np.float32)

    @property
    def has_face(self) -> bool:
        """Whether a face vector is there."""
        return self.id_original is not None or self.id_resized is not None


def to_png(picture: np.ndarray) -> bytes:
    """A uint8 picture, (H, W, 3) or (H, W), without loss."""
    buffer = io.BytesIO()
    # Level 1: a third of the default's time for a tenth more bytes, and every portrait pays it three times.
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def from_encoded(data: bytes) -> np.ndarray:
    """uint8 RGB (H, W, 3) of a picture file's bytes."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def label_map_from_encoded(data: bytes) -> np.ndarray:
    """uint8 class ids (h, w) of a grey or palette PNG."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture if picture.mode in ("L", "P") else picture.convert("L"))
