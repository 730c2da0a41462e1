"""In-process tests against the pinned ComfyUI, on the CPU, with small weights."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI")

if not (HOST / "comfy").is_dir():
    raise pytest.UsageError(f"No ComfyUI at {HOST}. Run `python tools/test.py`, or set COMFYUI_PATH.")

sys.path.insert(0, str(HOST))
_argv, sys.argv = sys.argv, ["main.py", "--cpu", "--disable-xformers", "--use-pytorch-cross-attention"]
import comfy.options

comfy.options.enable_args_parsing()
import comfy.cli_args

# Before the host's nodes.py puts its folder comfy/ first on the path, where `utils` is a file.
import utils.install_util  # noqa: F401

sys.argv = _argv


def _load_pack():
    """Load the repository the way ComfyUI loads a custom node: by path, under another name."""
    spec = importlib.util.spec_from_file_location(
        "consistentid_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


_load_pack()


@pytest.fixture(autouse=True)
def inference_mode():
    """ComfyUI runs every node under inference mode."""
    import torch

    with torch.inference_mode():
        yield


@pytest.fixture
def outside_inference_mode(inference_mode):
    """For tests of training, which needs gradients."""
    import torch

    with torch.inference_mode(False):
        yield


@pytest.fixture
def unet():
    """The small golden UNet of SD1.5, new for each test."""
    from golden_host import small_unet

    return small_unet("sd15")


@pytest.fixture(scope="module")
def vision():
    """The golden CLIP vision, one for all tests of a file."""
    from golden_host import clip_vision

    return clip_vision()


@pytest.fixture
def temp_folder(tmp_path):
    """ComfyUI's folder for previews, empty."""
    import folder_paths

    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path))
    yield tmp_path
    folder_paths.set_temp_directory(before)


@pytest.fixture
def empty_folders(tmp_path, monkeypatch):
    """ComfyUI with models, output and temp folders of its own, all empty."""
    import folder_paths
    from consistentid_pack.nodes.host import folders

    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path / "models"))
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path / "temp"))
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {})
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    folders.register()
    return tmp_path
