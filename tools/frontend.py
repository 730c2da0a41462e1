"""Fetch the newest interface of ComfyUI: the tests in tests/web use it beside the one that the host comes with.

The wheel of the PyPI package comfyui-frontend-package holds it, so pip alone gets it by version and checksum.
"""

import hashlib
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from . import paths
from .console import CommandError, step
from .locking import make_once
from .pip import run_pip

VERSION = "1.58.1"
_PACKAGE = "comfyui-frontend-package"
_ARCHIVE = f"comfyui_frontend_package-{VERSION}-py3-none-any.whl"
_SHA256 = "37912597537a731a8f421179618a736c24184c5bdbfa327f38b2fb7c291852d9"
_STATIC = PurePosixPath("comfyui_frontend_package", "static")

#: For the server's ``--front-end-root``.
FOLDER = paths.HOST / f"frontend-{VERSION}"


def prepare(python: Path) -> Path:
    """Download and unpack it with the pip of the given Python, unless that is done; returns FOLDER."""
    return make_once(FOLDER, lambda unfinished: _fetch(python, unfinished))


def _fetch(python: Path, unfinished: Path) -> None:
    downloads = paths.HOST / "download"
    archive = downloads / _ARCHIVE
    if not archive.is_file() or _sha256(archive) != _SHA256:
        with step(f"Downloading ComfyUI's interface {VERSION} (29 MB, a few seconds)"):
            arguments = ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(downloads)]
            arguments.append(f"{_PACKAGE}=={VERSION}")
            run_pip(python, arguments, log=paths.LOGS / "download-frontend.log", watch=downloads)
    found = _sha256(archive)
    if found != _SHA256:
        raise CommandError(f"{archive} has sha256 {found}, expected {_SHA256}. Delete it and try again.")
    _unpack(archive, unfinished)


def _unpack(archive: Path, target: Path) -> None:
    """Unpack what the server hands out; the source maps, two thirds of it, are for debugging."""
    with zipfile.ZipFile(archive) as wheel:
        for name in wheel.namelist():
            path = PurePosixPath(name)
            if not path.is_relative_to(_STATIC) or path.suffix == ".map" or name.endswith("/"):
                continue
            file = target / path.relative_to(_STATIC)
            file.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(name) as source, open(file, "wb") as output:
                shutil.copyfileobj(source, output)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
