"""Stand-ins have the keys and shapes of the files they stand in for."""

import pytest
from golden_set import reference
from safetensors import safe_open

from tools.standins import consistentid, random_weights, unet


@pytest.mark.parametrize("family", unet.FAMILIES.values(), ids=lambda family: family.name)
def test_the_consistentid_stand_in_has_the_released_layout(family):
    groups = consistentid.plan(family, family.channel_mult)
    shapes = {
        f"{group}.{key}": list(tensor.shape) for group, plan in groups.items() for key, tensor in plan.items()
    }
    assert shapes == reference(f"checkpoint_{family.name}")


@pytest.mark.parametrize("family", unet.FAMILIES.values(), ids=lambda family: family.name)
def test_the_unet_has_every_layer_the_adapter_is_made_for(family):
    plan = random_weights.Plan()
    unet.add_unet(plan, family, family.channel_mult)
    layers = reference(f"layers_{family.name}")
    found = [plan[f"model.{layer['ldm_prefix']}.to_q.weight"].shape[0] for layer in layers]
    assert found == [layer["hidden_size"] for layer in layers]
    assert found[::2] == list(unet.attention_widths(family, family.channel_mult))


def test_a_stand_in_file_is_a_valid_safetensors_file(tmp_path):
    plan = random_weights.Plan()
    plan.linear("layer", 3, 5)
    random_weights.write_safetensors(plan, tmp_path / "small.safetensors", seed=1)
    with safe_open(tmp_path / "small.safetensors", "pt") as file:
        assert {key: list(file.get_tensor(key).shape) for key in file.keys()} == {  # noqa: SIM118
            "layer.weight": [5, 3],
            "layer.bias": [5],
        }
        assert file.metadata()["standin"] == "random weights"


def test_the_seed_alone_decides_the_numbers(tmp_path):
    tensor = random_weights.TensorPlan((4, 4), std=1.0)
    assert tensor.draw("name", 1).equal(tensor.draw("name", 1))
    assert not tensor.draw("name", 1).equal(tensor.draw("name", 2))
    assert not tensor.draw("name", 1).equal(tensor.draw("other", 1))
