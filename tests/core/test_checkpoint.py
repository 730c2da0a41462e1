"""Recognising ConsistentID checkpoints in memory: containers, sizes, refusals (SPEC 1)."""

import pytest
import torch
from golden_set import reference
from small_checkpoints import (
    CONTAINERS,
    CROSS_ATTENTION_DIM,
    LAYER_COUNT,
    NUM_TOKENS,
    RANK,
    flat,
    nested,
    small_groups,
)

from consistentid_core.errors import CheckpointError
from consistentid_core.networks.checkpoint import expected_shapes, recognise
from consistentid_core.networks.facial_encoder import FacialEncoder
from consistentid_core.networks.projection import IDProjection

FAMILIES = ("sd15", "sdxl")
CROSS_ATTENTION_DIMS = {"sd15": 768, "sdxl": 2048}
PROJECTION_NAMES = {"sd15": "image_proj", "sdxl": "image_proj_model"}


def released(family):
    """A state dict with the released file's keys and shapes, and no memory behind it."""
    shapes = reference(f"checkpoint_{family}")
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.fixture
def groups():
    return small_groups()


# --- the released files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_computed_keys_and_shapes_are_those_of_the_released_files(family):
    widths = [layer["hidden_size"] for layer in reference(f"layers_{family}")]
    computed = expected_shapes(
        CROSS_ATTENTION_DIMS[family], widths, id_projection_name=PROJECTION_NAMES[family]
    )
    assert {key: list(shape) for key, shape in computed.items()} == reference(f"checkpoint_{family}")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_released_file_is_recognised_with_its_sizes(family):
    checkpoint = recognise(released(family))
    sizes = (checkpoint.cross_attention_dim, checkpoint.num_tokens, checkpoint.rank, checkpoint.layer_count)
    assert (checkpoint.family, sizes) == (
        family,
        (CROSS_ATTENTION_DIMS[family], 4, 128, LAYER_COUNT[family]),
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "network, group", [(FacialEncoder, "facial_encoder"), (IDProjection, "id_projection")]
)
def test_a_network_built_from_a_released_file_takes_its_weights_strictly(family, network, group):
    weights = getattr(recognise(released(family)), group)
    built = network.builder(weights)(device="meta")
    built.load_state_dict(weights, assign=True, strict=True)
    assert {key: value.shape for key, value in built.state_dict().items()} == {
        key: value.shape for key, value in weights.items()
    }


# --- containers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_yields_the_same_tensors(family, container):
    groups = small_groups(family)
    checkpoint = recognise(CONTAINERS[container](groups))
    assert checkpoint.family == family
    for found, expected in (
        (checkpoint.facial_encoder, groups["FacialEncoder"]),
        (checkpoint.id_projection, groups["image_proj"]),
        (checkpoint.adapters, groups["adapter_modules"]),
    ):
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_groups_may_be_nested_and_flat_in_one_dictionary(groups):
    mixed = {**flat(groups), "image_proj": groups["image_proj"]}
    mixed = {key: value for key, value in mixed.items() if not key.startswith("image_proj.")}
    assert recognise(mixed).id_projection.keys() == groups["image_proj"].keys()


def test_sizes_come_from_the_file(groups):
    checkpoint = recognise(nested(groups))
    sizes = (checkpoint.cross_attention_dim, checkpoint.num_tokens, checkpoint.rank, checkpoint.layer_count)
    assert sizes == (CROSS_ATTENTION_DIM, NUM_TOKENS, RANK, LAYER_COUNT["sd15"])


@pytest.mark.parametrize(
    "network, group", [(FacialEncoder, "facial_encoder"), (IDProjection, "id_projection")]
)
def test_a_narrow_network_takes_its_weights(groups, network, group):
    weights = getattr(recognise(nested(groups)), group)
    built = network.from_state_dict(weights)
    assert all(torch.equal(value, weights[key]) for key, value in built.state_dict().items())


def test_trained_parameters_lose_their_gradient(groups):
    groups["adapter_modules"] = {
        key: torch.nn.Parameter(tensor) for key, tensor in groups["adapter_modules"].items()
    }
    assert not any(tensor.requires_grad for tensor in recognise(nested(groups)).adapters.values())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_stored_dtype_is_kept(groups, dtype):
    halved = {key: tensor.to(dtype) for key, tensor in flat(groups).items()}
    assert recognise(halved).adapters["0.to_q_lora.up.weight"].dtype == dtype


@pytest.mark.parametrize("family", FAMILIES)
def test_the_width_of_a_token_decides_the_family_before_the_number_of_layers(family):
    few_layers = {
        key: tensor
        for key, tensor in released(family).items()
        if not key.startswith("adapter_modules.") or int(key.split(".")[1]) < 4
    }
    assert recognise(few_layers).family == family


# --- refusals ---------------------------------------------------------------------------------------------


def refusal(state_dict):
    with pytest.raises(CheckpointError) as caught:
        recognise(state_dict, name="my file.bin")
    return str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "FacialEncoder.visual_projection.latents",
        "FacialEncoder.visual_projection.layers.0.0.to_kv.weight",
        "FacialEncoder.fuse_module.mlp2.fc1.bias",
        "image_proj.norm.weight",
        "image_proj.proj.2.weight",
        "image_proj.perceiver_resampler.layers.0.1.3.weight",
        "adapter_modules.0.to_q_lora.down.weight",
        "adapter_modules.17.to_v_ip.weight",
        "adapter_modules.31.to_out_lora.up.weight",
    ],
)
def test_a_missing_key_is_named(groups, key):
    state_dict = flat(groups)
    del state_dict[key]
    assert f"missing keys (1): {key}." in refusal(state_dict)


