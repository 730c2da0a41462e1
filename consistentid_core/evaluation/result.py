"""The result of scoring as JSON: its form, written and read (docs/evaluation.md has it key by key)."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..data import storage
from ..errors import EvaluationError
from ..files.quoting import quoted
from .intervals import Estimate

FILE = "scores.json"
FORMAT = "consistentid-evaluation"
#: Rises when a key changes its meaning or goes; new keys alone do not raise it.
VERSION = 1

#: What every result has.
KEYS = (
    "format",
    "version",
    "name",
    "made",
    "settings",
    "networks",
    "counts",
    "metrics",
    "not_computed",
    "per_person",
    "per_category",
    "per_part",
    "pictures",
    "problems",
    "warnings",
)

Result = dict[str, Any]


def write_result(path: Path, result: Result) -> None:
    """Write a result. Raises StorageError if the disk takes no more."""
    storage.write(path, json.dumps(plain(result), ensure_ascii=False, indent=1, allow_nan=False).encode())


def read_result(path: Path) -> Result:
    """The result in a file, or in the folder it was written to.

    Raises EvaluationError for what is no result of this version.
    """
    path = path / FILE if path.is_dir() else path
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EvaluationError(
            f"'{path}' cannot be read: {error.strerror}. Score the pictures first: "
            "python -m consistentid_core.evaluation score"
        ) from error
    except ValueError as error:
        raise EvaluationError(f"'{path}' is no JSON: {quoted(error)}. Score the pictures again.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise EvaluationError(f"'{path}' is no result of scoring. Name {FILE} of a run, or its folder.")
    if content.get("version") != VERSION:
        raise EvaluationError(
            f"'{path}' has version {quoted(content.get('version'))}, this program reads {VERSION}. Score again."
        )
    if missing := [key for key in KEYS if key not in content]:
        raise EvaluationError(f"'{path}' lacks {', '.join(missing)}. Score the pictures again.")
    return content


def estimate_to_json(found: Estimate) -> dict[str, Any]:
    return asdict(found)


def metric_of(result: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """The metric of that key; None if it was not computed."""
    return next((metric for metric in result["metrics"] if metric["key"] == key), None)


def plain(value: Any) -> Any:
    """As it stands in a file: numbers that are none become null, which every reader of JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if hasattr(value, "item"):
        return plain(value.item())
    return value
