"""A facial part is one row of ``regions.py``: with another row, and nothing else, every room of the pack knows it."""

import importlib
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.regions import CLASSES

ROOT = Path(__file__).resolve().parents[2]
PACK = "pack_with_hair"
M = "<|facial|>"
ROW = """    Region(
        name="hair",
        words=("hair", "curls"),
        text_rank=5,
        parts=("Hair",),
        united="Hair",
        label="Hair",
        colour=(90, 60, 30),
    ),
)

REGION_NAMES"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Imports a module of a copy of the pack whose regions have one row more."""
    copy = tmp_path_factory.mktemp(PACK)
    for folder in ("consistentid_core", "nodes"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    regions = copy / "consistentid_core" / "regions.py"
    source = regions.read_text("utf-8")
    assert source.count(")\n\nREGION_NAMES") == 1
    regions.write_text(source.replace(")\n\nREGION_NAMES", ROW), "utf-8")
    package = ModuleType(PACK)
    package.__path__ = [str(copy)]
    sys.modules[PACK] = package
    yield lambda name: importlib.import_module(f"{PACK}.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == PACK]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def folders(empty_folders, room):
    room("nodes.host.folders").register()


def test_it_is_found_in_a_label_map(room):
    label_map = np.full((8, 8), CLASSES.index("Hair"), np.uint8)
    (part,) = room("consistentid_core.faces.face_parts").find_parts(label_map)
    assert (part.name, part.region) == ("Hair", "hair")


def test_it_finds_its_word_in_a_caption_in_its_turn(room):
    caption = room("consistentid_core.text.caption")
    parts = ["Face", "Hair"]
    assert caption.align_caption("long hair, one face.", parts).text == f"one face {M}, long hair {M},"
    by_name = caption.align_caption_by_name("dark curls, one face.", parts)
    assert by_name.text == f"one face {M}, dark curls {M},"
    assert by_name.regions == ("face", "hair")


def test_its_word_can_be_paired_by_name_and_has_a_slot(room):
    assert room("consistentid_core.text.pairing").pair_by_name(["Curls"], ["hair"]) == ("hair",)
    positions, valid = room("consistentid_core.text.tokens").facial_slots([1, 2, 3, 4, 5, 6])
    assert positions == (1, 2, 3, 4, 5, 6) and all(valid)


@pytest.mark.parametrize(
    ("module", "node", "expected"),
    [
        ("face_parser", "FaceParser", ["hair"]),
        ("face_parser", "FacePartsFromMap", ["hair", "hair_mask"]),
        ("mix", "MixFaceParts", ["hair", "hair_strength", "id_from_hair"]),
        ("simple", "ConsistentIDSimple", ["hair"]),
    ],
)
def test_nodes_have_its_inputs(room, module, node, expected):
    schema = getattr(room(f"nodes.{module}"), node).define_schema()
    assert [one.id for one in schema.inputs if "hair" in one.id] == expected


def test_it_can_be_painted_and_is_shown(room):
    node = room("nodes.face_parser").FacePartsFromMap
    result = node.execute(torch.rand(1, 64, 64, 3), hair_mask=torch.ones(1, 64, 64), nose=False)
    (face_parts,) = result.args[0].people
    assert face_parts.regions() == ("hair",)
    (shown,) = result.ui["consistentid_parts"]
    hair = shown["parts"][-1]
    assert (hair["region"], hair["label"], hair["colour"]) == ("hair", "Hair", "#5a3c1e")
    assert hair["present"] and hair["enabled"]


def test_it_can_be_switched_off(room):
    node = room("nodes.face_parser").FacePartsFromMap
    no_face = room("consistentid_core.errors").NoFaceError
    with pytest.raises(no_face, match="only hair"):
        node.execute(torch.rand(1, 64, 64, 3), hair_mask=torch.ones(1, 64, 64), hair=False)


def test_its_word_is_coloured_in_the_prompt(room):
    assembled = SimpleNamespace(text=f"dark curls {M}")
    pieces = room("nodes.previews.prompt_view").prompt_pieces(
        SimpleNamespace(assembled=assembled, regions=("hair",))
    )
    assert pieces[1] == {
        "text": "curls",
        "region": "hair",
        "label": "Hair",
        "colour": "#5a3c1e",
        "is_other": False,
    }
