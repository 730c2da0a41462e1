"""Pictures to score from a run, from MultiID-Bench's folders and from a table; and what is wrong with them."""

import json
import shutil

import numpy as np
import pytest
from evaluation_data import find_several, hand_networks, metric, painted, save, small_plan
from fake_server import FakeServer

from consistentid_core.errors import EvaluationError
from consistentid_core.evaluation.feature_store import FeatureStore
from consistentid_core.evaluation.pictures import collect
from consistentid_core.evaluation.plan import write_plan
from consistentid_core.evaluation.run import picture_of, run_plan
from consistentid_core.evaluation.score import score
from consistentid_core.evaluation.servers import Server


def test_a_run_brings_people_prompts_twins_and_times_and_names_what_is_missing(tmp_path):
    plan = small_plan(tmp_path / "people")
    write_plan(tmp_path / "run", plan)
    with FakeServer() as server:
        run_plan(plan, tmp_path / "run", [Server(server.url)], poll=0.005)
    picture_of(tmp_path / "run", plan.jobs[3]).unlink()
    found = collect(tmp_path / "run")
    assert [item.name for item in found.items] == [job.name for job in plan.jobs[:3]]
    first = found.items[0]
    assert (first.subjects[0].name, first.prompt, first.category) == ("anna", "a person in a hat", "clothing")
    assert first.plain == picture_of(tmp_path / "run", plan.jobs[4]) and len(first.subjects[0].others) == 1
    assert (first.seconds, first.phase, first.seed) == (2.5, "start", plan.jobs[0].seed)
    assert [(one.name, one.reason) for one in found.problems] == [(plan.jobs[3].name, "not drawn")]
    assert found.settings["device"] == "fake" and "ConsistentID-v1.bin" in found.settings["models"]


def write_case(folder, *angles, prompt="two people"):
    for number, angle in enumerate(angles, start=1):
        save(folder / f"ref_{number}.jpg", painted(angle))
    both = np.concatenate([painted(angle) for angle in angles], axis=1)
    save(folder / "out.jpg", both)
    save(folder / "ori.jpg", both)
    (folder / "meta.json").write_text(json.dumps({"prompt": prompt}))


def test_multiid_benchs_folders_are_read(tmp_path):
    write_case(tmp_path / "001", 0, 90)
    write_case(tmp_path / "002", 10)
    found = collect(tmp_path)
    assert [(item.name, len(item.subjects), item.prompt) for item in found.items] == [
        ("001", 2, "two people"),
        ("002", 1, "two people"),
    ]
    assert [subject.name for subject in found.items[0].subjects] == ["001/ref_1", "001/ref_2"]
    assert all(subject.others[0].name == "ori.jpg" for subject in found.items[0].subjects)


def test_in_multiid_benchs_target_each_person_is_found(tmp_path):
    write_case(tmp_path / "001", 0, 90)
    networks = hand_networks(detect=find_several, clips=())
    result = score(collect(tmp_path), networks, FeatureStore(None))
    # JPEG moves colours a little; Anna's face in the target must not be taken for Ben's.
    assert metric(result, "face_sim_other/judge").found["mean"] == pytest.approx(1, abs=0.01)


def test_cases_with_gaps_are_named(tmp_path):
    write_case(tmp_path / "001", 0)
    write_case(tmp_path / "002", 0)
    (tmp_path / "002" / "meta.json").write_text('{"text": "no key"}')
    write_case(tmp_path / "003", 0)
    (tmp_path / "003" / "ref_1.jpg").unlink()
    write_case(tmp_path / "004", 0)
    (tmp_path / "004" / "out.jpg").unlink()
    found = collect(tmp_path)
    assert [item.name for item in found.items] == ["001", "002"]
    assert {(one.name, one.reason) for one in found.problems} == {
        ("002/meta.json", "no prompt"),
        ("003", "no reference"),
        ("1 cases", "no picture"),
    }


@pytest.fixture
def folder(tmp_path):
    for name, angle in (("drawn", 10), ("anna", 0), ("anna_2", 30), ("ben", 90)):
        save(tmp_path / f"{name}.png", painted(angle))
    return tmp_path


def test_a_table_in_csv_is_read(folder):
    (folder / "table.csv").write_text(
        "picture,reference,person,others,prompt,category,seconds,phase\n"
        "drawn.png,anna.png;ben.png,anna;ben,anna_2.png,a hat,clothing,2.5,warm\n"
    )
    (item,) = collect(folder).items
    assert [subject.name for subject in item.subjects] == ["anna", "ben"]
    assert item.subjects[0].others == (folder / "anna_2.png",)
    assert (item.prompt, item.category, item.seconds, item.phase) == ("a hat", "clothing", 2.5, "warm")


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_table_in_json_is_read_from_anywhere(folder, wrapped):
    rows = [{"picture": "drawn.png", "reference": ["anna.png"], "prompt": "a hat"}]
    table = folder / "mine.json"
    table.write_text(json.dumps({"pictures": rows} if wrapped else rows))
    (item,) = collect(folder, table).items
    assert (item.subjects[0].name, item.picture) == ("anna", folder / "drawn.png")


def test_rows_that_cannot_be_used_are_named_and_the_others_taken(folder):
    rows = [
        {"picture": "drawn.png", "reference": "anna.png"},
        {"picture": "drawn.png", "reference": "anna.png"},
        {"picture": "a.png"},
        {"reference": "anna.png"},
        {"picture": "b.png", "reference": "anna.png", "person": "anna;ben"},
        {"picture": "c.png", "reference": "anna.png", "seconds": "soon"},
        {"picture": "d.png", "reference": "anna.png", "prompt": 3},
    ]
    (folder / "table.json").write_text(json.dumps(rows))
    found = collect(folder)
    assert len(found.items) == 1
    assert [one.detail for one in found.problems] == [
        "row 2 of table.json is left out",
        "it has no reference; each row needs the columns picture and reference",
        "it has no picture; each row needs the columns picture and reference",
        "it names 2 people and 1 references",
        "seconds is soon, expected a number",
        "prompt is int, expected a text",
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("table.json", "{", "is no table of pictures"),
        ("table.json", '{"rows": []}', "is no table of pictures"),
        ("table.json", "[1]", "is no table of pictures"),
        ("table.json", "[]", "no picture that can be scored"),
        ("table.csv", "a,b\n1,2\n", "no picture that can be scored"),
    ],
)
def test_what_is_no_table_is_named(folder, name, text, words):
    (folder / name).write_text(text)
    with pytest.raises(EvaluationError, match=words):
        collect(folder)


def test_other_folders_are_named_with_what_is_expected(folder):
    with pytest.raises(EvaluationError, match="neither a run"):
        collect(folder)
    with pytest.raises(EvaluationError, match="is no folder"):
        collect(folder / "missing")
    with pytest.raises(EvaluationError, match="cannot be read"):
        collect(folder, folder / "missing.csv")


def test_an_empty_run_is_named(tmp_path):
    write_plan(tmp_path / "run", small_plan(tmp_path / "people"))
    with pytest.raises(EvaluationError, match=r"no picture that can be scored(.|\n)*not drawn"):
        collect(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
