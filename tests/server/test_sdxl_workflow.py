"""The shipped SDXL workflow, queued over HTTP, and pieces of SD1.5 and SDXL mixed up."""

import pytest
from server_host import SDXL_CHECKPOINT, SDXL_CONSISTENTID, SIZE, change, first

from tools import workflow as workflows


@pytest.fixture
def finished(host, sdxl_workflow):
    """The workflow's result; only the first test that asks for it computes anything."""
    return host.run(sdxl_workflow)


def test_the_shipped_settings_are_those_of_the_original_s_sdxl_pipeline():
    shipped = workflows.load("consistentid_sdxl_api.json")
    inputs = {node["class_type"]: node["inputs"] for node in shipped.values()}
    assert (inputs["EmptyLatentImage"]["width"], inputs["EmptyLatentImage"]["height"]) == (864, 1152)
    assert inputs["KSampler"]["cfg"] == 7.5
    assert inputs["KSampler"]["sampler_name"] == "euler"
    assert inputs["ConsistentIDFaceParser"]["parse_size"] == "1280"
    assert inputs["ConsistentIDFaceCaptioner"]["template"] == "SDXL"
    assert inputs["ConsistentIDFaceEncoder"]["merge_percent"] == 0.6


def test_the_portrait_arrives_in_the_size_asked_for(host, sdxl_workflow, finished):
    (file,) = finished.outputs[first(sdxl_workflow, "SaveImage")]["images"]
    portrait = host.picture(file)
    assert portrait.size == (SIZE, SIZE)
    assert len(portrait.getcolors(SIZE * SIZE)) > 1000


def test_the_prompt_has_the_original_s_sdxl_form_and_carries_every_part(sdxl_workflow, finished):
    (prompt,) = finished.outputs[first(sdxl_workflow, "ConsistentIDFaceEncoder")]["consistentid_prompt"]
    assert "; Detail:" in prompt["text"]
    assert "and a mouth" in prompt["text"]
    # Ears and eyes are swapped as in the original, whose weights were trained so.
    words = {word["word"]: word["region"] for word in prompt["words"]}
    assert words == {"face": "face", "ears": "eyes", "eyes": "ears", "nose": "nose", "mouth": "mouth"}


def test_another_seed_makes_another_portrait_and_runs_the_sampler_alone(host, sdxl_workflow, finished):
    workflows.set_inputs(sdxl_workflow, "KSampler", seed=7)
    run = host.run(sdxl_workflow)
    executed = {sdxl_workflow[node_id]["class_type"] for node_id in run.executed}
    assert executed == {"KSampler", "VAEDecode", "SaveImage"}


# ---------------------------------------------------------------- SD1.5 and SDXL mixed up


@pytest.fixture(params=["sd15", "sdxl"])
def mixed(request, host, workflow, sdxl_workflow):
    """A workflow with a loader of the other family's checkpoint, and the names of both families."""
    prompt, key, families = {
        "sd15": (workflow, SDXL_CHECKPOINT, ("SD1.5", "SDXL")),
        "sdxl": (sdxl_workflow, "checkpoint", ("SDXL", "SD1.5")),
    }[request.param]
    name = host.models[key].name
    prompt["other"] = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": name}}
    return prompt, *families


def test_a_text_encoder_of_the_other_family_is_refused(host, mixed):
    workflow, family, other = mixed
    change(workflow, "ConsistentIDFaceEncoder", clip=["other", 1])
    error = host.fail(workflow)
    assert error["node_type"] == "ConsistentIDFaceEncoder"
    assert f"CLIP belongs to {other}" in error["exception_message"]
    assert f"adapter is made for {family}" in error["exception_message"]
    assert host.server.is_running


def test_a_model_of_the_other_family_is_refused(host, mixed):
    workflow, family, other = mixed
    change(workflow, "ConsistentIDApply", model=["other", 0])
    error = host.fail(workflow)
    assert error["node_type"] == "ConsistentIDApply"
    assert f"The model is {other}" in error["exception_message"]
    assert f"Load a {family} checkpoint" in error["exception_message"]
    assert host.server.is_running


@pytest.mark.parametrize(
    ("family", "other", "key"), [("SD1.5", "SDXL", SDXL_CONSISTENTID), ("SDXL", "SD1.5", "consistentid")]
)
def test_an_adapter_of_the_other_family_is_refused(host, workflow, sdxl_workflow, family, other, key):
    prompt = workflow if family == "SD1.5" else sdxl_workflow
    change(prompt, "ConsistentIDModelLoader", model_name=host.models[key].name)
    error = host.fail(prompt)
    assert error["node_type"] in ("ConsistentIDFaceEncoder", "ConsistentIDApply")
    assert f"adapter is made for {other}" in error["exception_message"]
    assert host.server.is_running
