"""A lock between processes that the system releases even if the holder is killed."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .console import say

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[str]) -> bool:
        file.seek(0)  # a byte is locked, not the file
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made first unless it is there; by one process, and under its name only when it is whole.

    make: fills the folder it is given, or raises.
    """
    if not folder.is_dir():
        with exclusive(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():  # another run may just have done it
                unfinished = folder.with_name(folder.name + ".part")
                shutil.rmtree(unfinished, ignore_errors=True)
                make(unfinished)
                unfinished.rename(folder)
    return folder


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock at ``path``; if another process has it, say so and wait.

    Closing the file releases the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        if not _try_lock(file):
            say("Another run is preparing the same thing; waiting for it ...")
            while not _try_lock(file):
                time.sleep(1)
        yield
