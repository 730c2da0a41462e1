"""ID-Conf: in a picture of several people, how clearly each face is one of them and not a blend.

Source: EVALUATION 2 (MultiID-Bench).
"""

import numpy as np
from scipy.optimize import linear_sum_assignment


def match_people(scores: np.ndarray) -> list[tuple[int, int]]:
    """Which face is whom: (face, person) pairs whose scores together are highest; each face and person once.

    scores: (faces, people) cosines, without NaN. As many pairs as the smaller of the two numbers, by face.
    """
    if scores.ndim != 2 or np.isnan(scores).any():
        raise ValueError(
            f"Matching needs cosines (faces, people) without gaps; found {scores.shape} with "
            f"{int(np.isnan(scores).sum())} gaps. Leave out faces that have no vector."
        )
    faces, people = linear_sum_assignment(scores, maximize=True)
    return [(int(face), int(person)) for face, person in zip(faces, people, strict=True)]


def id_conf(scores: np.ndarray) -> np.ndarray:
    """min(1, (s1 - s2) / s1) of the two best cosines of each face.

    scores: (faces, people).  Returns float64 (faces,), 0 to 1; NaN where the best is not above 0, since such a face
    is nobody's, and with fewer than two people.
    """
    if scores.ndim != 2:
        raise ValueError(f"ID-Conf needs cosines (faces, people); found {scores.shape}.")
    if scores.shape[1] < 2:
        return np.full(len(scores), np.nan)
    second, best = np.sort(scores.astype(np.float64), axis=1)[:, -2:].T
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.minimum(1.0, (best - second) / best)
    return np.where(best > 0, value, np.nan)
