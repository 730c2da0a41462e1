"""Where new weights come from, and whether a run would fit into memory."""

import pytest
import torch
from small_training import CROSS_ATTENTION_DIM, SIZES, SmallModels, small_config, small_modules

from consistentid_core.errors import CheckpointError, ModelMismatchError
from consistentid_core.networks.attention import lora_delta
from consistentid_core.training.initialise import initial_modules
from consistentid_core.training.memory import (
    MemoryEstimate,
    TooLittleMemoryError,
    fixed_bytes,
    peak_bytes,
    require_memory,
)
from consistentid_core.training.recompute import recomputed
from consistentid_core.training.state import write_groups

FROZEN = SmallModels()


def start(path=None, **settings):
    return initial_modules(
        path, FROZEN.layers, FROZEN.base_weight, "sd15", CROSS_ATTENTION_DIM,
        **{"seed": 0, "rank": 2, **SIZES, **settings},
    )  # fmt: skip


def other_groups():
    """The groups of networks with other weights, LoRA included."""
    torch.manual_seed(3)
    groups = small_modules(FROZEN, seed=5).groups()
    return {name: {k: torch.randn_like(t) for k, t in group.items()} for name, group in groups.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert [key for key in found if not torch.equal(found[key], expected[key])] == []


# --- new weights ------------------------------------------------------------------------------------------


def test_new_weights_start_as_the_original_does():
    # SPEC 7.1, "Init".
    adapters = start().modules.adapters
    for layer in FROZEN.layers:
        for name in ("to_q", "to_k", "to_v", "to_out"):
            down, up = adapters.lora(layer.index, name)
            assert not lora_delta(down, up).any()
            assert down.any()
        if layer.is_cross:
            for matrix, name in zip(adapters.id_matrices(layer.index), ("to_k", "to_v"), strict=True):
                assert torch.equal(matrix, FROZEN.base_weight(layer, name))
    downs = torch.cat([one.flatten() for name, one in adapters.named_parameters() if ".down." in name])
    assert downs.std().item() == pytest.approx(1 / 2, rel=0.1)  # 1 / rank


def test_new_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    one = start().modules.state_dict()
    torch.manual_seed(2)
    assert_same(start().modules.state_dict(), one)
    other = start(seed=1).modules.state_dict()
    assert not torch.equal(other["id_projection.proj.0.weight"], one["id_projection.proj.0.weight"])


# --- files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_consistentid_file_is_gone_on_with(tmp_path, suffix):
    groups = other_groups()
    write_groups(tmp_path / f"file.{suffix}", groups, "sd15", {})
    found = start(tmp_path / f"file.{suffix}")
    assert found.goes_on
    for name, group in found.modules.groups().items():
        assert_same(group, groups[name])


def test_a_consistentid_file_keeps_its_rank(tmp_path):
    groups = small_modules(FROZEN, rank=3).groups()
    write_groups(tmp_path / "file.bin", groups, "sd15", {})
    assert start(tmp_path / "file.bin").modules.adapters.lora(0, "to_q")[0].shape[0] == 3


@pytest.mark.parametrize("is_flat", [False, True])
def test_a_face_id_plus_file_gives_projection_and_adapters(tmp_path, is_flat):
    groups = other_groups()
    content = {"image_proj": groups["image_proj"], "ip_adapter": groups["adapter_modules"]}
    if is_flat:
        content = {f"{name}.{key}": one for name, group in content.items() for key, one in group.items()}
    torch.save(content, tmp_path / "plus.bin")
    found = start(tmp_path / "plus.bin")
    assert not found.goes_on
    assert "FaceID-Plus" in found.found
    assert_same(found.modules.groups()["image_proj"], groups["image_proj"])
    assert_same(found.modules.groups()["adapter_modules"], groups["adapter_modules"])
    assert_same(found.modules.groups()["FacialEncoder"], start().modules.groups()["FacialEncoder"])


def test_another_ip_adapter_is_refused(tmp_path):
    content = {
        "image_proj": {"proj.weight": torch.ones(2, 2)},
        "ip_adapter": {"1.to_k_ip.weight": torch.ones(2, 2)},
    }
    torch.save(content, tmp_path / "other.bin")
    with pytest.raises(CheckpointError, match="an IP-Adapter, but not FaceID-Plus"):
        start(tmp_path / "other.bin")


def test_a_file_for_another_model_is_refused(tmp_path):
    groups = other_groups()
    # Layer 3 twice as wide, consistently: a file for another UNet, not a damaged one.
    wide = {}
    for key, one in groups["adapter_modules"].items():
        if key.startswith("3.") and key.endswith(("up.weight", "_ip.weight")):
            one = torch.cat([one, one])
        elif key in ("3.to_q_lora.down.weight", "3.to_out_lora.down.weight"):
            one = torch.cat([one, one], dim=1)
        wide[key] = one
    groups["adapter_modules"] = wide
    write_groups(tmp_path / "file.bin", groups, "sd15", {})
    with pytest.raises(ModelMismatchError, match=r"does not fit the model to train on.*3\.to_q_lora\.down"):
        start(tmp_path / "file.bin")


# --- memory -----------------------------------------------------------------------------------------------

GIGABYTE = 1 << 30
ESTIMATE = MemoryEstimate(fixed=6 * GIGABYTE, per_sample=2 * GIGABYTE)


def test_a_run_that_fits_is_let_go():
    require_memory(ESTIMATE, 10 * GIGABYTE, small_config(batch_size=2))


def test_a_run_that_does_not_fit_is_told_what_to_change():
    config = small_config(batch_size=4, precision="fp32", gradient_checkpointing=False)
    message = (
        "needs about 14.0 GB .*weights and optimiser 6.0 GB, 4 samples of 2.0 GB each.*only 10.0 GB.*"
        "gradient_checkpointing to true.*batch_size to 2 and accumulation to 2.*precision to bf16.*ema_decay to 0"
    )
    with pytest.raises(TooLittleMemoryError, match=message):
        require_memory(ESTIMATE, 10 * GIGABYTE, config)


def test_what_is_already_done_is_not_advised():
    config = small_config(gradient_checkpointing=True, precision="bf16", ema_decay=0)
    with pytest.raises(TooLittleMemoryError, match=r"use a larger device\.$"):
        require_memory(ESTIMATE, 5 * GIGABYTE, config)


def test_weights_gradients_and_averages_are_counted():
    trained, frozen = torch.nn.Linear(10, 10, bias=False), torch.nn.Linear(5, 5, bias=False)
    assert fixed_bytes(trained, frozen, has_average=False) == 4 * (4 * 100 + 25)
    assert fixed_bytes(trained, frozen, has_average=True) == 4 * (5 * 100 + 25)
    trained.requires_grad_(False)
    assert fixed_bytes(trained, frozen, has_average=True) == 4 * (100 + 25)


def test_the_peak_is_what_is_alive_at_a_time():
    weight, x = torch.ones(4, requires_grad=True), torch.ones(1000, 4)
    weight.grad = torch.zeros(4)

    def loss():
        return ((x * weight) * (x * weight)).sum()

    # Two products and their product, of which the last goes with the sum; and going back the gradients of both.
    assert 3 * 16000 <= peak_bytes(loss, torch.device("cpu")) < 5 * 16000 + 200
    # A thousand operations one after another that keep nothing are no thousand tensors.
    assert peak_bytes(lambda: chain(x, weight), torch.device("cpu")) < 6 * 16000


def chain(x, weight):
    with torch.no_grad():
        for _ in range(1000):
            x = x + 1
    return (x * weight).sum()


def test_gradient_checkpointing_is_seen_without_a_card():
    layers = [
        torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.GELU(), torch.nn.Linear(64, 64))
        for _ in range(8)
    ]
    for layer in layers:
        for weight in layer.parameters():
            weight.grad = torch.zeros_like(weight)
    x = torch.ones(1000, 64)

    def loss():
        y = x
        for layer in layers:
            y = layer(y)
        return y.sum()

    kept = peak_bytes(loss, torch.device("cpu"))
    with recomputed(layers):
        again = peak_bytes(loss, torch.device("cpu"))
    one = 1000 * 64 * 4
    assert kept > 8 * 3 * one
    # The input of each layer, and the inside of one at a time.
    assert 8 * one < again < 0.7 * kept
