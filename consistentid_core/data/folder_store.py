"""A set as folders and JSON, in the original's layout: for sets one looks into, and for its tools.

The record of a portrait is written last: what has none is not there.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from ..errors import CheckpointError
from ..faces.face_parts import find_parts
from ..faces.overlay import draw_overlay
from ..files.weights_file import read_weights
from . import storage
from .portrait import Portrait, from_encoded, label_map_from_encoded, to_png
from .records import ALL, JSON, Record, read_record, to_json
from .rows import Row


class FolderStore:
    """Writes portraits below a folder, and knows which are there."""

    kind = "folder"

    def __init__(self, root: Path):
        self.root = root

    def done(self) -> dict[str, Record]:
        """The records that are there, by content; damaged ones count as missing and are built again."""
        return {record.content_id: record for _, record in self.records() if record.content_id}

    def records(self) -> Iterator[tuple[Path, Record]]:
        """Every readable record with its file, by name."""
        for path in record_files(self.root):
            try:
                yield path, read_record(path)
            except Exception:  # said by the check of a set; here it only means that the portrait is not there
                continue

    def store(self, rows: list[Row]) -> None:
        """Write portraits; those of a row with a reason are left out.

        Raises StorageError if the disk takes no more.
        """
        for row in rows:
            if not row["reason"]:
                self._store(row)

    def _store(self, row: Row) -> None:
        name = file_name(row["name"], row["content_id"])
        record = Record(
            origin=f"{name}{row['suffix']}",
            resized=f"{name}_resize.png",
            label_map=f"{name}_mask.png",
            coloured=f"{name}_color.png",
            id_original=f"{name}_faceid.bin" if row["id_original"] else "",
            id_resized=f"{name}_resize_faceid.bin" if row["id_resized"] else "",
            caption=row["caption"],
            face_caption=row["face_caption"],
            content_id=row["content_id"],
            source=row["name"],
            source_size=row["size"],
            source_time=row["time"],
            parts=tuple(row["parts"]),
            faces=row["faces"],
            face_height=row["face_height"],
            notes=tuple(row["notes"]),
        )
        files = {"origin": row["data"], "resized": row["resized"], "label_map": row["label_map"]}
        files["coloured"] = _coloured(row["resized"], row["label_map"])
        for kind, vector in (("id_original", row["id_original"]), ("id_resized", row["id_resized"])):
            if vector:
                files[kind] = _vector_file(vector)
        for kind, data in files.items():
            storage.write(record.path(kind, self.root), data)
        storage.write(self.root / JSON / f"{name}.json", to_json(record).encode())

    def finish(self) -> int:
        """Write the list of all records, which the original's trainer reads; returns how many."""
        contents = [json.loads(to_json(record)) for _, record in self.records()]
        storage.write(self.root / ALL, json.dumps(contents, ensure_ascii=False, indent=1).encode())
        return len(contents)


class FolderPortraits:
    """The portraits of a folder, ours or the original's, by number."""

    def __init__(self, root: Path):
        self.root = root
        self._records = [record for _, record in FolderStore(root).records()]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Portrait:
        record = self._records[index]
        try:
            return load_portrait(record, self.root)
        except (OSError, ValueError, SyntaxError) as error:  # PIL takes a broken PNG for a syntax error
            raise CheckpointError(
                f"The portrait '{record.origin or record.source}' cannot be read: {str(error)[:200]}. The check of the "
                "set names all such portraits; build them again, or remove their records."
            ) from error


def load_portrait(record: Record, root: Path) -> Portrait:
    """What a record of a folder names.

    Raises ValueError or OSError for files that are missing or wrong.
    """
    vectors = [
        read_vector(record.path(kind, root)) if getattr(record, kind) else None
        for kind in ("id_original", "id_resized")
    ]
    return Portrait(
        key=record.content_id or record.origin,
        picture=from_encoded(record.path("origin", root).read_bytes()),
        label_map=label_map_from_encoded(record.path("label_map", root).read_bytes()),
        general_caption=record.caption,
        face_caption=record.face_caption,
        id_original=vectors[0],
        id_resized=vectors[1],
    )


def record_files(root: Path) -> list[Path]:
    """The files of records below a set's folder, by name; the original names some like pictures."""
    folder = root / JSON
    files = (path for path in folder.rglob("*") if not path.name.startswith(".")) if folder.is_dir() else ()
    return sorted(path for path in files if path.is_file())


def read_vector(path: Path) -> np.ndarray:
    """The face vector in a ``.bin`` file, (512,) float32; nothing but tensors is unpickled.

    Raises ValueError if it holds something else, CheckpointError if it cannot be read.
    """
    content = read_weights(path)
    if not isinstance(content, torch.Tensor) or content.numel() != 512 or not bool(content.isfinite().all()):
        found = (
            f"a tensor {tuple(content.shape)}"
            if isinstance(content, torch.Tensor)
            else type(content).__name__
        )
        raise ValueError(
            f"'{path.name}' holds {found}. Expected are 512 finite numbers: build this portrait again."
        )
    return content.detach().float().reshape(-1).numpy()


def file_name(name: str, content_id: str) -> str:
    """Where the files of a photo go, without extension: the photo's own place in its tree.

    The extension stays part of the name unless it is ``.png``, so that ``a.jpg`` and ``a.png`` do not share one.
    Parts of a name that some file systems refuse or cut are replaced by the content's hash.
    """
    path = PurePosixPath(name)
    stem = path.stem if path.suffix.lower() == ".png" else path.name.replace(".", "_")
    if len(stem.encode()) > 180 or stem != stem.strip(" .") or any(letter in stem for letter in '\\:*?"<>|'):
        stem = content_id
    return str(path.with_name(stem))


def _coloured(resized: bytes, label_map: bytes) -> bytes:
    return to_png(draw_overlay(from_encoded(resized), find_parts(label_map_from_encoded(label_map))))


def _vector_file(vector: bytes) -> bytes:
    """As the original stores it: a pickled tensor (1, 512)."""
    buffer = io.BytesIO()
    torch.save(torch.from_numpy(np.frombuffer(vector, np.float32).copy())[None], buffer)
    return buffer.getvalue()
