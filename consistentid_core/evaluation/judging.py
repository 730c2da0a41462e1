"""Scoring pictures against one person: faces found, the one that is meant, its cosines by one or more recognisers.

The metrics are in :mod:`.metrics`; this is what a node and a run over many pictures do before them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..identity.face_analysis import Face, FaceAnalyser
from ..identity.face_choice import FACE_ORDERS, LARGE_TO_SMALL, detect_faces, photo_name, require_face
from .metrics.likeness import best_and_mean, likeness
from .recognisers import Recogniser, align_all

LARGEST, MOST_ALIKE = "largest", "most alike"
#: Which face of a picture is compared.
WHICH_FACE = (LARGEST, MOST_ALIKE)


@dataclass(frozen=True)
class Score:
    """What one recogniser says: the best and the mean cosine over the person's photos, -1 to 1."""

    best: float
    mean: float


@dataclass(frozen=True)
class JudgedPicture:
    """One picture.

    faces: as found, the largest first.
    chosen: which of them was compared; None if there is none.
    scores: one for each recogniser; none without a face.
    """

    faces: tuple[Face, ...]
    chosen: int | None
    scores: tuple[Score, ...]


def recognise_photos(
    analyser: FaceAnalyser,
    recognisers: Sequence[Recogniser],
    photos: Sequence[np.ndarray],
    *,
    order: str = LARGE_TO_SMALL,
    index: int = 0,
    threshold: float = 0.5,
) -> list[np.ndarray]:
    """The person's vectors by each recogniser, (photos, size) each.

    photos: uint8 RGB (H, W, 3).  order, index: which face of a photo is the person, as for ID Embedding.
    Raises NoFaceError for a photo without a face or with too few for ``index``.
    """
    pairs = []
    for number, photo in enumerate(photos, start=1):
        name = f"{photo_name(photo, number, len(photos))} of the person"
        pixels = photo[..., ::-1]  # RGB -> BGR
        faces = detect_faces(analyser, pixels, name, order=order, threshold=threshold)
        pairs.append((photo, require_face(faces, index, name, threshold).points))
    crops = align_all(pairs)
    return [recogniser.embed(crops) for recogniser in recognisers]


def judge_pictures(
    analyser: FaceAnalyser,
    recognisers: Sequence[Recogniser],
    pictures: Sequence[np.ndarray],
    references: Callable[[int], Sequence[np.ndarray]],
    *,
    which: str = LARGEST,
    threshold: float = 0.5,
    on_picture: Callable[[int], None] = lambda done: None,
) -> list[JudgedPicture]:
    """Compare one face of each picture with a person.

    pictures: uint8 RGB (H, W, 3).
    references: for the picture of a number, the person's vectors by each recogniser, (m, size) each.
    which: one of :data:`WHICH_FACE`; ``most alike`` asks the first recogniser.
    on_picture: called before each picture and after the last with how many are done; what it raises ends the work.
    """
    judged = []
    for number, picture in enumerate(pictures):
        on_picture(number)
        found = analyser.detect(picture[..., ::-1], threshold=threshold).faces  # RGB -> BGR
        faces = tuple(sorted(found, key=FACE_ORDERS[LARGE_TO_SMALL]))
        judged.append(_judge(picture, faces, recognisers, references(number), which))
    on_picture(len(pictures))
    return judged


def _judge(
    picture: np.ndarray,
    faces: tuple[Face, ...],
    recognisers: Sequence[Recogniser],
    reference: Sequence[np.ndarray],
    which: str,
) -> JudgedPicture:
    compared = faces if which == MOST_ALIKE else faces[:1]
    if not compared:
        return JudgedPicture(faces, None, ())
    crops = align_all([(picture, face.points) for face in compared])
    by_recogniser = [
        best_and_mean(likeness(recogniser.embed(crops), vectors))
        for recogniser, vectors in zip(recognisers, reference, strict=True)
    ]
    chosen = int(np.argmax(by_recogniser[0][0]))
    scores = tuple(Score(float(best[chosen]), float(mean[chosen])) for best, mean in by_recogniser)
    return JudgedPicture(faces, chosen, scores)
