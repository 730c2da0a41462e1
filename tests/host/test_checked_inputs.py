"""What reaches a node over the API or over links that may bring anything is checked before the node sees it."""

import math

import numpy as np
import pytest
import torch
from comfy_api.latest import io
from consistentid_pack.nodes import NODES
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.host.checked_inputs import check_inputs
from consistentid_pack.nodes.host.inputs import FileChoice
from consistentid_pack.nodes.leak_control import LeakControlNode
from consistentid_pack.nodes.likeness import LikenessGate
from consistentid_pack.nodes.mix import MixFaceParts
from consistentid_pack.nodes.simple import ConsistentIDSimple
from sampling import person

folders.register()  # schemas list files

NUMBERS = (io.Float.Input, io.Int.Input)


def inputs(*kinds) -> list:
    """All inputs of these kinds, as parameters (node, input)."""
    return [
        pytest.param(node, one, id=f"{node.__name__}-{one.id}")
        for node in NODES
        for one in node.GET_SCHEMA().inputs
        if isinstance(one, kinds)
    ]


def returning(node):
    """A node of the same inputs that only gives back what reached it."""

    class Returning(node):
        @classmethod
        def execute(cls, **reached):
            return reached

    return check_inputs(Returning, {})


@pytest.mark.parametrize("node, one", inputs(*NUMBERS))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e9, -1e9, "1", torch.ones(2)], ids=str)
def test_every_number_of_every_node_is_checked(node, one, bad):
    kind = "a whole number" if isinstance(one, io.Int.Input) else "a number"
    with pytest.raises(
        ValueError, match=f"'{one.id}' of .*: expected {kind} from {one.min} to {one.max}, got"
    ):
        node.execute(**{one.id: bad})


@pytest.mark.parametrize("node, one", inputs(*NUMBERS))
def test_the_ends_of_a_range_belong_to_it(node, one):
    of_numpy = np.int64 if isinstance(one, io.Int.Input) else np.float32
    for value in (one.min, one.max, of_numpy(max(1, one.min or 0))):
        assert returning(node).execute(**{one.id: value}) == {one.id: value}


@pytest.mark.parametrize("node, one", inputs(io.Combo.Input))
def test_a_choice_is_one_of_the_list_or_the_name_of_a_file(node, one):
    with pytest.raises(ValueError, match=f"'{one.id}' of .*expected .*, got a Tensor"):
        node.execute(**{one.id: torch.ones(2)})
    if not isinstance(one, FileChoice):
        with pytest.raises(ValueError, match=f"'{one.id}' of .*expected one of .*, got 'no such choice'"):
            node.execute(**{one.id: "no such choice"})


@pytest.mark.parametrize("node, one", inputs(io.Boolean.Input))
def test_a_switch_is_true_or_false(node, one):
    with pytest.raises(ValueError, match=f"'{one.id}' of .*expected true or false, got 'false'"):
        node.execute(**{one.id: "false"})


@pytest.mark.parametrize("node, one", inputs(io.String.Input))
def test_text_is_text(node, one):
    with pytest.raises(ValueError, match=f"'{one.id}' of .*expected text, got 7"):
        node.execute(**{one.id: 7})


OWN = [
    param
    for param in inputs(io.Input)
    if param.values[1].get_io_type()
    in (
        "CONSISTENTID",
        "FACE_PARSER",
        "FACE_PARTS",
        "FACE_CAPTIONER",
        "ID_EMBED",
        "CONSISTENTID_LEAK_CONTROL",
        "FACE_RECOGNISER",
    )
]


@pytest.mark.parametrize("node, one", OWN)
def test_own_sockets_take_only_what_is_theirs(node, one):
    with pytest.raises(ValueError, match=f"'{one.id}' of .*expected {one.get_io_type()}, got a dict"):
        node.execute(**{one.id: {}})


def test_all_own_sockets_are_tried():
    assert len({param.values[1].get_io_type() for param in OWN}) == 7


def test_a_node_of_whole_lists_has_every_item_checked():
    good = {"keep": ["best"], "threshold": [0.5], "count": [2]}
    with pytest.raises(ValueError, match="'scores' of Likeness Gate .*got nan"):
        LikenessGate.execute(image=[torch.zeros(2, 4, 4, 3)], scores=[0.5, math.nan], **good)
    with pytest.raises(ValueError, match="'image' of Likeness Gate .*expected IMAGE, got a list"):
        LikenessGate.execute(image=[torch.zeros(1, 4, 4, 3), [1]], scores=[0.5, 0.1], **good)


def test_pictures_and_masks_are_tensors():
    with pytest.raises(ValueError, match="'mask' of Apply ConsistentID .*expected MASK, got a list"):
        ApplyConsistentID.execute(mask=[1])


def test_what_is_not_connected_passes():
    with pytest.raises(TypeError, match="missing"):  # of Python: nothing else was given
        ApplyConsistentID.execute(mask=None, image=None, leak_control=None, face_parts=None, clip_vision=None)


def test_what_must_be_connected_is_not_nothing():
    with pytest.raises(ValueError, match="'id_embed' of Apply ConsistentID .*expected ID_EMBED, got nothing"):
        ApplyConsistentID.execute(id_embed=None)


def test_links_that_are_passed_on_are_left_alone():
    with pytest.raises(ValueError, match="'weight' of ConsistentID"):
        ConsistentIDSimple.execute(model=["1", 0], clip=["1", 1], image=["2", 0], weight=math.nan)


def test_values_by_position_are_checked_too():
    with pytest.raises(ValueError, match="'early_factor' of Leak Control .* from 0.0 to 2.0, got nan"):
        LeakControlNode.execute("constant", math.nan, 0.2, 0.0, False)


def test_values_by_pattern_are_checked_too():
    with pytest.raises(ValueError, match="'nose' of Mix Face Parts .*expected FACE_PARTS, got a IDEmbedding"):
        MixFaceParts.execute(nose=person())


def test_a_long_value_is_cut():
    with pytest.raises(ValueError) as caught:
        LeakControlNode.execute(curve="x" * 100_000)
    assert len(str(caught.value)) < 500


def test_the_host_s_own_way_to_run_a_node_is_checked():
    """It runs a locked clone of the class, not the class itself."""
    clone = LeakControlNode.PREPARE_CLASS_CLONE({})
    given = {"curve": "constant", "early_share": 0.2, "norm_rescale": 0.0, "self_mask": False}
    assert clone.EXECUTE_NORMALIZED(**given, early_factor=1.0).args[0].early_factor == 1.0
    with pytest.raises(ValueError, match="got inf"):
        clone.EXECUTE_NORMALIZED(**given, early_factor=math.inf)


def test_a_lazy_input_may_still_be_missing():
    class Lazy(io.ComfyNode):
        @classmethod
        def define_schema(cls):
            return io.Schema("Lazy", display_name="Lazy", inputs=[io.Float.Input("share", lazy=True)])

        @classmethod
        def execute(cls, share):
            return io.NodeOutput(share)

    node = check_inputs(Lazy, {})
    assert node.execute(None).args == (None,) and node.execute(5e8).args == (5e8,)
    with pytest.raises(ValueError, match="got inf"):
        node.execute(math.inf)
