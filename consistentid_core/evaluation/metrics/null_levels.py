"""What a score would be without any effect: the levels a likeness is read against.

A cosine alone says nothing: 0.46 is what two photos of one person usually have in ArcFace. Levels are measured
where there are photos to measure them on, and else taken from what was measured for that kind of recogniser.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..recognisers import Recogniser
from .likeness import likeness

SAME_PERSON = "same person, other photo"
OTHER_PERSON = "another person"
#: Of a set of measured pairs, the range that is shown leaves out this share at each end.
_TAIL = 0.05


@dataclass(frozen=True)
class NullLevel:
    """One level on the axis of a likeness.

    name: :data:`SAME_PERSON`, :data:`OTHER_PERSON` or one of the caller's.
    typical, low, high: cosines; between the last two lie nine tenths of measured pairs, or what others report.
    measured_pairs: how many pairs it was measured on; 0 for what is usual for recognisers of this size.
    source: of which recognisers it is usual; empty if it was measured.
    """

    name: str
    typical: float
    low: float
    high: float
    measured_pairs: int = 0
    source: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether it comes from photos of the caller."""
        return self.measured_pairs > 0


_LIKE_ARCFACE, _LIKE_SFACE = "ArcFace, 512 numbers", "SFace, 128 numbers"
#: ArcFace-type recognisers with 512 numbers. Source: EVALUATION 2: real photos of one person score 0.30 to 0.77 with
#: a median near 0.46; strangers scatter around 0.05, how far is our estimate.
ARCFACE = (
    NullLevel(SAME_PERSON, 0.46, 0.30, 0.77, source=_LIKE_ARCFACE),
    NullLevel(OTHER_PERSON, 0.05, -0.10, 0.20, source=_LIKE_ARCFACE),
)
#: SFace. Source: EVALUATION 2, a few colour photos of one person, and others.
_SFACE = (
    NullLevel(SAME_PERSON, 0.75, 0.72, 0.78, source=_LIKE_SFACE),
    NullLevel(OTHER_PERSON, 0.10, 0.05, 0.23, source=_LIKE_SFACE),
)
_SFACE_SIZE, _ARCFACE_SIZE = 128, 512


def published_levels(recogniser: Recogniser) -> tuple[NullLevel, ...]:
    """What is usual for recognisers with as many numbers, all that is known of a file; none for other sizes."""
    return {_ARCFACE_SIZE: ARCFACE, _SFACE_SIZE: _SFACE}.get(recogniser.size, ())


def level_of_pairs(name: str, scores: Sequence[float] | np.ndarray) -> NullLevel:
    """A level from the cosines of pairs; at least one, gaps are left out."""
    found = np.asarray(scores, np.float64)
    found = found[~np.isnan(found)]
    if not len(found):
        raise ValueError(f"No pair of faces was found to measure the level '{name}' on.")
    low, typical, high = np.quantile(found, (_TAIL, 0.5, 1.0 - _TAIL))
    return NullLevel(name, float(typical), float(low), float(high), len(found))


def same_person_level(vectors: np.ndarray) -> NullLevel | None:
    """The level of other photos, from all pairs of one person's photos; None with fewer than two faces.

    vectors: (photos, d) of one recogniser; a row of NaN stands for no face.
    """
    vectors = vectors[~np.isnan(vectors).any(axis=1)]
    if len(vectors) < 2:
        return None
    pairs = likeness(vectors, vectors)[np.triu_indices(len(vectors), 1)]
    return level_of_pairs(SAME_PERSON, pairs)


def other_person_level(vectors: np.ndarray, people: Sequence[object]) -> NullLevel | None:
    """The level of strangers, from all pairs of different people; None if all are the same.

    vectors: (n, d) of one recogniser; a row of NaN stands for no face.  people: whom each row shows.
    """
    if len(people) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors need as many people; found {len(people)}.")
    names = {name: number for number, name in enumerate(dict.fromkeys(people))}
    numbers = np.array([names[name] for name in people])
    differ = np.triu(numbers[:, None] != numbers[None, :], 1)
    pairs = likeness(vectors, vectors)[differ]
    return level_of_pairs(OTHER_PERSON, pairs) if (~np.isnan(pairs)).any() else None


def levels_for(recogniser: Recogniser, photos: np.ndarray | None = None) -> tuple[NullLevel, ...]:
    """The levels to show beside a likeness: measured on the person's own photos where several are given.

    photos: (photos, d) vectors of one person by this recogniser.
    """
    measured = None if photos is None else same_person_level(photos)
    published = published_levels(recogniser)
    if measured is None:
        return published
    return (measured, *(level for level in published if level.name != SAME_PERSON))
