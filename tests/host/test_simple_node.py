"""ConsistentID (simple) expands into the separate nodes."""

import folder_paths
import pytest
from consistentid_pack.consistentid_core.errors import MissingModelError
from consistentid_pack.consistentid_core.faces.face_crop import SMALL_FACE_SHARE
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.nodes import NODES
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.simple import ConsistentIDSimple
from small_checkpoints import nested, small_groups, write

LINKS = {name: [str(number), 0] for number, name in enumerate(("model", "clip", "clip_vision", "image"))}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """ComfyUI's folder of adapters, empty."""
    folders.register()
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "consistentid", ([str(tmp_path)], {".bin"}))
    return tmp_path


def expand(model_name, **more):
    """The nodes the simple one expands into."""
    return ConsistentIDSimple.execute(
        **LINKS, prompt="a person", negative_prompt="", model_name=model_name, face_parser="parser.pth",
        weight=0.7, merge_percent=0.5, face=True, eyes=True, ears=False, nose=True, mouth=True, **more,
    ).expand  # fmt: skip


@pytest.fixture(params=["sd15", "sdxl"])
def expanded(request, models):
    """The family of an adapter file, and the nodes the simple one expands into for it."""
    path = write(models, nested(small_groups(request.param)), ".bin")
    return request.param, expand(path.name), LINKS


def of_class(nodes, class_type):
    (node,) = (node for node in nodes.values() if node["class_type"] == class_type)
    return node["inputs"]


def test_every_inner_node_exists_and_gets_what_it_requires(expanded):
    _, nodes, _ = expanded
    schemas = {node.GET_SCHEMA().node_id: node for node in NODES}
    for node in nodes.values():
        required = schemas[node["class_type"]].INPUT_TYPES()["required"]
        assert set(required) <= set(node["inputs"]), node["class_type"]


def test_caption_and_parse_size_are_those_of_the_adapters_family(expanded):
    family, nodes, _ = expanded
    assert of_class(nodes, "ConsistentIDFaceEncoder")["caption"] == FAMILIES[family].default_caption
    assert of_class(nodes, "ConsistentIDFaceParser")["parse_size"] == {"sd15": "512", "sdxl": "1280"}[family]


def test_the_wires_reach_the_inner_nodes_as_they_are(expanded):
    _, nodes, links = expanded
    assert of_class(nodes, "ConsistentIDApply")["model"] == links["model"]
    assert of_class(nodes, "ConsistentIDFaceEncoder")["clip"] == links["clip"]
    assert of_class(nodes, "ConsistentIDFaceParser")["image"] == links["image"]


def test_its_own_settings_reach_the_inner_nodes(expanded):
    _, nodes, _ = expanded
    assert of_class(nodes, "ConsistentIDApply")["weight"] == 0.7
    assert of_class(nodes, "ConsistentIDFaceEncoder")["merge_percent"] == 0.5
    assert of_class(nodes, "ConsistentIDFaceParser")["ears"] is False


def test_a_cut_out_feeds_parser_and_recogniser_alike(models):
    nodes = expand(write(models, nested(small_groups("sd15")), ".bin").name, crop="auto")
    (crop,) = (key for key, node in nodes.items() if node["class_type"] == "ConsistentIDCropFace")
    assert nodes[crop]["inputs"] == {"image": LINKS["image"], "below_share": SMALL_FACE_SHARE}
    for reader in ("ConsistentIDFaceParser", "ConsistentIDEmbedding"):
        assert of_class(nodes, reader)["image"] == [crop, 0]


@pytest.mark.parametrize("more", [{}, {"crop": "off"}])
def test_saved_workflows_without_the_choice_go_on_as_they_were(models, more):
    nodes = expand(write(models, nested(small_groups("sd15")), ".bin").name, **more)
    assert "ConsistentIDCropFace" not in {node["class_type"] for node in nodes.values()}
    assert of_class(nodes, "ConsistentIDEmbedding") == {"image": LINKS["image"]}
    applied = of_class(nodes, "ConsistentIDApply")
    assert (applied["lora_weight"], applied["start_percent"], applied["end_percent"]) == (1.0, 0.0, 1.0)
    added = {one.id: one.default for one in ConsistentIDSimple.GET_SCHEMA().inputs[-3:]}
    assert added == {"crop": "off", "lora_weight": 1.0, "start_percent": 0.0}


def test_what_presets_set_reaches_apply(models):
    name = write(models, nested(small_groups("sd15")), ".bin").name
    applied = of_class(expand(name, lora_weight=0.8, start_percent=0.2), "ConsistentIDApply")
    assert (applied["lora_weight"], applied["start_percent"]) == (0.8, 0.2)


def test_a_replaced_adapter_or_parser_makes_it_run_again(tmp_path, monkeypatch):
    """Its inner loaders would notice, but ComfyUI asks them only if the node itself runs."""
    folders.register()
    files = [tmp_path / name for name in ("adapter.bin", "parser.pth")]
    for name in ("consistentid", "facexlib", "face_parsing"):
        monkeypatch.setitem(folder_paths.folder_names_and_paths, name, ([str(tmp_path)], {".bin", ".pth"}))

    def fingerprint():
        return ConsistentIDSimple.fingerprint_inputs(
            model_name="adapter.bin", face_parser="parser.pth", model=["1", 0], weight=1.0
        )

    for file in files:
        file.write_bytes(b"one")
    found = [fingerprint(), fingerprint()]
    for file in files:
        file.write_bytes(b"another")
        found.append(fingerprint())
    assert found[0] == found[1] and found[1] != found[2] != found[3]


# ---------------------------------------------------------------- auto


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_auto_with_adapters_of_one_family_expands_as_with_the_name(models, family):
    path = write(models, nested(small_groups(family)), ".bin")
    named, found = expand(path.name), expand("auto")
    assert of_class(named, "ConsistentIDModelLoader")["model_name"] == path.name
    of_class(named, "ConsistentIDModelLoader")["model_name"] = "auto"
    assert without_ids(found) == without_ids(named)


def without_ids(nodes):
    """Nodes by class, links as the class and output they come from."""

    def plain(value):
        linked = isinstance(value, list) and value[0] in nodes
        return (nodes[value[0]]["class_type"], value[1]) if linked else value

    return {
        node["class_type"]: {name: plain(value) for name, value in node["inputs"].items()}
        for node in nodes.values()
    }


def test_with_adapters_of_both_families_the_model_decides(models):
    for family in ("sd15", "sdxl"):
        write(models, nested(small_groups(family)), ".bin").rename(models / f"{family}.bin")
    nodes = expand("auto")
    assert of_class(nodes, "ConsistentIDModelLoader") == {"model_name": "auto", "model": LINKS["model"]}
    # The adapter that is found then knows its family's sentence and size.
    assert of_class(nodes, "ConsistentIDFaceEncoder")["caption"] == ""
    parser = of_class(nodes, "ConsistentIDFaceParser")
    assert "parse_size" not in parser
    assert nodes[parser["consistentid"][0]]["class_type"] == "ConsistentIDModelLoader"


def test_auto_without_any_adapter_says_what_to_do(models):
    with pytest.raises(MissingModelError, match="files fetch consistentid-sd15 or consistentid-sdxl"):
        expand("auto")
