"""What networks said of pictures, kept by the content of both: no picture is shown to a network twice.

One SQLite file: it is whole whatever ends the process, and the 675 × 10 small results of a run are one file.
"""

import io
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from ..data.storage import StorageError
from ..errors import EvaluationError

_TABLE = "CREATE TABLE IF NOT EXISTS features (network TEXT, picture TEXT, value BLOB, PRIMARY KEY (network, picture))"


class FeatureStore:
    """Arrays by (network, picture); for use in a ``with`` statement."""

    def __init__(self, path: Path | None):
        """path: the file, made if it is not there; None keeps everything in memory.

        Raises EvaluationError if the file is no store.
        """
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = sqlite3.connect(path or ":memory:", timeout=60)
            self._file.execute(_TABLE)
        except sqlite3.DatabaseError as error:
            raise EvaluationError(
                f"'{path}' is no store of features ({error}). Delete it; what it held is computed again."
            ) from error

    def __enter__(self) -> "FeatureStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def known(self, network: str) -> set[str]:
        """The pictures of which a network's word is kept."""
        return {
            row[0] for row in self._file.execute("SELECT picture FROM features WHERE network=?", (network,))
        }

    def get(self, network: str, pictures: Iterable[str]) -> dict[str, np.ndarray]:
        """What is kept of these pictures; the others are left out."""
        wanted = set(pictures)
        rows = self._file.execute("SELECT picture, value FROM features WHERE network=?", (network,))
        try:
            return {
                picture: np.load(io.BytesIO(value), allow_pickle=False)
                for picture, value in rows
                if picture in wanted
            }
        except (ValueError, sqlite3.DatabaseError) as error:
            raise EvaluationError(
                f"'{self._path}' is damaged ({error}). Delete it; what it held is computed again."
            ) from error

    def put(self, network: str, values: Mapping[str, np.ndarray]) -> None:
        """Keep results; all of them or none. Raises StorageError if the disk takes no more."""
        rows = [(network, picture, _bytes(value)) for picture, value in values.items()]
        try:
            with self._file:
                self._file.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"'{self._path}' takes no more features: {error}. Make room and run the same command again; it goes on "
                "where it stopped."
            ) from error


def _bytes(value: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=False)
    return buffer.getvalue()
