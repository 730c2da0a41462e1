"""Build the archive a user installs: consistentid-<version>.zip, with one folder in it.

    python tools/pack.py                    into dist/
    python tools/pack.py --output ~/Downloads --allow-dirty

Needs git and Python 3.10 or newer, nothing else. In it is what git tracks, less what .comfyignore
names, which is what the node registry hands out too. Equal files make an equal archive.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import os
import re
import subprocess
import zipfile
from collections.abc import Container
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import paths
from tools.console import CommandError, run_command, say

#: Written for every file, since what a file holds is all that counts: the earliest date a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX, _READABLE_FILE = 3, 0o100644
_SHOWN_CHANGES = 5

_NOTHING_IGNORED = 1  # exit code of git check-ignore


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=paths.DIST, help="folder for the archive")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="pack the files as they are, changes and new ones too"
    )
    options = parser.parse_args()
    archive = build(options.output, allow_dirty=options.allow_dirty)
    with zipfile.ZipFile(archive) as content:
        files = content.infolist()
    unpacked = sum(file.file_size for file in files)
    say(
        f"{archive}: {archive.stat().st_size / 1e6:.2f} MB, "
        f"{len(files)} files of {unpacked / 1e6:.2f} MB in the folder {project('name')}"
    )
    return 0


def build(folder: Path, *, allow_dirty: bool = False) -> Path:
    """Write the archive into a folder and return its path.

    allow_dirty: take the files as they are now, new ones too, and not only what is committed.
    Raises CommandError for a tree with changes, or where git or the repository is missing.
    """
    names = tracked_files(allow_dirty=allow_dirty)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{project('name')}-{project('version')}.zip"
    unfinished = archive.with_name(archive.name + ".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as content:
        for name in names:
            entry = zipfile.ZipInfo(f"{project('name')}/{name}", _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = _UNIX, _READABLE_FILE << 16
            content.writestr(entry, (paths.ROOT / name).read_bytes())
    os.replace(unfinished, archive)
    return archive


def tracked_files(*, allow_dirty: bool) -> list[str]:
    """What goes into the archive: paths below the repository's root, with slashes, sorted."""
    if _git("rev-parse", "--show-cdup") != "\n":
        raise CommandError(
            f"{paths.ROOT} is not the root of a git repository, so it is unknown what to pack."
        )
    changes = _git("status", "--porcelain").splitlines()
    if changes and not allow_dirty:
        more = f" and {len(changes) - _SHOWN_CHANGES} more" if len(changes) > _SHOWN_CHANGES else ""
        shown = ", ".join(change[3:] for change in changes[:_SHOWN_CHANGES])
        raise CommandError(f"Uncommitted changes: {shown}{more}. Commit them, or use --allow-dirty.")
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    unneeded = _git(
        *("-c", f"core.excludesFile={paths.ROOT / '.comfyignore'}"),
        *("check-ignore", "--no-index", "--stdin", "-z"),
        input=listed,
        success=(0, _NOTHING_IGNORED),
    )
    names = set(listed.split("\0")) - set(unneeded.split("\0"))
    return sorted(name for name in names if (paths.ROOT / name).is_file())  # without the deleted ones


def project(key: str) -> str:
    """A text of pyproject.toml's first section; Python 3.10 has no reader for the format."""
    section = (paths.ROOT / "pyproject.toml").read_text("utf-8").split("[project]")[1].split("\n[")[0]
    match = re.search(rf'^{key} = "(.+)"$', section, re.MULTILINE)
    if match is None:
        raise CommandError(f"pyproject.toml has no {key} in its section [project].")
    return match[1]


def _git(*arguments: str, input: str = "", success: Container[int] = (0,)) -> str:
    """Run git in the repository's root and return its output; paths in it are UTF-8 on every system."""
    command = ["git", "-C", str(paths.ROOT), *arguments]
    try:
        result = subprocess.run(command, input=input.encode(), capture_output=True)
    except FileNotFoundError:
        raise CommandError(
            "git is needed to know which files belong to the pack, and is not there."
        ) from None
    if result.returncode not in success:
        raise CommandError(f"git: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout.decode()


if __name__ == "__main__":
    run_command(main)
