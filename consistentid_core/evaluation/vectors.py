"""Features looked up for the rows of a table: one row for each picture and each person it is to show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .metrics.id_conf import match_people
from .metrics.likeness import likeness
from .pictures import Item, Subject


@dataclass(frozen=True)
class Row:
    """item, subject: what is judged.  place: of the subject among the picture's."""

    item: Item
    subject: Subject
    place: int

    @property
    def is_first(self) -> bool:
        """Whether the row stands for its picture where people do not matter."""
        return self.place == 0


class Faces:
    """What one recogniser says of the faces of all pictures.

    vectors: (faces, d) by content.  contents: by file.
    """

    def __init__(self, vectors: Mapping[str, np.ndarray], contents: Mapping[Path, str], size: int):
        self._vectors, self._contents = vectors, contents
        self._nobody = np.full(size, np.nan)
        self._empty = np.zeros((0, size))

    def all(self, path: Path | None) -> np.ndarray:
        """Every face of a picture, (k, d)."""
        content = self._contents.get(path) if path is not None else None
        return self._vectors.get(content, self._empty) if content is not None else self._empty

    def first(self, path: Path | None) -> np.ndarray:
        """The person's face, (d,); NaN without one."""
        found = self.all(path)
        return found[0] if len(found) else self._nobody

    def matched(self, path: Path, subjects: Sequence[Subject]) -> list[int | None]:
        """Which face of a picture is which person; None for a person without one.

        A single person is the first face. Several are told apart by their references.
        """
        found = self.all(path)
        if len(subjects) == 1:
            return [0 if len(found) else None]
        places: list[int | None] = [None] * len(subjects)
        known = [(place, self.first(one.reference)) for place, one in enumerate(subjects)]
        known = [(place, vector) for place, vector in known if not np.isnan(vector).any()]
        if len(found) and known:
            scores = likeness(found, np.stack([vector for _, vector in known]))
            for face, person in match_people(scores):
                places[known[person][0]] = face
        return places

    def of(self, path: Path, face: int | None) -> np.ndarray:
        """One face of a picture, (d,)."""
        return self._nobody if face is None else self.all(path)[face]


def stacked(vectors: Mapping[str, np.ndarray], contents: Sequence[str | None]) -> np.ndarray:
    """Vectors of pictures, (n, d); NaN for those that are unknown."""
    size = next((len(vector) for vector in vectors.values()), 1)
    nothing = np.full(size, np.nan)
    return np.stack([vectors.get(one, nothing) if one else nothing for one in contents] or [nothing])[
        : len(contents)
    ]
