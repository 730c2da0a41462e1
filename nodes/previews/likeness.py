"""What the interface shows of likeness: pictures with their faces and scores, and the scale under them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...consistentid_core.evaluation.judging import JudgedPicture
from ...consistentid_core.evaluation.metrics.null_levels import SAME_PERSON
from ...consistentid_core.evaluation.wording import RecogniserReport
from . import temp_pictures
from .faces import face_entries

UI_KEY = "consistentid_likeness"
SCALE_KEY = "consistentid_likeness_scale"

#: Of a larger batch only the first pictures are shown, and the scores of all.
MAX_PICTURES = 16


def likeness_ui(
    pictures: Sequence[np.ndarray],
    judged: Sequence[JudgedPicture],
    scores: Sequence[float],
    reports: Sequence[RecogniserReport],
) -> dict[str, list[dict[str, Any]]]:
    """Write the previews; returns the ``ui`` part of a node's result.

    pictures: uint8 RGB (H, W, 3).  judged, scores: of each.  reports: of each recogniser, the judge first.
    Under :data:`UI_KEY` one entry per picture shown, as of photos with faces, with ``score`` (what stands for the
    picture) and ``scores`` (of each recogniser: ``best``, ``mean``; empty without a face).
    Under :data:`SCALE_KEY` one entry: ``scores`` of all pictures, and ``recognisers``, each with ``name``,
    ``flatters`` and ``levels``: ``kind`` (same, other), ``typical``, ``low``, ``high``, ``pairs``,
    ``source``.
    """
    shown = list(zip(pictures, judged, scores, strict=True))[:MAX_PICTURES]
    entries = [
        {
            **temp_pictures.photo_entry(picture, temp_pictures.shrunk(picture), index, len(pictures)),
            "chosen": one.chosen,
            "faces": face_entries(one.faces, picture),
            "score": round(score, 4),
            "scores": [{"best": round(given.best, 4), "mean": round(given.mean, 4)} for given in one.scores],
        }
        for index, (picture, one, score) in enumerate(shown)
    ]
    scale = {
        "scores": [round(score, 4) for score in scores],
        "recognisers": [_recogniser(one) for one in reports],
    }
    return {UI_KEY: entries, SCALE_KEY: [scale]}


def _recogniser(report: RecogniserReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "flatters": report.is_conditioner,
        "levels": [
            {
                "kind": "same" if level.name == SAME_PERSON else "other",
                "typical": round(level.typical, 4),
                "low": round(level.low, 4),
                "high": round(level.high, 4),
                "pairs": level.measured_pairs,
                "source": level.source,
            }
            for level in report.levels
        ],
    }
