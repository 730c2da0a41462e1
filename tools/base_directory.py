"""A ComfyUI base directory with the pack installed in it, as a user would have it."""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import paths

#: The name a user's clone has under custom_nodes.
PACK_NAME = "consistentid"


@dataclass(frozen=True)
class BaseDirectory:
    """``custom_nodes``, ``input``, ``output`` and ``temp`` of one server, and where its models are."""

    folder: Path
    model_paths: Path  # the file for --extra-model-paths-config
    pack: Path  # the pack's folder below custom_nodes

    @property
    def input(self) -> Path:
        return self.folder / "input"

    @property
    def output(self) -> Path:
        return self.folder / "output"


@contextmanager
def base_directory(
    models: Mapping[str, Sequence[Path]], *, archive: Path | None = None, pack_name: str = PACK_NAME
) -> Iterator[BaseDirectory]:
    """Make a base directory and delete it afterwards.

    models: the folders that hold the models of each type, by ComfyUI's folder name.
    archive: unpack the pack from an archive of ``tools/pack.py``; otherwise this repository is linked.
    pack_name: the name of its folder below custom_nodes.
    """
    paths.RUNS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=paths.RUNS))
    try:
        for name in ("custom_nodes", "input", "models", "output", "temp", "user"):
            (folder / name).mkdir()
        pack = folder / "custom_nodes" / pack_name
        if archive is None:
            _link_or_copy(paths.ROOT, pack)
        else:
            unpack(archive, pack)
        base = BaseDirectory(folder, folder / "extra_model_paths.yaml", pack)
        base.model_paths.write_text(_model_paths(models), "utf-8")
        yield base
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # removes the link to the pack, not what it points to


def unpack(archive: Path, pack: Path) -> None:
    """Unpack an archive of ``tools/pack.py`` and give the one folder in it the path ``pack``."""
    with tempfile.TemporaryDirectory(dir=pack.parent) as folder, zipfile.ZipFile(archive) as content:
        content.extractall(folder)
        (unpacked,) = Path(folder).iterdir()
        unpacked.rename(pack)


def _model_paths(models: Mapping[str, Sequence[Path]]) -> str:
    section = {name: "\n".join(str(folder) for folder in folders) for name, folders in models.items()}
    return json.dumps({"models": section})  # every JSON text is a YAML text


def _link_or_copy(source: Path, link: Path) -> None:
    """Link a folder; where links need rights the user lacks (Windows), copy what the pack needs."""
    try:
        os.symlink(source, link, target_is_directory=True)
    except OSError:
        unneeded = shutil.ignore_patterns(".*", "__pycache__", "output", "tests", "node_modules")
        shutil.copytree(source, link, ignore=unneeded)