def test_an_unexpected_key_is_named(groups):
    message = refusal({**flat(groups), "adapter_modules.0.to_k_ip.weight": torch.zeros(8, 12)})
    assert "unexpected keys (1): adapter_modules.0.to_k_ip.weight." in message


def test_a_key_outside_the_groups_is_unexpected(groups):
    assert "unexpected keys (1): vae.weight." in refusal({**flat(groups), "vae.weight": torch.zeros(1)})


def test_missing_and_unexpected_keys_are_listed_together(groups):
    state_dict = flat(groups)
    state_dict["image_proj.norm.gain"] = state_dict.pop("image_proj.norm.weight")
    message = refusal(state_dict)
    assert "missing keys (1): image_proj.norm.weight" in message
    assert "unexpected keys (1): image_proj.norm.gain" in message


def test_a_long_list_of_keys_is_cut_and_counted(groups):
    state_dict = {key: value for key, value in flat(groups).items() if "to_q_lora" not in key}
    message = refusal(state_dict)
    assert "missing keys (64): adapter_modules.0.to_q_lora.down.weight" in message
    assert "and 59 more" in message
    assert len(message) < 1000


def test_a_missing_layer_in_the_middle_is_noticed(groups):
    state_dict = {key: value for key, value in flat(groups).items() if "adapter_modules.10." not in key}
    assert "missing keys (8): adapter_modules.10." in refusal(state_dict)


def test_a_network_without_any_block_lists_the_released_ones_as_missing(groups):
    state_dict = {key: value for key, value in flat(groups).items() if "visual_projection.layers." not in key}
    assert "missing keys (88): FacialEncoder.visual_projection.layers.0." in refusal(state_dict)


@pytest.mark.parametrize(
    "key, shape",
    [
        ("adapter_modules.3.to_k_ip.weight", (WRONG := 5, CROSS_ATTENTION_DIM)),
        ("adapter_modules.2.to_q_lora.down.weight", (RANK, WRONG)),
        ("FacialEncoder.fuse_module.layer_norm.weight", (WRONG,)),
        ("image_proj.norm.bias", (WRONG,)),
        ("image_proj.proj.2.bias", (WRONG,)),
        ("image_proj.perceiver_resampler.proj_out.weight", (CROSS_ATTENTION_DIM, CROSS_ATTENTION_DIM, 1)),
    ],
)
def test_a_tensor_of_another_shape_is_named_with_both_shapes(groups, key, shape):
    message = refusal({**flat(groups), key: torch.zeros(shape)})
    assert f"keys of another shape (1): {key} is {list(shape)}, expected" in message


@pytest.mark.parametrize("key", ["image_proj.norm.weight", "adapter_modules.0.to_q_lora.up.weight"])
def test_an_empty_tensor_is_refused(groups, key):
    state_dict = flat(groups)
    state_dict[key] = state_dict[key][:0]
    assert f"{key} is [0" in refusal(state_dict)


def test_an_encoder_of_the_other_family_is_refused(groups):
    state_dict = released("sd15")
    other = released("sdxl")
    state_dict.update({key: value for key, value in other.items() if key.startswith("FacialEncoder.")})
    message = refusal(state_dict)
    assert "FacialEncoder.visual_projection.proj_out.weight is [2048, 1024], expected [768, 1024]" in message


@pytest.mark.parametrize("value, kind", [("text", "str"), (torch.zeros(12, dtype=torch.int8), "torch.int8")])
def test_an_entry_that_is_no_floating_point_tensor_is_named(groups, value, kind):
    message = refusal({**flat(groups), "image_proj.norm.weight": value})
    assert f"entries that are no floating-point tensors (1): image_proj.norm.weight ({kind})" in message


def test_both_names_of_the_id_projection_at_once_are_refused(groups):
    message = refusal({**nested(groups), "image_proj_model": groups["image_proj"]})
    assert "the ID projection twice, as image_proj and as image_proj_model" in message


@pytest.mark.parametrize("group", ["FacialEncoder", "image_proj", "adapter_modules"])
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "absent"])
def test_a_missing_group_is_named(groups, group, empty):
    state_dict = nested(groups)
    state_dict[group] = {}
    if not empty:
        del state_dict[group]
    assert f"0 keys in {group}" in refusal(state_dict)


def test_empty_groups_are_explained(groups):
    assert "it holds no tensors" in refusal({name: {} for name in nested(groups)})


def test_a_checkpoint_of_an_unknown_family_is_refused(groups):
    state_dict = {
        key: value
        for key, value in flat(groups).items()
        if not key.startswith("adapter_modules.") or int(key.split(".")[1]) < 4
    }
    assert f"ID tokens of width {CROSS_ATTENTION_DIM} and 4 attention layers" in refusal(state_dict)


@pytest.mark.parametrize("value, kind", [([1], "list"), (torch.zeros(1), "Tensor"), (3, "int")])
def test_an_object_that_is_no_dictionary_is_refused(value, kind):
    assert f"holds a {kind}, not a dictionary" in refusal(value)


@pytest.mark.parametrize(
    "broken", [{}, {"FacialEncoder": {}}, {"image_proj.x": torch.zeros(1)}, [1]], ids=repr
)
def test_every_refusal_names_the_file_and_says_what_to_use(broken):
    message = refusal(broken)
    assert message.startswith("'my file.bin' ")
    assert "ConsistentID-v1.bin (SD1.5)" in message
