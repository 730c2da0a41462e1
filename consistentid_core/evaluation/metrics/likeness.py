"""FaceSim: the cosine of two faces' vectors, best and mean over several photos, and the rank in a gallery.

A picture without a face has no score. Published numbers differ in what they make of it: FastComposer counts 0
(and raises negative scores to 0), FastFace and MultiID-Bench leave it out. Both are here, always together.
Source: EVALUATION 2 (definitions), FastComposer evaluation (miss = 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def likeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosines of all pairs.

    a: (n, d), b: (m, d), vectors of one recogniser, of any length above 0; a row of NaN stands for no face.
    Returns float64 (n, m), -1 to 1; NaN where a face is missing.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            f"Vectors of faces are (n, d) and (m, d); found {a.shape} and {b.shape}. Compare vectors of one and the "
            "same recogniser."
        )
    return np.clip(_unit(a) @ _unit(b).T, -1.0, 1.0)


def best_and_mean(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each picture, the best and the mean score over the photos of a person.

    scores: (n, photos).  Returns two of (n,); photos without a face are left out, and NaN remains where none has one.
    """
    seen = ~np.isnan(scores)
    count = seen.sum(axis=1)
    best = np.where(seen, scores, -np.inf).max(axis=1, initial=-np.inf)
    total = np.where(seen, scores, 0.0).sum(axis=1)
    none = count == 0
    return np.where(none, np.nan, best), np.where(none, np.nan, total / np.maximum(count, 1))


def rank_in_gallery(scores: np.ndarray, right: Sequence[int] | np.ndarray) -> np.ndarray:
    """The place of the right person among all people, 1 being the first; a tie counts against the picture.

    scores: (n, people).  right: (n,), the column of the person each picture is to show.
    Returns float64 (n,); NaN for a picture without a face.
    """
    right = np.asarray(right)
    if scores.ndim != 2 or right.shape != (len(scores),):
        raise ValueError(
            f"A gallery needs scores (n, people) and one right person for each row; found {scores.shape} and "
            f"{right.shape}."
        )
    if len(right) and not ((right >= 0) & (right < scores.shape[1])).all():
        raise ValueError(
            f"A right person is a column from 0 to {scores.shape[1] - 1}; found {right.min()} to {right.max()}."
        )
    own = np.take_along_axis(scores, right[:, None], axis=1)
    rank = (scores >= own).sum(axis=1).astype(np.float64)
    return np.where(np.isnan(own[:, 0]), np.nan, rank)


@dataclass(frozen=True)
class BothWays:
    """A mean by both conventions for pictures without a face; NaN where there is nothing to average."""

    #: A miss counts 0, and so does a negative score (FastComposer).
    misses_as_zero: float
    #: Only pictures with a face (FastFace, MultiID-Bench).
    misses_dropped: float
    #: All pictures, and those without a face.
    n: int
    misses: int

    @property
    def detection_rate(self) -> float:
        """The share of pictures with a face; NaN without pictures."""
        return 1.0 - self.misses / self.n if self.n else float("nan")


def misses_as_zero(scores: np.ndarray) -> np.ndarray:
    """Scores with 0 for a miss (NaN) and for what is below 0, as FastComposer counts them."""
    return np.where(np.isnan(scores), 0.0, np.maximum(scores, 0.0))


def mean_both_ways(scores: np.ndarray) -> BothWays:
    """The mean of (n,) scores, NaN being a miss."""
    found = scores[~np.isnan(scores)]
    n, misses = len(scores), len(scores) - len(found)
    return BothWays(
        misses_as_zero=float(misses_as_zero(scores).mean()) if n else float("nan"),
        misses_dropped=float(found.mean()) if len(found) else float("nan"),
        n=n,
        misses=misses,
    )


def top_k_both_ways(ranks: np.ndarray, k: int) -> BothWays:
    """The share of pictures whose person is among the first ``k``.  ranks: (n,) of :func:`rank_in_gallery`."""
    return mean_both_ways(np.where(np.isnan(ranks), np.nan, (ranks <= k).astype(np.float64)))


def auc(same: np.ndarray, other: np.ndarray) -> float:
    """How often a score of the same person exceeds one of another person: 0.5 by chance, 1 always; a tie counts half.

    same, other: any number of scores each, without NaN.
    """
    if not len(same) or not len(other):
        raise ValueError(
            f"Both kinds of scores are needed; found {len(same)} of the same person and {len(other)} of others."
        )
    ordered = np.sort(other)
    below, up_to = np.searchsorted(ordered, same, "left"), np.searchsorted(ordered, same, "right")
    return float((below + up_to).sum() / (2.0 * len(same) * len(other)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise ValueError(
            "A vector of length 0 stands for nobody and is like no face. Leave the picture out, or mark it with NaN."
        )
    return vectors / lengths
