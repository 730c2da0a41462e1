"""Writing files so that a reader finds all of a file or nothing, and a full disk ends the run in words."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import ConsistentIDError

#: What an unfinished file's name begins with; such files are nobody's and are cleared at the next start.
UNFINISHED = ".unfinished-"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StorageError(ConsistentIDError):
    """The place the data goes to cannot take any more; nothing that was written before is damaged."""


def write(path: Path, data: bytes | Iterable[bytes]) -> int:
    """Write a file in one step, replacing one of that name; returns its bytes.

    Raises StorageError if the disk is full or the folder cannot be written to.
    """
    chunks = (data,) if isinstance(data, bytes) else data
    temporary = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name[-100:]}")
    size = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            for chunk in chunks:
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _worded(error, path) from error
    return size


def clear_unfinished(root: Path) -> int:
    """Remove what killed runs left half-written below a folder; returns how many files."""
    left = list(root.rglob(f"{UNFINISHED}*")) if root.is_dir() else []
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _worded(error: OSError, path: Path) -> StorageError:
    if error.errno in _FULL:
        return StorageError(
            f"The disk is full: '{path}' could not be written ({error.strerror}). Make room and run the same command "
            "again; it goes on where it stopped."
        )
    return StorageError(
        f"'{path}' could not be written: {error.strerror}. See to the folder's permissions, then run the same command "
        "again; it goes on where it stopped."
    )
