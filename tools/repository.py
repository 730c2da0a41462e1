"""Ask git about this repository."""

import subprocess
from collections.abc import Container

from . import paths
from .console import CommandError


def git(*arguments: str, input: str = "", success: Container[int] = (0,)) -> str:
    """Run git in the repository's root and return its output; paths in it are UTF-8 on every system.

    success: the exit codes that are no failure.
    """
    command = ["git", "-C", str(paths.ROOT), *arguments]
    try:
        result = subprocess.run(command, input=input.encode(), capture_output=True)
    except FileNotFoundError:
        raise CommandError("git is needed to know what belongs to the pack, and is not there.") from None
    if result.returncode not in success:
        raise CommandError(f"git: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout.decode()
