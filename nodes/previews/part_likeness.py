"""What the interface shows of the likeness of parts: the crops of photo and picture, and a bar for each part."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...consistentid_core.evaluation.metrics.fgis import PartScores
from ...consistentid_core.regions import REGIONS
from . import temp_pictures

UI_KEY = "consistentid_part_likeness"

#: Of a larger batch only the first pictures are shown.
MAX_PICTURES = 16
_CROP_SIDE = 96


def part_likeness_ui(
    reference: Mapping[str, np.ndarray],
    results: Sequence[tuple[PartScores, Mapping[str, np.ndarray]]],
    encoder: str,
    crops: str,
) -> dict[str, list[dict[str, Any]]]:
    """Write the previews; returns the ``ui`` part of a node's result.

    reference: crops of the photo by region.  results: of each picture the scores and its crops.
    One entry per picture shown: ``index`` and ``total`` (its place in the batch), ``encoder``, ``crops``, ``mean``
    (None without a part), ``coverage``, and ``parts``, all regions in crop order: ``region``, ``label``, ``colour``
    (``#rrggbb``), ``score`` (None if not both show it), ``reference`` and ``picture`` (files, None if absent).
    """
    saved = {region: _saved(crop) for region, crop in reference.items()}
    return {
        UI_KEY: [
            {
                "index": index,
                "total": len(results),
                "encoder": encoder,
                "crops": crops,
                "mean": round(scores.mean, 4) if scores.scores else None,
                "coverage": round(scores.coverage, 4),
                "parts": [
                    {
                        "region": region.name,
                        "label": region.label,
                        "colour": "#{:02x}{:02x}{:02x}".format(*region.colour),
                        "score": _rounded(scores.scores.get(region.name)),
                        "reference": saved.get(region.name),
                        "picture": _saved(own[region.name]) if region.name in own else None,
                    }
                    for region in REGIONS
                ],
            }
            for index, (scores, own) in enumerate(results[:MAX_PICTURES])
        ]
    }


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _saved(crop: np.ndarray) -> dict[str, str]:
    small = Image.fromarray(crop)
    small.thumbnail((_CROP_SIDE, _CROP_SIDE), Image.Resampling.LANCZOS)
    return temp_pictures.save(temp_pictures.jpeg(np.asarray(small)), ".jpg")
