"""The map from adapter modules to UNet layers, against the layers of the released models (SPEC 1.3)."""

import pytest
from golden_set import manifest, reference

from consistentid_core.errors import ModelMismatchError
from consistentid_core.networks.unet_layers import attention_layers

#: What ComfyUI detects for the released base models (comfy/model_detection.py).
FULL_SIZE = {
    "sd15": {
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 2, 4, 4],
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_middle": 1,
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    },
    "sdxl": {
        "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 2, 4],
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_middle": 10,
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    },
}


@pytest.fixture(params=FULL_SIZE)
def layers(request):
    """Computed and expected layers of a released model, in pairs."""
    return list(
        zip(attention_layers(FULL_SIZE[request.param]), reference(f"layers_{request.param}"), strict=True)
    )


def test_the_layers_are_numbered_in_checkpoint_order(layers):
    assert all(found.index == expected["index"] for found, expected in layers)


def test_the_diffusers_names_are_those_of_the_original(layers):
    assert all(found.processor == expected["diffusers_name"] for found, expected in layers)


def test_the_single_file_names_are_those_of_the_host(layers):
    assert all(
        f"diffusion_model.{found.weight_prefix}" == expected["ldm_prefix"] for found, expected in layers
    )


def test_the_blocks_are_those_the_host_asks_patches_for(layers):
    assert all(list(found.block) == expected["comfy_block"] for found, expected in layers)


def test_layers_with_a_context_are_cross_attention(layers):
    assert all(found.is_cross == (expected["cross_dim"] is not None) for found, expected in layers)


def test_cross_attention_blocks_are_unique(layers):
    blocks = [found.block for found, _ in layers if found.is_cross]
    assert len(set(blocks)) == len(blocks) == len(layers) // 2


def test_the_middle_block_is_called_zero(layers):
    (middle,) = {found.block[:2] for found, _ in layers if found.block[0] == "middle"}
    assert middle == ("middle", 0)


@pytest.mark.parametrize("family", FULL_SIZE)
def test_small_models_number_their_layers_as_diffusers_does(family):
    small = manifest(f"unet_small_{family}")
    found = [layer.processor for layer in attention_layers(small["comfy_unet_config"])]
    assert found == small["processors"]


def test_a_model_without_middle_transformer_has_no_middle_layer():
    # As ComfyUI detects distilled SDXL models.
    config = {**FULL_SIZE["sdxl"], "transformer_depth_middle": -1}
    assert [layer.block[0] for layer in attention_layers(config)].count("middle") == 0


def test_up_blocks_of_unequal_depth_are_read_from_the_innermost_level_outwards():
    config = {**FULL_SIZE["sdxl"], "transformer_depth_output": [0, 0, 0, 1, 1, 2, 10, 4, 3]}
    depths = {}
    for layer in attention_layers(config):
        if layer.is_cross and layer.block[0] == "output":
            depths[layer.block[1]] = depths.get(layer.block[1], 0) + 1
    assert depths == {0: 3, 1: 4, 2: 10, 3: 2, 4: 1, 5: 1}


def test_levels_with_different_numbers_of_res_blocks_are_counted_one_by_one():
    config = {
        "num_res_blocks": [1, 3],
        "channel_mult": [1, 2],
        "transformer_depth": [1, 1, 0, 1],
        "transformer_depth_middle": 0,
        "transformer_depth_output": [1, 1, 0, 0, 0, 1],
    }
    # Inputs: 0 convolution, 1 level 0, 2 downsampler, 3-5 level 1. Outputs: 0-3 level 1, 4-5 level 0.
    blocks = [layer.block[:2] for layer in attention_layers(config) if layer.is_cross]
    assert blocks == [("input", 1), ("input", 3), ("input", 5), ("output", 0), ("output", 4), ("output", 5)]


def test_the_configuration_is_not_changed():
    config = {
        name: list(value) if isinstance(value, list) else value for name, value in FULL_SIZE["sd15"].items()
    }
    attention_layers(config)
    assert config == FULL_SIZE["sd15"]


def test_a_model_of_another_architecture_is_refused():
    with pytest.raises(ModelMismatchError, match="no num_res_blocks, channel_mult.*SD1.5 and SDXL"):
        attention_layers({"image_model": "flux", "hidden_size": 3072})


@pytest.mark.parametrize("name", ["transformer_depth", "transformer_depth_output"])
def test_a_configuration_that_contradicts_itself_is_refused(name):
    config = {**FULL_SIZE["sd15"], name: [1, 1]}
    with pytest.raises(ModelMismatchError, match=f"2 values of {name}"):
        attention_layers(config)
