"""A result as CSV: one table of metrics, one of pictures."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_METRIC = ("key", "title", "network", "better", "statistic", "mean", "low", "high", "n", "missed")
_ZERO = ("mean_missed_as_zero", "low_missed_as_zero", "high_missed_as_zero")
_PICTURE = ("name", "person", "prompt", "category", "seed", "seconds", "phase", "faces", "file")


def metrics_csv(result: Mapping[str, Any]) -> str:
    rows = []
    for metric in result["metrics"]:
        found, zero = metric["found"], metric["as_zero"] or {}
        rows.append(
            [metric[key] for key in _METRIC[:5]]
            + [found["mean"], found["low"], found["high"], found["n"], metric["missed"]]
            + [zero.get(key) for key in ("mean", "low", "high")]
        )
    return _csv([*_METRIC, *_ZERO], rows)


def pictures_csv(result: Mapping[str, Any]) -> str:
    keys = list(dict.fromkeys(key for picture in result["pictures"] for key in picture["values"]))
    rows = (
        [picture[key] for key in _PICTURE] + [picture["values"].get(key) for key in keys]
        for picture in result["pictures"]
    )
    return _csv([*_PICTURE, *keys], rows)


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if value is None else value for value in row] for row in rows])
    return text.getvalue()
