"""CLIP-T, CLIP-I and DINO: cosines of what one encoder says of whole pictures and texts.

Source: EVALUATION 2. CLIP-T is printed × 100, as in the paper.
"""

import numpy as np

#: What CLIP-T is multiplied with.
CLIP_T_SCALE = 100.0


def cosine_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine of each row of a with the same row of b, (n,); NaN where either is NaN.

    a, b: (n, d), of any length above 0.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"Pairs of vectors are (n, d) twice; found {a.shape} and {b.shape}.")
    a, b = (one.astype(np.float64) / np.linalg.norm(one, axis=1, keepdims=True) for one in (a, b))
    return np.clip((a * b).sum(axis=1), -1.0, 1.0)


def clip_t(pictures: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """How well pictures follow their prompts: cosine × 100, (n,)."""
    return CLIP_T_SCALE * cosine_pairs(pictures, prompts)
