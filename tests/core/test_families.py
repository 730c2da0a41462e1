"""The rows of the base models, against the checkpoints and layers of the reference."""

import pytest
from golden_set import reference

from consistentid_core.families import FAMILIES, family_of_adapter, family_of_encoders


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_has_the_sizes_of_the_released_file(family):
    row = FAMILIES[family]
    assert reference(f"checkpoint_{family}")[f"{_projection(family)}.norm.weight"] == [row.context_width]
    assert len(reference(f"layers_{family}")) == row.layer_count


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_is_told_by_its_width_or_else_by_its_layers(family):
    row = FAMILIES[family]
    assert family_of_adapter(row.context_width, 4) == family
    assert family_of_adapter(24, row.layer_count) == family
    assert family_of_adapter(24, 4) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_is_told_by_its_encoders_in_any_order(family):
    encoders = FAMILIES[family].text_encoders
    assert family_of_encoders(encoders) == family_of_encoders(encoders[::-1]) == family
    assert family_of_encoders([*encoders, "t5xxl"]) is None


def test_nothing_that_tells_families_apart_is_shared_by_two():
    for name in ("key", "label", "context_width", "layer_count", "text_encoders"):
        assert len({getattr(row, name) for row in FAMILIES.values()}) == len(FAMILIES)


def _projection(family):
    return {"sd15": "image_proj", "sdxl": "image_proj_model"}[family]
