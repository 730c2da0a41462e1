"""People, prompts, protocols, and the jobs made of them."""

import json

import pytest
from drawn_faces import draw
from evaluation_data import save, small_plan, workflow, write_people

from consistentid_core.errors import EvaluationError
from consistentid_core.evaluation.people import find_people
from consistentid_core.evaluation.plan import PLAIN, make_plan, read_plan, write_plan
from consistentid_core.evaluation.prompts import (
    PERSON,
    count_categories,
    read_prompts,
    without_trigger,
)
from consistentid_core.evaluation.protocols import FASTCOMPOSER, OWN, PAPER
from consistentid_core.evaluation.workflow import fill, output_node, read_workflow, without_identity


def test_the_papers_protocol_is_15_people_times_45_prompts():
    prompts = PAPER.prompts()
    assert count_categories(prompts) == {"clothing": 10, "background": 10, "action": 15, "style": 10}
    assert (PAPER.people, PAPER.pictures) == (15, 1)
    assert PAPER.settings == {"steps": 50, "cfg": 5.0, "merge_percent": 0.6}


def test_fastcomposers_is_15_people_times_40_prompts_times_4():
    prompts = FASTCOMPOSER.prompts()
    assert count_categories(prompts) == dict.fromkeys(("accessory", "style", "context", "action"), 10)
    assert (FASTCOMPOSER.people, FASTCOMPOSER.pictures) == (15, 4)


@pytest.mark.parametrize("protocol", [PAPER, FASTCOMPOSER], ids=lambda one: one.name)
def test_every_prompt_names_the_person_once_and_no_foreign_trigger_word(protocol):
    texts = [prompt.text for prompt in protocol.prompts()]
    assert all(text.count(PERSON) == 1 for text in texts)
    assert not any("img" in text.lower().split() for text in texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a man img wearing a hat", "a man wearing a hat"),
        ("a woman IMG, smiling", "a woman, smiling"),
        ("an imgur page", "an imgur page"),
    ],
)
def test_the_trigger_word_of_another_model_is_taken_out(given, kept):
    assert without_trigger(given) == kept


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "# action\n{person} img runs\n\n# style\n{person} in oil\n"),
        (
            "a.json",
            '[{"prompt": "{person} runs", "category": "action"}, {"prompt": "{person} in oil", "category": "style"}]',
        ),
        ("b.json", '{"action": ["{person} runs"], "style": ["{person} in oil"]}'),
        ("a.csv", "prompt,category\n{person} runs,action\n{person} in oil,style\n"),
    ],
)
def test_a_list_of_prompts_is_read_from_any_form(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    prompts = read_prompts(tmp_path / name)
    assert [(one.name, one.about("woman"), one.category) for one in prompts] == [
        ("action_01", "woman runs", "action"),
        ("style_01", "woman in oil", "style"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "# only a category\n", "holds 0 prompts"),
        ("a.json", "{", "is no list of prompts"),
        ("a.json", "[1]", "is no list of prompts"),
        ("a.csv", "text\nhello\n", "is no list of prompts"),
        ("a.pdf", "", "by its name"),
        ("a.json", '{"a b": ["x"], "a-b": ["y"]}', "differ in signs only"),
    ],
)
def test_what_is_no_list_of_prompts_is_named(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(EvaluationError, match=words):
        read_prompts(tmp_path / name)


def test_people_are_folders_and_the_first_photo_is_the_reference(tmp_path):
    folder = write_people(tmp_path)
    save(folder / "ben" / "reference.png", draw(96, 120, (48, 60, 50)))
    (folder / "ben" / "person.json").write_text('{"word": "man"}')
    people, refused = find_people(folder)
    assert [(one.name, one.reference.name, len(one.others), one.word) for one in people] == [
        ("anna", "0.png", 1, "a person"),
        ("ben", "reference.png", 2, "man"),
    ]
    assert refused == []


def test_photos_that_cannot_be_used_are_named_and_the_others_taken(tmp_path):
    folder = write_people(tmp_path)
    (folder / "anna" / "0.png").write_bytes(b"\x89PNG half")
    (folder / "carl").mkdir()
    people, refused = find_people(folder)
    assert people[0].reference.name == "1.png"
    assert [(one.name, one.reason) for one in refused] == [
        ("anna/0.png", "photo cannot be used"),
        ("carl", "no usable photo"),
    ]


def test_nobody_is_an_error(tmp_path):
    with pytest.raises(EvaluationError, match="is no folder"):
        find_people(tmp_path / "missing")
    save(tmp_path / "photo.png", draw(96, 120, (48, 60, 50)))
    with pytest.raises(EvaluationError, match="Nobody is in"):
        find_people(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"word": 3}',
        '{"word": " "}',
        '{"word": "../../x"}',
        '{"word": "a\\\\b"}',
        '{"word": ".."}',
    ],
)
def test_a_damaged_note_on_a_person_is_named(tmp_path, text):
    folder = write_people(tmp_path)
    (folder / "anna" / "person.json").write_text(text)
    with pytest.raises(EvaluationError, match=r"person\.json"):
        find_people(folder)


