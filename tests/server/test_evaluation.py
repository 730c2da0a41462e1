"""The evaluation's runs on a real server: workflows that it takes, pictures, conditions, and the plain model."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image
from server_host import first

from consistentid_core.evaluation.people import find_people
from consistentid_core.evaluation.plan import OF_A_PERSON, PLAIN, make_plan, write_plan
from consistentid_core.evaluation.prompts import named
from consistentid_core.evaluation.protocols import OWN
from consistentid_core.evaluation.run import picture_of, record_of, run_plan
from consistentid_core.evaluation.servers import JobRejected, Server
from tools import paths
from tools import workflow as workflows

PROMPT = "person on a pier"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture
def plan(folder, workflow):
    person = folder / "people" / "eileen"
    person.mkdir(parents=True, exist_ok=True)
    shutil.copy(paths.WORKFLOWS / "assets" / "astronaut.png", person)
    people, _ = find_people(folder / "people")
    return make_plan(OWN, people, named([(PROMPT, "background")], "test"), workflow, pictures=2)


@pytest.fixture
def outcome(host, plan, folder):
    """Only the first test that asks for it draws anything."""
    write_plan(folder / "run", plan)
    return run_plan(plan, folder / "run", [Server(host.server.url)], patience=5)


def test_every_picture_arrives_and_is_drawn_once(outcome, plan, folder, host):
    assert outcome.failed == {} and outcome.left == 0 and outcome.drawn + outcome.before == 4
    again = run_plan(plan, folder / "run", [Server(host.server.url)], patience=5)
    assert (again.drawn, again.before) == (0, 4)


def test_conditions_and_seconds_are_the_servers(outcome, plan, folder):
    notes = {job: record_of(folder / "run", plan, job) for job in plan.jobs}
    assert all(note["seconds"] > 0 and note["device"] == "cpu" for note in notes.values())
    first_picture, second = (note["phase"] for job, note in notes.items() if job.kind == OF_A_PERSON)
    assert first_picture in ("start", "cold") and second == "warm"


def test_the_plain_model_is_the_one_without_our_nodes(outcome, plan, folder, host, plain_workflow):
    job = next(job for job in plan.jobs if job.kind == PLAIN)
    workflows.set_inputs(plain_workflow, "KSampler", seed=job.seed)
    plain_workflow["positive"]["inputs"]["text"] = PROMPT
    run = host.run(plain_workflow)
    expected = host.picture(run.outputs[first(plain_workflow, "SaveImage")]["images"][0])
    drawn = Image.open(io.BytesIO(picture_of(folder / "run", job).read_bytes()))
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(expected))


def test_the_person_changes_the_picture(outcome, plan, folder):
    pictures = {}
    for job in plan.jobs:
        drawn = np.asarray(Image.open(picture_of(folder / "run", job)))
        pictures.setdefault(job.seed, []).append(drawn)
    assert len(pictures) == 2
    assert all((person != plain).any() for person, plain in pictures.values())


def test_a_model_the_server_does_not_have_is_said_in_its_words(plan, host, tmp_path):
    workflows.set_inputs(plan.workflow, "CheckpointLoaderSimple", ckpt_name="nowhere.safetensors")
    with pytest.raises(JobRejected, match=r"nowhere\.safetensors"):
        run_plan(plan, tmp_path, [Server(host.server.url)], patience=5)


def test_a_photo_without_a_face_is_named_and_the_plain_model_goes_on(plan, host, tmp_path):
    from dataclasses import replace

    from consistentid_core.data.sources import content_id

    grey = tmp_path / "grey.png"
    Image.new("RGB", (400, 300), "grey").save(grey)
    person = replace(plan.people[0], reference=grey, content=content_id(grey.read_bytes()))
    outcome = run_plan(
        replace(plan, people=(person,)), tmp_path / "run", [Server(host.server.url)], patience=5
    )
    assert outcome.drawn == 2 and len(outcome.failed) == 2
    assert all("face" in why.lower() for why in outcome.failed.values())
