"""The report of a result: one HTML file to open from disk, CSV for tables, and the JSON itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data import storage
from ..result import FILE as RESULT
from ..result import plain, write_result
from . import page, tables

PAGE, METRICS, PICTURES = "report.html", "metrics.csv", "pictures.csv"


def write_report(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write the report of a result into a folder; returns the path of the page.

    Raises StorageError if the disk takes no more.
    """
    result = plain(result)
    storage.write(folder / PAGE, page.render(result).encode())
    storage.write(folder / METRICS, tables.metrics_csv(result).encode())
    storage.write(folder / PICTURES, tables.pictures_csv(result).encode())
    if not (folder / RESULT).is_file():
        write_result(folder / RESULT, dict(result))
    return folder / PAGE
