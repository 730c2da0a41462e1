"""Writing the files of a set: whole or not at all, and a disk that takes no more ends the run in words."""

import errno
from pathlib import Path

from ..errors import ConsistentIDError
from ..files.atomic import is_unfinished, write_whole

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StorageError(ConsistentIDError):
    """The place the data goes to cannot take any more; nothing that was written before is damaged."""


def write(path: Path, data: bytes) -> None:
    """Write a file, in place of one of that name; its folder is made.

    Raises StorageError if the disk is full or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise _worded(error, path) from error


def clear_unfinished(root: Path) -> None:
    """Remove what killed runs left half-written below a folder."""
    for path in root.rglob(".*") if root.is_dir() else ():
        if is_unfinished(path):
            path.unlink(missing_ok=True)


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
