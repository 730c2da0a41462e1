"""The shipped workflow, queued over HTTP, and what arrives."""

import json
import shutil
from collections.abc import Callable

import pytest
from server_host import SIZE, change, first, keep

from tools import workflow as workflows
from tools.client import Run

REGIONS = ("face", "eyes", "ears", "nose", "mouth")


@pytest.fixture
def finished(host, workflow) -> Run:
    """The workflow's result; only the first test that asks for it computes anything."""
    return host.run(workflow)


@pytest.fixture
def shown(finished, workflow) -> Callable[[str, str], list]:
    """What the first node of a class shows under a key."""
    return lambda class_type, key: finished.outputs[first(workflow, class_type)][key]


def test_the_portrait_arrives_in_the_size_asked_for(host, shown):
    (file,) = shown("SaveImage", "images")
    portrait = host.picture(file)
    assert portrait.size == (SIZE, SIZE)
    assert len(portrait.getcolors(SIZE * SIZE)) > 1000


def test_the_overlay_of_the_parts_arrives_in_the_size_of_the_photo(host, shown):
    assert host.picture(shown("PreviewImage", "images")[0]).size == (512, 512)


def test_five_crops_arrive_as_clip_sees_them(host, shown):
    crops = shown("ConsistentIDFaceEncoder", "consistentid_crops")
    assert tuple(crop["region"] for crop in crops) == REGIONS
    assert {host.picture(crop).size for crop in crops} == {(224, 224)}


def test_the_aligned_prompt_arrives_with_its_part_words(shown):
    (prompt,) = shown("ConsistentIDFaceEncoder", "consistentid_prompt")
    assert "Detail:" in prompt["text"]
    assert "<|facial|>" not in prompt["text"]
    words = {word["word"]: word["region"] for word in prompt["words"]}
    # Ears and eyes are swapped as in the original, whose weights were trained so.
    assert words == {"face": "face", "ears": "eyes", "eyes": "ears", "nose": "nose", "mouth": "mouth"}
    positions = [word["position"] for word in prompt["words"]]
    assert positions == sorted(set(positions))
    assert all(0 < position < 77 for position in positions)


def test_the_label_of_stand_ins_ends_up_in_the_picture(host, workflow):
    workflows.set_inputs(workflow, "SaveImage", filename_prefix="labelled")
    run = host.client.run(workflow, extra_data={"extra_pnginfo": {"consistentid_standins": ["all"]}})
    portrait = host.picture(run.outputs[first(workflow, "SaveImage")]["images"][0])
    assert json.loads(portrait.info["consistentid_standins"]) == ["all"]


def test_a_second_run_computes_nothing_and_shows_the_same(host, workflow, finished):
    again = host.run(workflow)
    assert again.executed == []
    assert again.outputs == finished.outputs


def test_another_seed_runs_the_sampler_alone(host, workflow, finished):
    workflows.set_inputs(workflow, "KSampler", seed=7)
    executed = {workflow[node_id]["class_type"] for node_id in host.run(workflow).executed}
    assert executed == {"KSampler", "VAEDecode", "SaveImage"}


def test_another_prompt_looks_at_the_photo_no_more(host, workflow, finished):
    change(workflow, "ConsistentIDFaceEncoder", prompt="an old man at the sea")
    executed = {workflow[node_id]["class_type"] for node_id in host.run(workflow).executed}
    assert executed == {"ConsistentIDFaceEncoder", "KSampler", "VAEDecode", "SaveImage"}


@pytest.fixture
def simple(host, workflow):
    """The portrait workflow with one node for the whole pack."""
    simple = keep(
        workflow,
        *("CheckpointLoaderSimple", "CLIPVisionLoader", "LoadImage"),
        *("EmptyLatentImage", "KSampler", "VAEDecode", "SaveImage"),
    )
    prompts = workflow[first(workflow, "ConsistentIDFaceEncoder")]["inputs"]
    loader = first(simple, "CheckpointLoaderSimple")
    inputs = {
        "model": [loader, 0],
        "clip": [loader, 1],
        "clip_vision": [first(simple, "CLIPVisionLoader"), 0],
        "image": [first(simple, "LoadImage"), 0],
        "prompt": prompts["prompt"],
        "negative_prompt": prompts["negative_prompt"],
        "model_name": host.models["consistentid"].name,
        "face_parser": host.models["face_parser"].name,
        "weight": 1.0,
        "merge_percent": 0.6,
        **dict.fromkeys(REGIONS, True),
    }
    simple["simple"] = {"class_type": "ConsistentIDSimple", "inputs": inputs}
    change(simple, "KSampler", model=["simple", 0], positive=["simple", 1], negative=["simple", 2])
    return simple


def test_the_simple_node_makes_a_portrait_of_its_own(host, simple):
    (portrait,) = host.portraits(simple)
    assert portrait.shape == (SIZE, SIZE, 3)


def test_the_simple_node_notices_a_replaced_adapter(host, simple):
    adapter = host.models["consistentid"]
    copied = (
        host.base.folder / "models" / "consistentid" / f"replaced{adapter.name[adapter.name.rindex('.') :]}"
    )
    shutil.copy(adapter.folder / adapter.name, copied)
    change(simple, "ConsistentIDSimple", model_name=copied.name)
    host.run(simple)
    copied.unlink()  # its tensors are mapped: written over, they would change under the server
    copied.write_bytes(b"something else")
    change(simple, "KSampler", seed=77)
    assert copied.name in host.fail(simple)["exception_message"]


def test_a_captioner_describes_the_face_without_a_connection(host, workflow):
    captioner = host.models["captioner"].name
    workflows.add_captioner(workflow, captioner, max_new_tokens=8, into_prompt=False)
    (text,) = host.run(workflow).outputs["shown_caption"]["text"]
    assert text.strip()


def test_a_portrait_over_a_photo_may_be_encoded_and_decoded_in_tiles(host, workflow):
    decode, sampler = first(workflow, "VAEDecode"), first(workflow, "KSampler")
    vae = workflow[decode]["inputs"]["vae"]
    tiles = {"tile_size": 64, "overlap": 0, "temporal_size": 64, "temporal_overlap": 8}
    workflow[decode] = {
        "class_type": "VAEDecodeTiled",
        "inputs": {"samples": [sampler, 0], "vae": vae, **tiles},
    }
    workflow["small"] = {
        "class_type": "ImageScale",
        "inputs": {
            "image": [first(workflow, "LoadImage"), 0],
            "upscale_method": "area",
            "width": SIZE,
            "height": SIZE,
            "crop": "disabled",
        },
    }
    workflow["tiles"] = {
        "class_type": "VAEEncodeTiled",
        "inputs": {"pixels": ["small", 0], "vae": vae, **tiles},
    }
    workflows.set_inputs(workflow, "KSampler", latent_image=["tiles", 0], denoise=0.5)
    (portrait,) = host.portraits(workflow)
    assert portrait.shape == (SIZE, SIZE, 3) and portrait.std() > 1


@pytest.mark.parametrize("file", ["rgba.png", "8k.jpg"])
def test_an_unusual_photo_is_taken(host, workflow, file):
    change(workflow, "LoadImage", image=file)
    for node_id in list(workflows.nodes_of(workflow, "PreviewImage")):
        del workflow[node_id]  # compressing pictures of this size takes longer than all the rest
    run = host.run(workflow)
    crops = run.outputs[first(workflow, "ConsistentIDFaceEncoder")]["consistentid_crops"]
    assert tuple(crop["region"] for crop in crops) == REGIONS
