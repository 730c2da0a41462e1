"""The training command: it starts ComfyUI without its server, reads the configuration and the data."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import folder_paths
import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.data.reading import open_portraits
from consistentid_pack.consistentid_core.training.config import from_mapping
from consistentid_pack.consistentid_core.training.draws import seeded
from consistentid_pack.consistentid_core.training.modules import new_modules
from consistentid_pack.consistentid_core.training.state import read_groups, write_groups
from consistentid_pack.consistentid_core.training.trainer import split
from consistentid_pack.nodes.training import command, start_host
from consistentid_pack.nodes.training.draw import HostDrawing
from golden_host import small_unet
from golden_training import host_models
from PIL import Image
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


@pytest.mark.parametrize(
    ("available", "directml", "arguments"),
    [
        ((), False, ["--cpu"]), ((), True, ["--directml"]), (("cuda",), True, []), (("mps",), False, []),
        (("xpu",), False, []),
    ],
)  # fmt: skip
def test_a_card_of_any_maker_is_left_to_the_host(monkeypatch, available, directml, arguments):
    for name in ("cuda", "xpu", "mps"):
        found = SimpleNamespace(is_available=lambda name=name: name in available)
        monkeypatch.setattr(torch, name, found, raising=False)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: directml if name == "torch_directml" else found(name)
    )
    assert start_host.device_arguments() == arguments


def test_the_command_draws_with_the_unet_it_trains(tmp_path, data, monkeypatch):
    """The hooks of the run are away meanwhile: the picture is that of a UNet nothing was done to."""
    (tmp_path / "model").touch()
    settings = {
        "checkpoint": "model", "clip_vision": "model", "data": "data", "output": "out", "resolution": 64,
        "precision": "fp32", "rank": 2, "batch_size": 1, "ema_decay": 0, "validation_samples": 1, "steps": 1,
        "validate_every": 0, "sample_every": 1, "sample_count": 1, "sample_steps": 1, "sample_prompts": ["a person"],
        "start_from": "start.safetensors",
    }  # fmt: skip
    models = host_models()
    models._vae.decode = lambda latents: (
        latents.movedim(1, -1)[..., :3].repeat_interleave(8, 1).repeat_interleave(8, 2)
    )
    modules = new_modules(
        models.layers, models.base_weight, models.cross_attention_dim, seed=0, rank=2,
        facial_encoder={"width": 64, "depth": 1, "heads": 1, "hidden_dim": 64}, id_projection={"depth": 1, "heads": 1},
    )  # fmt: skip
    write_groups(tmp_path / "start.safetensors", modules.groups(), "sd15", {})
    (tmp_path / "run.yaml").write_text(json.dumps(settings))
    monkeypatch.setattr(command, "load_models", lambda config: models)
    assert command.main(tmp_path / "run.yaml", dry_run=False) == 0
    pictures = sorted((tmp_path / "out" / "pictures").glob("step-*/sample-1-1.png"))
    assert [path.parent.name for path in pictures] == ["step-00000000", "step-00000001"]
    state = tmp_path / "out" / "states" / "step-00000001" / "consistentid.safetensors"
    config = from_mapping({"sample_steps": 1, "resolution": 64})
    _, held_out = split(open_portraits(tmp_path / "data"), 1)
    again = HostDrawing(small_unet("sd15"), models._vae, models._clip, models._clip_vision, config)(
        read_groups(state), held_out[0], "a person", seed=seeded(0, "picture 0 0"), steps=1, size=64
    )
    shown = np.asarray(Image.open(pictures[1]))
    assert (shown == (again.clamp(0, 1) * 255).round().byte().numpy()).all()
