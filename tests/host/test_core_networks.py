"""The core's networks and layer map with the host's own layers, tables and loaders."""

import comfy.lora
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.utils
import pytest
import torch
from consistentid_pack.consistentid_core.networks.attention import lora_weights
from consistentid_pack.consistentid_core.networks.facial_encoder import FacialEncoder
from consistentid_pack.consistentid_core.networks.projection import IDProjection
from consistentid_pack.consistentid_core.networks.unet_layers import attention_layers
from golden_host import consistentid_model, small_adapter, small_unet
from golden_set import manifest
from sampling import random

FAMILIES = ("sd15", "sdxl")

#: Transformer depths of distilled SDXL models, as the host detects them (comfy/model_detection.py): down, up.
DEPTHS = {
    "SSD-1B": ([0, 0, 2, 2, 4, 4], [0, 0, 0, 1, 1, 2, 10, 4, 4]),
    "Segmind Vega": ([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1, 2, 2, 2]),
}
DISTILLED = {
    name: {
        "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 2, 4],
        "transformer_depth": down,
        "transformer_depth_output": up,
        "transformer_depth_middle": -1,
    }
    for name, (down, up) in DEPTHS.items()
}
CONFIGS = DISTILLED | {family: manifest(f"unet_small_{family}")["comfy_unet_config"] for family in FAMILIES}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_host_gives_every_layer_the_same_two_names(name):
    table = comfy.utils.unet_to_diffusers(CONFIGS[name])
    host = {key: value for key, value in table.items() if ".attn" in key and key.endswith("to_q.weight")}
    ours = {
        f"{layer.processor.removesuffix('processor')}to_q.weight": f"{layer.weight_prefix}.to_q.weight"
        for layer in attention_layers(CONFIGS[name])
    }
    assert ours == host


@pytest.mark.parametrize("family", FAMILIES)
def test_the_hosts_lora_loader_finds_a_weight_for_every_renamed_key(family):
    model = small_unet(family)
    layers = attention_layers(model.model.model_config.unet_config)
    loaded = comfy.lora.load_lora(
        lora_weights(small_adapter(family), layers), comfy.lora.model_lora_keys_unet(model.model, {})
    )
    assert len(model.add_patches(loaded, 1.0)) == 4 * len(layers)


SIZES = {"depth": 1, "heads": 1, "hidden_dim": 9, "clip_dim": 10}


def half_in_host_layers(network):
    """The network's weights in float16, held by the host's casting layers; and its float32 twin."""
    half = {key: tensor.half() for key, tensor in network.state_dict().items()}
    cast = type(network).from_state_dict(half, operations=comfy.ops.manual_cast, dtype=torch.float16)
    network.load_state_dict(half)
    return cast, network


def test_a_facial_encoder_stored_in_half_precision_computes_in_the_dtype_of_its_input():
    cast, plain = half_in_host_layers(FacialEncoder(12, width=8, **SIZES))
    mask = torch.tensor([[False, True, True]])
    inputs = torch.randn(1, 3, 12), torch.randn(1, 2, 6, 10), mask, torch.ones(1, 2, dtype=torch.bool)
    torch.testing.assert_close(cast(*inputs), plain(*inputs), atol=1e-6, rtol=0)


def test_an_id_projection_stored_in_half_precision_computes_in_the_dtype_of_its_input():
    cast, plain = half_in_host_layers(IDProjection(12, id_dim=6, **SIZES))
    inputs = torch.randn(1, 6), torch.randn(1, 5, 10)
    torch.testing.assert_close(cast(*inputs, shortcut=True), plain(*inputs, shortcut=True), atol=1e-6, rtol=0)


# --- memory ----------------------------------------------------------------------------------------


def test_what_made_the_keys_and_values_leaves_the_device_and_comes_back_when_needed():
    consistentid = consistentid_model("sdxl")
    face, features = random(1, 512, seed=1), random(1, 257, 1280, seed=2)
    consistentid.facial_encoder.loaded()
    first = consistentid.keys_values(face, features)
    loaded = [model.model for model in comfy.model_management.current_loaded_models]
    assert consistentid.facial_encoder.patcher in loaded
    for network in (consistentid.id_projection, consistentid.key_value_projection):
        assert network.patcher not in loaded and network.patcher.loaded_size() == 0
    again = consistentid.keys_values(face, features)
    assert all(torch.equal(a, b) for i in first for a, b in zip(first[i], again[i], strict=True))


def test_the_host_takes_the_adapter_for_a_model():
    """Its cache drops old models first when memory runs short, and knows them by their patcher."""
    consistentid = consistentid_model("sd15")
    assert isinstance(consistentid.patcher, comfy.model_patcher.ModelPatcher)
    assert consistentid.patcher in consistentid.get_models()


def test_the_matrices_of_the_id_tokens_are_kept_once():
    consistentid = consistentid_model("sd15")
    assert consistentid.adapters and all("_lora" in key for key in consistentid.adapters)
