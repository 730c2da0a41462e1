"""Build the archive a user installs: consistentid-<version>.zip, with one folder in it.

    python tools/pack.py                    into dist/
    python tools/pack.py --output ~/Downloads --allow-dirty
    python tools/pack.py --release 0.1.0    only if it may be published as it is

Needs git and Python 3.10 or newer, nothing else. In it is what git tracks, less what .comfyignore
names, which is what the node registry hands out too. Equal files make an equal archive.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import paths
from tools.console import CommandError, run_command, say
from tools.repository import git

#: Written for every file, since what a file holds is all that counts: the earliest date a zip can hold.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX, _READABLE_FILE = 3, 0o100644
_SHOWN_CHANGES = 5

#: A name that is kept free for examples stands for an address that is not known yet.
_PLACEHOLDER = r"(?:https?://|[\w.+-]+@)example\.org[^\s\"'`<>)\]]*"

_NOTHING_IGNORED = 1  # exit code of git check-ignore


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=paths.DIST, help="folder for the archive")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="pack the files as they are, changes and new ones too"
    )
    parser.add_argument(
        "--release",
        nargs="?",
        const="",
        metavar="VERSION",
        help="refuse what must not be published: addresses that are made up, a version without its changes, "
        "or another one than named",
    )
    options = parser.parse_args()
    if options.release is not None and (left := list(find_unfinished(options.release))):
        raise CommandError("Not ready to be published:" + "".join(f"\n  {line}" for line in left))
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
    if git("rev-parse", "--show-cdup") != "\n":
        raise CommandError(
            f"{paths.ROOT} is not the root of a git repository, so it is unknown what to pack."
        )
    changes = git("status", "--porcelain").splitlines()
    if changes and not allow_dirty:
        more = f" and {len(changes) - _SHOWN_CHANGES} more" if len(changes) > _SHOWN_CHANGES else ""
        shown = ", ".join(change[3:] for change in changes[:_SHOWN_CHANGES])
        raise CommandError(f"Uncommitted changes: {shown}{more}. Commit them, or use --allow-dirty.")
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    unneeded = git(
        *("-c", f"core.excludesFile={paths.ROOT / '.comfyignore'}"),
        *("check-ignore", "--no-index", "--stdin", "-z"),
        input=listed,
        success=(0, _NOTHING_IGNORED),
    )
    names = set(listed.split("\0")) - set(unneeded.split("\0"))
    return sorted(name for name in names if (paths.ROOT / name).is_file())  # without the deleted ones


def find_unfinished(version: str = "") -> Iterator[str]:
    """What has to be put right by hand before a release, one line each.

    version: what is to be released; whatever pyproject.toml says if it is empty.
    """
    if version not in ("", project("version")):
        yield f"pyproject.toml is of version {project('version')}, not {version}."
    for name in _published():
        try:
            lines = (paths.ROOT / name).read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        for number, line in enumerate(lines, 1):
            for address in re.findall(_PLACEHOLDER, line):
                yield f"{name}, line {number}: {address} is a placeholder for the project's own address."
    changes = (paths.ROOT / "CHANGELOG.md").read_text("utf-8")
    if not re.search(rf"^## {re.escape(project('version'))}\b", changes, re.MULTILINE):
        yield f"CHANGELOG.md has no section for version {project('version')}."


def _published() -> list[str]:
    """The archive's files, and those that only the repository's own page shows."""
    listed = git("ls-files", "-z", "--", ".github").split("\0")
    return [*tracked_files(allow_dirty=True), *(name for name in listed if (paths.ROOT / name).is_file())]


def project(key: str) -> str:
    """A text of pyproject.toml's first section; Python 3.10 has no reader for the format."""
    section = (paths.ROOT / "pyproject.toml").read_text("utf-8").split("[project]")[1].split("\n[")[0]
    match = re.search(rf'^{key} = "(.+)"$', section, re.MULTILINE)
    if match is None:
        raise CommandError(f"pyproject.toml has no {key} in its section [project].")
    return match[1]


if __name__ == "__main__":
    run_command(main)
