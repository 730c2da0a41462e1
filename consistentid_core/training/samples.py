"""What training reads: portraits with label maps, captions and face vectors.

Where they come from (a folder, shards, memory) is not training's business: anything with a length and
an item for each number will do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One portrait.

    key: its name, unique in the data.
    picture: uint8 RGB (H, W, 3).
    label_map: uint8 class ids (h, w) of :mod:`..regions`, stretched over the picture.
    general_caption: of the person and the scene.  face_caption: of the face, naming its parts.
    id_original, id_resized: (512,) float32, unit length, of the face in the original picture and in the square copy
    (read in BGR order, SPEC 2.1); None where no face was found.
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
        """The face vector to train with, (512,): the original picture's first, zeros if there is none (SPEC 7.1)."""
        for vector in (self.id_original, self.id_resized):
            if vector is not None:
                return np.asarray(vector, np.float32).reshape(-1)
        return np.zeros(512, np.float32)

    @property
    def has_face(self) -> bool:
        """Whether a face vector is there."""
        return self.id_original is not None or self.id_resized is not None


class SampleSource(Protocol):
    """The samples of a data set, by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> TrainingSample: ...


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of the samples of a source."""

    source: SampleSource
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int, /) -> TrainingSample:
        return self.source[self.indices[index]]

    def __iter__(self) -> Iterator[TrainingSample]:
        return (self[index] for index in range(len(self)))
