"""The figures of one model family on one device, kept as JSON beside the code; needs nothing but Python."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .rows import Row

FOLDER = Path(__file__).resolve().parent / "results"

#: In the order of the table's columns.
FAMILIES = {"sd15": "SD1.5", "sdxl": "SDXL"}
DEVICES = {"cpu": "CPU", "cuda": "GPU"}


def path_of(family: str, device: str, folder: Path = FOLDER) -> Path:
    return folder / f"{family}_{device}.json"


def add(
    family: str,
    device: str,
    group: str,
    conditions: Mapping[str, Any],
    rows: Mapping[str, Row],
    folder: Path = FOLDER,
) -> None:
    """Keep the rows of one group, in place of its old ones; other groups stay as they were measured."""
    path = path_of(family, device, folder)
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known[group] = {"conditions": dict(conditions), "rows": dict(rows)}
    folder.mkdir(exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def read_all(folder: Path = FOLDER) -> dict[tuple[str, str], dict[str, Any]]:
    """(family, device) -> group -> its conditions and rows, of everything that was measured."""
    files = {(family, device): path_of(family, device, folder) for device in DEVICES for family in FAMILIES}
    return {key: json.loads(path.read_text("utf-8")) for key, path in files.items() if path.exists()}
