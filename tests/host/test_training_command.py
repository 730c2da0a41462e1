"""The training command: it starts ComfyUI without its server, reads the configuration and the data."""

import subprocess
import sys
from pathlib import Path

import folder_paths
import pytest
from consistentid_pack.nodes.training import command
from golden_training import host_models
from portrait_data import store_portraits

ROOT = Path(__file__).resolve().parents[2]
HOST = Path(folder_paths.__file__).resolve().parent


def start(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "consistentid_core.training", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


pytestmark = pytest.mark.usefixtures("outside_inference_mode")


@pytest.fixture
def data(tmp_path):
    store_portraits(tmp_path / "data", 4)
    return tmp_path / "data"


def test_it_starts_the_host_and_names_what_is_missing(tmp_path):
    result = start(tmp_path / "run.yaml", "--comfyui", HOST)
    assert result.returncode == 1
    assert f"No training configuration at '{tmp_path / 'run.yaml'}'" in result.stderr


def test_it_asks_for_the_folder_of_comfyui(tmp_path):
    result = start(tmp_path / "run.yaml", "--comfyui", tmp_path)
    assert result.returncode == 2
    assert f"no ComfyUI at '{tmp_path}'" in result.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("output: out", "does not set 'checkpoint'"),
        ("checkpoint: sd.safetensors\nclip_vision: clip.safetensors\ndata: data", "where no file is"),
    ],
)
def test_files_are_looked_for_before_anything_is_loaded(tmp_path, caplog, settings, message):
    path = tmp_path / "run.yaml"
    path.write_text(settings)
    assert command.main(path, dry_run=False) == 1
    assert message in caplog.text


def test_a_dry_run_reads_a_built_set(tmp_path, data, monkeypatch):
    (tmp_path / "model").touch()
    path = tmp_path / "run.yaml"
    path.write_text(
        "checkpoint: model\nclip_vision: model\ndata: data\noutput: out\nresolution: 64\nprecision: fp32\nrank: 2\n"
        "batch_size: 1\nema_decay: 0\nvalidation_samples: 0\n"
    )
    monkeypatch.setattr(command, "load_models", lambda config: host_models())
    assert command.main(path, dry_run=True) == 0
    page = (tmp_path / "out" / "dry_run" / "index.html").read_text()
    assert "4 portraits to train on" in page
