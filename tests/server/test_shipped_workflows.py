"""The workflows in workflows/ as the template browser offers them, and their twins for the queue API."""

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from server_host import SDXL_CHECKPOINT, SDXL_CONSISTENTID, SET, SIZE

from consistentid_core.training.config import TrainingConfig
from tools import paths
from tools import workflow as workflows

NAMES = sorted(path.stem for path in paths.WORKFLOWS.glob("*.json"))
#: The twin of the first needs this file; Save ID Embedding gives the first person this name.
SAVED_PERSON = "person_00001_.safetensors"
STEPS = 2

#: What these make has the size of the sample photo.
PASTED_INTO_A_PHOTO = ("consistentid_paste_back",)
PHOTO_SIDE = 512

MUTED, BYPASSED = 2, 4
NOTE = "MarkdownNote"
MODEL_FILE = re.compile(r".*\.(safetensors|ckpt|pth?|bin|onnx|gguf)")


@pytest.fixture(scope="module")
def object_info(host) -> dict:
    return host.client.get("/object_info")


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def shipped(name) -> dict:
    """A workflow in the interface's format."""
    return json.loads((paths.WORKFLOWS / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def twin(name) -> workflows.Workflow:
    return workflows.load(f"{name}_api.json")


# ---------------------------------------------------------------- the template browser


def test_the_template_browser_offers_every_workflow_and_nothing_else(host):
    assert sorted(host.client.get("/workflow_templates")[host.base.pack.name]) == NAMES


def test_a_template_and_its_picture_are_served(host, name):
    for suffix in (".json", ".jpg"):
        place = f"api/workflow_templates/{host.base.pack.name}/{name}{suffix}"
        with urllib.request.urlopen(f"{host.server.url}/{urllib.parse.quote(place)}") as answer:
            assert answer.read() == (paths.WORKFLOWS / f"{name}{suffix}").read_bytes()


def test_the_pictures_are_small(name):
    assert (paths.WORKFLOWS / f"{name}.jpg").stat().st_size < 60_000


# ---------------------------------------------------------------- what they contain


def test_every_node_exists(object_info, shipped):
    assert {node["type"] for node in shipped["nodes"]} - {NOTE} <= set(object_info)


def test_one_note_says_what_to_change(shipped):
    (note,) = (node for node in shipped["nodes"] if node["type"] == NOTE)
    assert note["widgets_values"][0].startswith("## ")


def test_every_link_joins_slots_of_one_type(shipped):
    nodes = {node["id"]: node for node in shipped["nodes"]}
    links = {link[0]: link for link in shipped["links"]}
    ends = {slot["link"] for node in shipped["nodes"] for slot in node.get("inputs", []) if slot.get("link")}
    assert ends == set(links)
    for number, origin, output, target, place, _ in links.values():
        start, end = nodes[origin]["outputs"][output], nodes[target]["inputs"][place]
        assert number in start["links"] and end["link"] == number
        assert end["type"] == "*" or start["type"] in end["type"].split(",")


def test_the_twin_has_the_nodes_and_links_of_the_workflow(shipped, twin):
    active = {
        str(node["id"]): node
        for node in shipped["nodes"]
        if node["type"] != NOTE and node["mode"] not in (MUTED, BYPASSED)
    }
    assert {node_id: node["class_type"] for node_id, node in twin.items()} == {
        node_id: node["type"] for node_id, node in active.items()
    }
    links = {link[0]: [str(link[1]), link[2]] for link in shipped["links"] if str(link[1]) in active}
    for node_id, node in active.items():
        drawn = {slot["name"]: links[slot["link"]] for slot in node["inputs"] if slot.get("link") in links}
        assert {
            key: value for key, value in twin[node_id]["inputs"].items() if isinstance(value, list)
        } == drawn


def test_the_twin_gives_every_node_the_inputs_it_takes(object_info, twin):
    for node in twin.values():
        offered = object_info[node["class_type"]]["input"]
        required, optional = set(offered.get("required", {})), set(offered.get("optional", {}))
        given = {name.partition(".")[0] for name in node["inputs"]}  # images.image0 is of a list that grows
        assert required <= given <= required | optional


def test_every_model_file_says_where_it_goes_and_where_it_comes_from(host, shipped):
    folders = host.client.get("/models")
    for node in shipped["nodes"]:
        listed = {model["name"]: model for model in node["properties"].get("models", [])}
        values = node.get("widgets_values") or []
        chosen = {value for value in values if isinstance(value, str) and MODEL_FILE.fullmatch(value)}
        assert chosen - {SAVED_PERSON} == set(listed)
        for model in listed.values():
            assert model["directory"] in folders
            assert urllib.parse.urlsplit(model["url"]).hostname in ("huggingface.co", "civitai.com")


def test_nodes_say_which_pack_they_are_from(shipped):
    for node in shipped["nodes"]:
        if node["type"].startswith("ConsistentID"):
            assert node["properties"]["cnr_id"] == "consistentid"
            assert re.fullmatch(r"\d+\.\d+\.\d+", node["properties"]["ver"])


# ---------------------------------------------------------------- what they make


@pytest.fixture(scope="module")
def saved_person(host) -> str:
    """Saves the first person on this server."""
    vision = {"clip_name": host.models["clip_vision"].name}
    parts = {"image": ["photo", 0], "label_map": ["labels", 0]}
    saved = {"id_embed": ["id_embed", 0], "face_parts": ["parts", 0], "clip_vision": ["vision", 0]}
    prompt = {
        "photo": {"class_type": "LoadImage", "inputs": {"image": "astronaut.png"}},
        "labels": {"class_type": "LoadImage", "inputs": {"image": "astronaut_labels.png"}},
        "vision": {"class_type": "CLIPVisionLoader", "inputs": vision},
        "parts": {"class_type": "ConsistentIDFacePartsFromMap", "inputs": parts},
        "id_embed": {"class_type": "ConsistentIDEmbedding", "inputs": {"image": ["photo", 0]}},
        "save": {"class_type": "ConsistentIDSaveEmbedding", "inputs": {**saved, "filename_prefix": "person"}},
    }
    (path,) = host.run(prompt).outputs["save"]["text"]
    return Path(path).name


def test_a_saved_person_gets_the_name_the_workflow_expects(saved_person):
    assert saved_person == SAVED_PERSON


@pytest.mark.usefixtures("saved_person")
def test_the_workflow_makes_its_pictures(host, name, twin):
    sdxl = {"checkpoint": SDXL_CHECKPOINT, "consistentid": SDXL_CONSISTENTID} if "sdxl" in name else {}
    workflows.use_models(twin, {**host.models, **{key: host.models[other] for key, other in sdxl.items()}})
    make_small(twin)
    batches = [
        twin[node_id]["inputs"]["batch_size"] for node_id in workflows.nodes_of(twin, "EmptyLatentImage")
    ]
    kept = [
        twin[node_id]["inputs"]["count"] for node_id in workflows.nodes_of(twin, "ConsistentIDLikenessGate")
    ]
    # Of a training run: portraits with each prompt, before the first step and after the last.
    run = TrainingConfig()
    trained = [
        2 * run.sample_count * len(run.sample_prompts) for _ in workflows.nodes_of(twin, "ConsistentIDTrain")
    ]
    portraits = host.portraits(twin)
    assert len(portraits) == sum(kept or batches or trained or [1])
    for portrait in portraits:
        side = PHOTO_SIDE if name in PASTED_INTO_A_PHOTO else SIZE
        # A sheet of several pictures is larger than each.
        is_sheet = any(workflows.nodes_of(twin, "ConsistentIDContactSheet"))
        assert portrait.shape[0] > 2 * SIZE if is_sheet else portrait.shape == (side, side, 3)
        assert len(set(map(tuple, portrait.reshape(-1, 3)))) > 1000


def make_small(workflow: workflows.Workflow) -> None:
    """Small pictures, few steps, few words. The stand-in of the parser may find no face: that is not asked here."""
    changes = {
        "EmptyLatentImage": {"width": SIZE, "height": SIZE},
        "SolidMask": {"height": SIZE},
        "ImageScaleToTotalPixels": {"megapixels": SIZE * SIZE / 1024**2},
        "KSampler": {"steps": STEPS},
        "ConsistentIDFaceParser": {"parse_size": "512", "no_face": "no parts (original)"},
        "ConsistentIDFaceCaptioner": {"max_new_tokens": 8},
        # Pictures of random weights have no face. A cut-out as small as the pictures:
        "ConsistentIDCropFace": {"no_face": "whole photo", "smallest": 0},
        "ConsistentIDTrain": {
            "dataset": SET,
            "resolution": SIZE,
            "steps": STEPS,
            "accumulation": 1,
            "precision": "fp32",
            "settings": "{rank: 4, ema_decay: 0, sample_steps: 2}",
        },
    }
    for node in workflow.values():
        node["inputs"].update(changes.get(node["class_type"], {}))
        if node["class_type"] == "SolidMask":  # the whole picture, and its half
            node["inputs"]["width"] = SIZE if node["inputs"]["value"] == 0 else SIZE // 2
