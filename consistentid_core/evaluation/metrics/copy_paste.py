"""Copy-paste: whether a picture repeats the very photo it was made from, rather than showing the person.

A cosine near 1 to the reference is then a failure and no win. Needs a second photo of the person, the target.
Source: EVALUATION 2 (MultiID-Bench's definition, in angles).
"""

import numpy as np

#: Nearer to each other than this (radians), target and reference are one photo, and nothing lies between them.
_SAME_PHOTO = 1e-6


def copy_paste(generated: np.ndarray, target: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(angle(g, t) - angle(g, r)) / angle(t, r), picture by picture.

    generated, target, reference: (n, d) vectors of one recogniser; a row of NaN stands for no face.
    Returns float64 (n,), -1 to 1: 1 is the reference itself, 0 as near to one as to the other, -1 the target
    itself. NaN where a face is missing, or target and reference are the same.
    """
    if not generated.shape == target.shape == reference.shape or generated.ndim != 2:
        raise ValueError(
            f"Copy-paste compares three vectors for each picture, (n, d) each; found {generated.shape}, "
            f"{target.shape} and {reference.shape}."
        )
    between = _angles(target, reference)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (_angles(generated, target) - _angles(generated, reference)) / between
    return np.where(between < _SAME_PHOTO, np.nan, value)


def _angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The angle between the rows, radians (n,).

    By arctangent of the halves' lengths: the arccosine of rounded cosines is off by 1e-8 near 0.
    """
    a, b = (one.astype(np.float64) / np.linalg.norm(one, axis=1, keepdims=True) for one in (a, b))
    return 2.0 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))
