"""What a run writes down about itself: tables that any program opens, and TensorBoard if it is wanted."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import MissingDependencyError


class Table:
    """A CSV file with one row per step, which goes on where a resumed run does."""

    def __init__(self, path: Path, columns: Sequence[str], *, step: int):
        """step: steps done; rows of later ones, from before an interruption, are dropped, as is half a row."""
        self._path, self._columns = path, ["step", *columns]
        rows = [row for row in _rows(path) if row.get("step", "").isdigit() and int(row["step"]) <= step]
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".unfinished")
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(unfinished, path)

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Append a row."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, extrasaction="ignore").writerow({"step": step, **values})


def require_tensorboard() -> None:
    """Raise MissingDependencyError if TensorBoard is wanted and not installed."""
    try:
        import tensorboard  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "The setting 'tensorboard' is on, but the package is not installed. Install it with pip install "
            "tensorboard, or switch the setting off: the same curves are in the CSV files of the run."
        ) from error


class Report:
    """The tables of a run, and TensorBoard beside them."""

    def __init__(
        self, folder: Path, tables: Mapping[str, Sequence[str]], *, step: int, tensorboard: bool = False
    ):
        """tables: columns by the table's name."""
        self._tables = {
            name: Table(folder / f"{name}.csv", columns, step=step) for name, columns in tables.items()
        }
        self._writer: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            # Steps that are trained a second time replace those of before the interruption.
            self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def add(self, table: str, step: int, values: Mapping[str, float]) -> None:
        """Write the values of a step down."""
        self._tables[table].add(step, values)
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{table}/{name}", value, step)

    def add_picture(self, name: str, step: int, path: Path) -> None:
        """Show a picture file in TensorBoard, if it is wanted."""
        if self._writer is not None:
            with Image.open(path) as picture:
                self._writer.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    def close(self) -> None:
        """Write out what TensorBoard still holds back."""
        if self._writer is not None:
            self._writer.close()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]
