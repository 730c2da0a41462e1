"""Writing files in one step: a reader finds all of a file or nothing, and two writers never share a name.

Folders whose files belong together as well: all of them are there, or none.
"""

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

#: Names of files that are being written; no program shows hidden ones in a list.
_UNFINISHED = re.compile(r"\.(?:.+_)?[0-9a-f]{32}\.tmp")
#: After this many seconds without a change, whoever wrote such a file is gone.
_ABANDONED = 3600


def write_whole(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write a file, in place of one of that name.

    lasting: wait until it is on its disk, so that it outlives a loss of power.
    """
    with _unfinished(path.parent, data, lasting) as unfinished:
        os.replace(unfinished, path)


def copy_whole(source: Path, path: Path) -> None:
    """Write a copy of a file, in place of one of that name, and wait until it is on its disk."""
    unfinished = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        shutil.copyfile(source, unfinished)
        with unfinished.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_numbered(
    data: bytes,
    folder: Path,
    name: str,
    extension: str,
    number: int = 1,
    *,
    is_taken: Callable[[str], bool] = lambda file: False,
) -> Path:
    """Write ``<name>_<number>_<extension>`` and return its path; the folder is made.

    number: where to start; an existing file is never replaced, the next free number is taken.
    is_taken: whether a file name cannot be used for another reason.
    What killed writers left in the folder is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clear_abandoned(folder)
    with _unfinished(folder, data, lasting=True) as unfinished:
        while True:
            path = folder / f"{name}_{number:05}_{extension}"
            if not is_taken(path.name) and _publish(unfinished, path):
                return path
            number += 1


def move_into_place(unfinished: Path, path: Path) -> None:
    """Give a file written bit by bit its name, in place of one of that name; it then outlives a loss of power."""
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)


@contextmanager
def whole_folder(final: Path) -> Iterator[Path]:
    """A folder to fill, that appears as ``final`` at the end of the block, on the disk itself with all its files.

    If the block fails there is none; an older folder of the name then stays, and is replaced otherwise.
    What killed writers left beside it is removed: one process at a time may write such folders in one place.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    for left in final.parent.glob(".*.tmp"):
        if left.is_dir() and is_unfinished(left):
            shutil.rmtree(left, ignore_errors=True)
    unfinished = final.with_name(f".{final.name}_{uuid.uuid4().hex}.tmp")
    try:
        unfinished.mkdir()
        yield unfinished
        for path in (*unfinished.iterdir(), unfinished):
            _sync(path)
        if final.exists():
            shutil.rmtree(final)
        unfinished.rename(final)
        _sync(final.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def clear_abandoned(folder: Path) -> None:
    """Remove the files that killed writers left in a folder; those of writers at work are younger."""
    for path in folder.glob(".*.tmp"):
        try:
            if is_unfinished(path) and path.is_file() and path.stat().st_mtime < time.time() - _ABANDONED:
                path.unlink()
        except OSError:  # somebody else's, or gone already
            continue


def is_unfinished(path: Path) -> bool:
    """Whether a file or folder is one that is being written, or was left by a writer that was killed."""
    return _UNFINISHED.fullmatch(path.name) is not None


@contextmanager
def _unfinished(folder: Path, data: bytes, lasting: bool) -> Iterator[Path]:
    """The data in a file with a hidden name; gone at the end, if it was not moved."""
    path = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        with path.open("xb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have a file or folder written to the disk itself; folders cannot be on Windows."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(unfinished: Path, path: Path) -> bool:
    """Give a finished file its name; False if the name is taken."""
    try:
        os.link(unfinished, path)  # unlike a move, this cannot replace a file
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        return _publish_reserved(unfinished, path)
    return True


def _publish_reserved(unfinished: Path, path: Path) -> bool:
    """The same by a move. Who makes the reservation first is alone between looking for the name and taking it."""
    reservation = path.with_name(f".{blake2b(path.name.encode(), digest_size=16).hexdigest()}.tmp")
    try:
        os.close(os.open(reservation, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    try:
        if path.exists():
            return False
        os.replace(unfinished, path)
        return True
    finally:
        reservation.unlink(missing_ok=True)