def test_each_person_gets_each_prompt_with_the_same_noise_and_the_plain_model_too(tmp_path):
    plan = small_plan(tmp_path, pictures=2, seed=5)
    people = [job for job in plan.jobs if job.kind != PLAIN]
    plain = [job for job in plan.jobs if job.kind == PLAIN]
    assert (len(people), len(plain)) == (8, 4)
    assert len({job.name for job in plan.jobs}) == 12
    seeds = {(job.prompt, job.number): job.seed for job in plain}
    assert all(job.seed == seeds[job.prompt, job.number] for job in people)
    assert len(set(seeds.values())) == 4


def test_a_filled_workflow_has_photo_prompt_seed_and_settings_and_saves_nothing(tmp_path):
    plan = small_plan(tmp_path, settings={"steps": 3, "merge_percent": 0.5, "width": 320})
    job = plan.jobs[0]
    filled = plan.filled(job, "folder/photo.png")
    by_class = {node["class_type"]: node["inputs"] for node in filled.values()}
    assert by_class["LoadImage"]["image"] == "folder/photo.png"
    assert by_class["ConsistentIDFaceEncoder"]["prompt"] == "a person in a hat"
    assert by_class["ConsistentIDFaceEncoder"]["merge_percent"] == 0.5
    assert (by_class["KSampler"]["seed"], by_class["KSampler"]["steps"]) == (job.seed, 3)
    assert by_class["EmptyLatentImage"]["width"] == 320
    assert "SaveImage" not in by_class and "PreviewImage" in by_class
    assert plan.workflow == workflow()  # the template stays


def test_the_plain_model_keeps_prompt_and_sampler_and_knows_nobody(tmp_path):
    plan = small_plan(tmp_path)
    job = next(job for job in plan.jobs if job.kind == PLAIN)
    filled = plan.filled(job, "")
    classes = {node["class_type"] for node in filled.values()}
    assert classes == {
        "CheckpointLoaderSimple",
        "CLIPTextEncode",
        "EmptyLatentImage",
        "KSampler",
        "VAEDecode",
        "PreviewImage",
    }
    sampler = next(node["inputs"] for node in filled.values() if node["class_type"] == "KSampler")
    assert sampler["seed"] == job.seed
    assert filled[sampler["positive"][0]]["inputs"]["text"] == "a person in a hat"
    assert filled[sampler["negative"][0]]["inputs"]["text"].startswith("monochrome")
    assert filled[sampler["model"][0]]["class_type"] == "CheckpointLoaderSimple"


def test_the_simple_node_is_taken_out_as_well():
    from evaluation_data import ROOT

    simple = read_workflow(ROOT / "workflows" / "api" / "consistentid_simple_api.json")
    plain = without_identity(simple)
    sampler = next(node["inputs"] for node in plain.values() if node["class_type"] == "KSampler")
    assert {plain[sampler[name][0]]["class_type"] for name in ("positive", "negative")} == {"CLIPTextEncode"}
    assert not any(node["class_type"].startswith("ConsistentID") for node in plain.values())


def test_any_workflow_is_filled_where_it_is_marked():
    foreign = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "{photo}"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "photo, {prompt}, sharp"}},
        "3": {"class_type": "RandomNoise", "inputs": {"noise_seed": 0}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}},
    }
    filled = fill(foreign, photo="a.png", prompt="a hat", seed=7)
    assert filled["1"]["inputs"]["image"] == "a.png"
    assert filled["2"]["inputs"]["text"] == "photo, a hat, sharp"
    assert filled["3"]["inputs"]["noise_seed"] == 7
    assert output_node(filled) == "4"
    with pytest.raises(EvaluationError, match="--plain-workflow"):
        without_identity(foreign)


