"""Whether a face is found in a picture, and how much of the picture it takes."""

from collections.abc import Sequence

import numpy as np


def detection(faces: Sequence[int], expected: Sequence[int]) -> np.ndarray:
    """The share of the expected faces that were found, (n,) of 0..1; more faces than expected count as 1.

    faces, expected: numbers of each picture.
    """
    found, wanted = np.asarray(faces, np.float64), np.asarray(expected, np.float64)
    return np.minimum(found, wanted) / wanted


def face_share(box: Sequence[float], width: int, height: int) -> float:
    """The share of a picture's area that a face's box takes, 0..1.

    box: left, top, right, bottom in pixels; what lies outside the picture does not count.
    """
    left, top, right, bottom = box
    inside = max(0.0, min(right, width) - max(left, 0.0)) * max(0.0, min(bottom, height) - max(top, 0.0))
    return inside / (width * height)
