"""FGIS: how alike the parts of two faces are, part by part.

The paper's sentence leaves open what of a picture the encoder sees. ``tight`` is the square around a part, which
tells people apart; ``masked`` the whole picture on black, the likeliest reading of the paper, in which most of what
is compared is black. Only a part that both pictures show is compared.
Source: ConsistentID (arXiv 2404.16771), 4.1; EVALUATION 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from ...faces.crops import crop_part, fit_mask
from ...faces.face_parts import FacePart
from ...regions import REGION_NAMES

TIGHT, MASKED = "tight", "masked"
#: How much of a picture is compared.
CROPS = (TIGHT, MASKED)

#: What a tight crop adds on each side, as a share of the part's longer side.
_MARGIN = 0.2
#: How much of a picture around a detected face is parsed: the parser was trained on faces with hair and neck.
_FACE_SIDE = 2.0


class PartEncoder(Protocol):
    """What turns pictures of parts into vectors: DINO ViT-S/16, or any other image encoder."""

    name: str

    def encode(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Vectors of pictures, uint8 RGB (h, w, 3) of any size each -> (n, d), of any length above 0."""
        ...


@dataclass(frozen=True)
class PartScores:
    """The comparison of two faces.

    scores: cosine by region, for those that both show, in crop order.
    mean: over these; NaN if there are none.
    coverage: the share of the reference's parts that the other picture shows too, 0..1.
    """

    scores: Mapping[str, float]
    mean: float
    coverage: float


def face_square(picture: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """The square around a detected face, so that a small face is parsed at full resolution.

    picture: uint8 RGB (H, W, 3).  box: left, top, right, bottom in pixels.
    Returns uint8 RGB (side, side, 3); black where the picture ends.
    """
    left, top, right, bottom = box
    return _square(
        picture, ((left + right) / 2, (top + bottom) / 2), _FACE_SIDE * max(right - left, bottom - top)
    )


def part_crops(image: np.ndarray, parts: Sequence[FacePart], how: str = TIGHT) -> dict[str, np.ndarray]:
    """What is compared of a face, by region, in crop order.

    image: uint8 RGB (H, W, 3).  parts: as found in it, both of a pair united.  how: one of :data:`CROPS`.
    Returns uint8 RGB; squares of a size of their own if tight.
    """
    if how not in CROPS:
        raise ValueError(f"Unknown crops '{how}'. Expected one of: {', '.join(CROPS)}.")
    found = {part.region: part.mask for part in parts}
    cut = _tight if how == TIGHT else crop_part
    return {name: cut(image, found[name]) for name in REGION_NAMES if name in found}


def encode_parts(
    encoder: PartEncoder, faces: Sequence[Mapping[str, np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """The vectors of all crops of several faces, in one batch.

    faces: crops by region, of :func:`part_crops`.  Returns vectors (d,) by region, for each.
    """
    pictures = [crop for face in faces for crop in face.values()]
    vectors = iter(encoder.encode(pictures) if pictures else ())
    return [{region: next(vectors) for region in face} for face in faces]


def compare_parts(reference: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> PartScores:
    """The likeness of two faces by part.  reference, other: vectors by region, of :func:`encode_parts`."""
    scores = {
        region: _cosine(reference[region], other[region])
        for region in REGION_NAMES
        if region in reference and region in other
    }
    return PartScores(
        scores,
        mean=float(np.mean(list(scores.values()))) if scores else float("nan"),
        coverage=len(scores) / len(reference) if reference else 0.0,
    )


def mean_of_photos(scores: Sequence[PartScores]) -> PartScores:
    """One face against several photos of a person: each part's mean over the photos that it could be compared with.

    scores: of each photo, at least one.
    """
    if len(scores) == 1:
        return scores[0]
    by_region = {
        region: float(np.mean([one.scores[region] for one in scores if region in one.scores]))
        for region in REGION_NAMES
        if any(region in one.scores for one in scores)
    }
    return PartScores(
        by_region,
        mean=float(np.mean(list(by_region.values()))) if by_region else float("nan"),
        coverage=float(np.mean([one.coverage for one in scores])),
    )


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1.0, 1.0))


def _tight(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The square around a part."""
    selected = fit_mask(mask, image) >= 128
    rows, columns = (np.flatnonzero(selected.any(axis=axis)) for axis in (1, 0))
    if not len(rows):  # a part of a few pixels that stretching made faint
        selected = fit_mask(mask, image) > 0
        rows, columns = (np.flatnonzero(selected.any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left) * (1.0 + 2.0 * _MARGIN)
    return _square(image, ((left + right) / 2, (top + bottom) / 2), side)


def _square(picture: np.ndarray, centre: tuple[float, float], side: float) -> np.ndarray:
    """A square of a picture around a point; black where the picture ends."""
    side = max(1, round(side))
    left, top = round(centre[0] - side / 2), round(centre[1] - side / 2)
    return np.asarray(Image.fromarray(picture).crop((left, top, left + side, top + side)))
