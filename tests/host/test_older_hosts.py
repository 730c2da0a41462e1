"""What older hosts lack and ours makes up for; the same must hold where the host has it."""

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import pytest
import torch
from comfy_api.latest import io
from consistentid_pack.nodes.host import older


def test_a_normalisation_follows_the_device_and_dtype_of_its_input():
    layer = older.casting_layers.BatchNorm2d(3, dtype=torch.float32).eval()
    state = {
        "weight": torch.tensor([0.5, 1.0, 2.0]),
        "bias": torch.tensor([0.0, 1.0, -1.0]),
        "running_mean": torch.tensor([0.1, 0.2, 0.3]),
        "running_var": torch.tensor([1.0, 4.0, 0.25]),
        "num_batches_tracked": torch.tensor(1),
    }
    layer.load_state_dict(state)
    plain = torch.nn.BatchNorm2d(3).eval()
    plain.load_state_dict(state)
    pixels = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(pixels), plain(pixels))
    halved = layer(pixels.half())
    assert halved.dtype == torch.float16
    assert torch.allclose(halved.float(), plain(pixels), atol=5e-3)


def test_the_layers_are_otherwise_the_host_s_own():
    for name in ("Linear", "Conv2d", "LayerNorm"):
        assert getattr(older.casting_layers, name) is getattr(comfy.ops.manual_cast, name)


@pytest.fixture
def loaded():
    """Two models on the device, and a clone of the first."""
    patchers = [
        comfy.model_patcher.ModelPatcher(torch.nn.Linear(2, 2), torch.device("cpu"), torch.device("cpu"))
        for _ in range(2)
    ]
    comfy.model_management.load_models_gpu(patchers)
    yield patchers
    comfy.model_management.unload_all_models()


def test_a_model_goes_with_its_clones_and_others_stay(loaded):
    one, other = loaded
    older.unload(one.clone())
    still = [model.model for model in comfy.model_management.current_loaded_models]
    assert other in still and one not in still


def test_a_keyword_the_host_does_not_know_is_left_out():
    io.Schema(node_id="Example", **older.SHOWN_ON_CACHED_RUNS)
