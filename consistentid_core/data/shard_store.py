"""A set as shards: a WebDataset tar with pictures and captions, and a Parquet table beside it.

    shards/<name>.tar       <id>.png|jpg, <id>.label.png, <id>.json, <id>.id.npy
    shards/<name>.parquet   a row per portrait: what selects portraits without opening a tar
    index.json              the shards there are: name, rows, bytes, sha256

A shard counts once the index lists it, and the index is written last. A tar or table it does not list
was left by a run that was ended, and is cleared at the next start.
"""

import hashlib
import io
import json
import tarfile
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..errors import CheckpointError, MissingDependencyError
from . import storage
from .portrait import Portrait, from_encoded, label_map_from_encoded
from .rows import Row

FOLDER, INDEX = "shards", "index.json"
VERSION = 1

#: Columns of the table, with the JSON beside the pictures: all of a row that is no picture.
_COLUMNS = (
    "content_id", "name", "size", "time", "width", "height", "parts", "faces", "face_height", "caption",
    "face_caption", "notes", "suffix",
)  # fmt: skip


#: What a tar holds of a portrait, by the end of the name; the picture ends as its format does.
_FILES = ("picture", "label.png", "json", "id.npy")


class ShardStore:
    """Writes portraits as shards below a folder, and knows which are there."""

    kind = "shards"

    def __init__(self, root: Path):
        self.root = root

    def done(self) -> dict[str, dict[str, Any]]:
        """The rows of the tables of all whole shards, by content; what is not whole is removed."""
        return {row["content_id"]: row for _, content in self._whole() for row in content["rows"]}

    def _whole(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and table of each whole shard, those of a killed run too; what is not whole is removed on the way."""
        for table in sorted((self.root / FOLDER).glob("*.parquet")):
            tar = table.with_suffix(".tar")
            content = _read_table(table) if tar.is_file() else None
            if content is None or content["bytes"] != tar.stat().st_size:
                table.unlink()
                tar.unlink(missing_ok=True)
                continue
            yield tar.name, content
        for tar in (self.root / FOLDER).glob("*.tar"):
            if not tar.with_suffix(".parquet").is_file():
                tar.unlink()

    def store(self, rows: list[Row]) -> None:
        """Write one shard of the rows without a reason; nothing if there is none.

        Raises StorageError if the disk takes no more, MissingDependencyError without pyarrow.
        """
        good = [row for row in rows if not row["reason"]]
        if not good:
            return
        name = hashlib.blake2b("".join(sorted(row["content_id"] for row in good)).encode(), digest_size=8)
        path = self.root / FOLDER / f"{name.hexdigest()}.tar"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for row in good:
                for suffix, data in _files(row):
                    info = tarfile.TarInfo(f"{row['content_id']}.{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        data = buffer.getvalue()
        storage.write(path, data)
        storage.write(path.with_suffix(".parquet"), _table(good, data))

    def finish(self) -> int:
        """Write the index of all whole shards; returns how many portraits they hold."""
        shards = [
            {
                "name": name,
                "rows": len(content["rows"]),
                "bytes": content["bytes"],
                "sha256": content["sha256"],
            }
            for name, content in self._whole()
        ]
        index = {"version": VERSION, "shards": shards}
        storage.write(self.root / INDEX, json.dumps(index, indent=1).encode())
        return sum(shard["rows"] for shard in shards)


class ShardPortraits:
    """The portraits of the shards an index lists, by number and in any order.

    Nothing of a set is in memory but where each portrait lies, 64 bytes of it. A shard's headers are gone through the
    first time a portrait of it is wanted; after that a portrait is one read of its own bytes.
    """

    def __init__(self, root: Path):
        self.root = root
        self.shards = read_index(root)
        self._ends = list(accumulate(shard["rows"] for shard in self.shards))
        self._places: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Portrait:
        if not 0 <= index < len(self):
            raise IndexError(f"The set has {len(self)} portraits; there is no number {index}.")
        shard = bisect_right(self._ends, index)
        row = index - (self._ends[shard - 1] if shard else 0)
        if shard not in self._places:
            self._places[shard] = self._list_places(shard)
        try:
            return _portrait(_read_files(self._path(shard), self._places[shard][row]))
        except (
            OSError,
            ValueError,
            KeyError,
            SyntaxError,
        ) as error:  # PIL takes a broken PNG for a syntax error
            raise CheckpointError(
                f"Portrait {row + 1} of shard '{self.shards[shard]['name']}' cannot be read: {str(error)[:200]}. Copy "
                "the set again, or run the build again."
            ) from error

    def _path(self, shard: int) -> Path:
        return self.root / FOLDER / self.shards[shard]["name"]

    def _list_places(self, shard: int) -> np.ndarray:
        """Offset and size of the files of each portrait of a shard, (rows, 4, 2), in the order of :data:`_FILES`."""
        portraits: dict[str, np.ndarray] = {}
        try:
            with tarfile.open(self._path(shard)) as tar:
                for member in tar:
                    key, _, suffix = member.name.partition(".")
                    places = portraits.setdefault(key, np.zeros((len(_FILES), 2), np.int64))
                    places[_FILES.index(suffix) if suffix in _FILES else 0] = member.offset_data, member.size
        except (OSError, tarfile.TarError) as error:
            raise CheckpointError(
                f"Shard '{self.shards[shard]['name']}' cannot be read: {str(error)[:200]}. Copy the set again, or run "
                "the build again."
            ) from error
        if len(portraits) != self.shards[shard]["rows"]:
            raise CheckpointError(
                f"Shard '{self.shards[shard]['name']}' holds {len(portraits)} portraits, its index says "
                f"{self.shards[shard]['rows']}. Copy the set again, or run the build again."
            )
        return np.stack(list(portraits.values()))


def read_index(root: Path) -> list[dict[str, Any]]:
    """The shards of a set: name, rows, bytes and sha256 each.

    Raises CheckpointError if the index is missing or damaged, or a shard it lists is not there whole.
    """
    path = root / INDEX
    try:
        index = json.loads(path.read_text("utf-8"))
        shards = [
            {key: shard[key] for key in ("name", "rows", "bytes", "sha256")} for shard in index["shards"]
        ]
        if index["version"] != VERSION:
            raise ValueError(f"its version is {index['version']}, this pack reads {VERSION}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"'{path}' is no index of shards: {str(error)[:200]}. Run the build again; it writes the index last."
        ) from error
    for shard in shards:
        # A set may come from anywhere; its shards lie in its own folder.
        shard["name"] = PurePath(str(shard["name"])).name
        tar = root / FOLDER / shard["name"]
        found = tar.stat().st_size if tar.is_file() else None
        if found != shard["bytes"]:
            raise CheckpointError(
                f"Shard '{shard['name']}' has {'no file' if found is None else f'{found:,} bytes'}, the index says "
                f"{shard['bytes']:,}. Copy the set again, or run the build again."
            )
    return shards


def iterate_rows(root: Path) -> Iterator[dict[str, Any]]:
    """The table rows of all shards an index lists."""
    for shard in read_index(root):
        content = _read_table((root / FOLDER / shard["name"]).with_suffix(".parquet"))
        if content is not None:
            yield from content["rows"]


def _files(row: Row) -> Iterator[tuple[str, bytes]]:
    yield row["suffix"].lstrip("."), row["data"]
    yield "label.png", row["label_map"]
    yield "json", json.dumps(_described(row), ensure_ascii=False).encode()
    vectors = [np.frombuffer(data, np.float32) for data in (row["id_original"], row["id_resized"])]
    stacked = np.stack([vector if len(vector) else np.zeros(512, np.float32) for vector in vectors])
    buffer = io.BytesIO()
    np.save(buffer, stacked)
    yield "id.npy", buffer.getvalue()


def _described(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in _COLUMNS}


def _read_files(path: Path, places: np.ndarray) -> dict[str, bytes]:
    """The files of one portrait, by :data:`_FILES`; they follow each other in the tar."""
    start, stop = int(places[:, 0].min()), int(places.sum(1).max())
    data = _read_span(path, start, stop)
    return {
        name: data[offset - start : offset - start + size]
        for name, (offset, size) in zip(_FILES, places.tolist(), strict=True)
    }


def _read_span(path: Path, start: int, stop: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(stop - start)


def _portrait(files: dict[str, bytes]) -> Portrait:
    described = json.loads(files["json"])
    original, resized = np.load(io.BytesIO(files["id.npy"]), allow_pickle=False)
    return Portrait(
        key=described["content_id"],
        picture=from_encoded(files["picture"]),
        label_map=label_map_from_encoded(files["label.png"]),
        general_caption=described["caption"],
        face_caption=described["face_caption"],
        id_original=original if original.any() else None,
        id_resized=resized if resized.any() else None,
    )


def _table(rows: list[Row], tar: bytes) -> bytes:
    pyarrow, parquet = _pyarrow()
    described = [_described(row) for row in rows]
    columns = {name: [one[name] for one in described] for name in _COLUMNS}
    table = pyarrow.table(columns).replace_schema_metadata(
        {"bytes": str(len(tar)), "sha256": hashlib.sha256(tar).hexdigest(), "version": str(VERSION)}
    )
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def _read_table(path: Path) -> dict[str, Any] | None:
    """rows, bytes and sha256 of the tar they belong to; None if it is no table of a shard."""
    pyarrow, parquet = _pyarrow()
    try:
        table = parquet.read_table(path)
        metadata = table.schema.metadata or {}
        return {
            "rows": table.to_pylist(),
            "bytes": int(metadata[b"bytes"]),
            "sha256": metadata[b"sha256"].decode(),
        }
    except (OSError, KeyError, ValueError, pyarrow.ArrowException):
        return None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError(
            f"Shards need the package pyarrow: {error}. Install the extra [data] of this pack, or build with "
            "--form folder."
        ) from error
    return pyarrow, pyarrow.parquet