def test_what_a_workflow_has_no_place_for_is_named(tmp_path):
    plain = {"1": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}}}
    with pytest.raises(EvaluationError, match="0 places for prompt"):
        fill(plain, photo="a", prompt="b", seed=1)
    with pytest.raises(EvaluationError, match="no input called sharpness"):
        small_plan(tmp_path, settings={"sharpness": 3})
    (tmp_path / "editor.json").write_text('{"nodes": [], "links": []}')
    with pytest.raises(EvaluationError, match=r"Export \(API\)"):
        read_workflow(tmp_path / "editor.json")
    two = workflow() | {"99": {"class_type": "SaveImage", "inputs": {"images": ["14", 0]}}}
    with pytest.raises(EvaluationError, match="2 nodes of the kind SaveImage"):
        output_node(two)


def test_an_input_that_a_workflow_leaves_open_is_named():
    open_saver = workflow()
    next(node for node in open_saver.values() if node["class_type"] == "SaveImage")["inputs"].pop("images")
    with pytest.raises(EvaluationError, match="SaveImage .* has nothing connected to images"):
        fill(open_saver, photo="a", prompt="b", seed=1)
    for kind, name in (("ConsistentIDFaceEncoder", "clip"), ("ConsistentIDApply", "model")):
        opened = workflow()
        next(node for node in opened.values() if node["class_type"] == kind)["inputs"].pop(name)
        with pytest.raises(EvaluationError, match=f"{kind} .* has nothing connected to {name}"):
            without_identity(opened)


def test_another_number_of_people_than_the_protocols_is_said(tmp_path):
    people, _ = find_people(write_people(tmp_path))
    plan = make_plan(PAPER, people, PAPER.prompts(), workflow())
    assert plan.notes == ("The protocol asks for 15 people; these are 2.",)


def test_a_plan_is_read_as_it_was_written_and_another_is_not_put_over_it(tmp_path):
    plan = small_plan(tmp_path / "people")
    write_plan(tmp_path / "run", plan)
    assert read_plan(tmp_path / "run") == plan
    write_plan(tmp_path / "run", plan)  # the same again is no change
    with pytest.raises(EvaluationError, match="holds another plan"):
        write_plan(tmp_path / "run", small_plan(tmp_path / "people", seed=1))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "other", "version": 1}'])
def test_a_damaged_plan_is_named(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(EvaluationError, match=r"plan\.json"):
        read_plan(tmp_path)


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "anna/../../x", "", 3])
def test_a_plan_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    content = json.loads(write_plan(tmp_path / "run", small_plan(tmp_path / "people")).read_text("utf-8"))
    content["jobs"][0]["name"] = name
    (tmp_path / "run" / "plan.json").write_text(json.dumps(content))
    with pytest.raises(EvaluationError, match=r"plan\.json.*names no place below"):
        read_plan(tmp_path / "run")


@pytest.mark.parametrize(("key", "value"), [("person", "nobody"), ("kind", "other")])
def test_a_job_that_a_plan_knows_nothing_of_is_refused(tmp_path, key, value):
    content = json.loads(write_plan(tmp_path / "run", small_plan(tmp_path / "people")).read_text("utf-8"))
    content["jobs"][0][key] = value
    (tmp_path / "run" / "plan.json").write_text(json.dumps(content))
    with pytest.raises(EvaluationError, match=r"plan\.json.* is no plan of version 1"):
        read_plan(tmp_path / "run")


def test_no_plan_says_how_to_make_one(tmp_path):
    with pytest.raises(EvaluationError, match="Make a plan first"):
        read_plan(tmp_path)


def test_the_digest_of_a_job_knows_the_photo_and_the_settings(tmp_path):
    plan = small_plan(tmp_path)
    job = plan.jobs[0]
    other = json.loads(json.dumps(plan.workflow))
    other["13"]["inputs"]["cfg"] = 6
    from dataclasses import replace

    changed = replace(plan, workflow=other)
    elsewhere = replace(plan, people=tuple(replace(one, content="other") for one in plan.people))
    assert len({plan.digest(job), changed.digest(job), elsewhere.digest(job)}) == 3
    assert OWN.people == 0
