"""Drawing a plan's pictures on servers that fail in every way: nothing twice, nothing half, and on with the others."""

import json
import threading
from dataclasses import replace

import pytest
from evaluation_data import small_plan
from fake_server import FakeServer
from PIL import Image

from consistentid_core.data import storage
from consistentid_core.errors import EvaluationError, ServerError
from consistentid_core.evaluation.plan import OF_A_PERSON
from consistentid_core.evaluation.run import picture_of, record_of, run_plan, summary
from consistentid_core.evaluation.servers import JobRejected, Server, ServerLost


@pytest.fixture
def plan(tmp_path):
    return small_plan(tmp_path / "people")


def draw(plan, folder, *servers, **options):
    """The run, with no time lost in waiting."""
    reached = [Server(server if isinstance(server, str) else server.url, seconds=5) for server in servers]
    return run_plan(plan, folder, reached, **{"patience": 0.2, "poll": 0.005} | options)


def whole(plan, folder):
    """How many pictures are there, opened to be sure."""
    for job in plan.jobs:
        if record_of(folder, plan, job) is not None:
            Image.open(picture_of(folder, job)).load()
    return sum(record_of(folder, plan, job) is not None for job in plan.jobs)


def test_every_picture_is_drawn_once_with_its_settings_beside_it(plan, tmp_path):
    with FakeServer() as server:
        outcome = draw(plan, tmp_path, server)
    assert (outcome.drawn, outcome.before, outcome.failed, outcome.lost) == (6, 0, {}, {})
    assert whole(plan, tmp_path) == 6
    assert sorted(server.drawn.values()) == [3, 3]  # two seeds, each for two people and the plain model
    assert len(server.uploads) == 2  # a photo is sent once
    job = plan.jobs[0]
    note = json.loads(picture_of(tmp_path, job).with_suffix(".json").read_text())
    assert note["job"]["text"] == "a person in a hat"
    assert (note["seconds"], note["device"], note["comfyui"]) == (2.5, "fake", "0.0")
    assert note["workflow"]["13"]["inputs"]["seed"] == job.seed


def test_the_first_picture_a_new_photo_and_a_known_one_are_told_apart(plan, tmp_path):
    with FakeServer() as server:
        draw(plan, tmp_path, server)
    phases = [record_of(tmp_path, plan, job)["phase"] for job in plan.jobs if job.kind == OF_A_PERSON]
    assert phases == ["start", "warm", "cold", "warm"]


def test_going_on_draws_only_what_is_missing(plan, tmp_path):
    with FakeServer() as server:
        draw(plan, tmp_path, server)
        first, second, third, *_ = plan.jobs
        picture_of(tmp_path, first).unlink()
        picture_of(tmp_path, second).write_bytes(b"half")
        picture_of(tmp_path, third).with_suffix(".json").write_text('{"digest"')
        outcome = draw(plan, tmp_path, server)
    assert (outcome.drawn, outcome.before) == (3, 3)
    assert whole(plan, tmp_path) == 6


def test_a_picture_of_other_settings_is_not_taken_for_the_planned_one(plan, tmp_path):
    with FakeServer() as server:
        draw(plan, tmp_path, server)
    assert whole(replace(plan, settings={"steps": 7}), tmp_path) == 0


def test_a_server_that_dies_is_named_and_the_others_do_its_work(plan, tmp_path):
    with FakeServer(dies_after=1) as dying, FakeServer() as other:
        outcome = draw(plan, tmp_path, dying, other)
    assert outcome.drawn == 6 and list(outcome.lost) == [dying.url] and outcome.left == 0
    assert whole(plan, tmp_path) == 6


def test_with_the_last_server_gone_the_run_stops_and_can_go_on(plan, tmp_path):
    with FakeServer(dies_after=2) as dying:
        outcome = draw(plan, tmp_path, dying)
    assert (outcome.drawn, outcome.left) == (2, 4)
    assert whole(plan, tmp_path) == 2
    said = summary(outcome, tmp_path)
    assert dying.url in said and "4 pictures are missing; the same command goes on" in said
    with FakeServer() as server:
        outcome = draw(plan, tmp_path, server)
    assert (outcome.drawn, outcome.before) == (4, 2)


def test_a_server_that_was_never_there_is_named(plan, tmp_path):
    outcome = draw(plan, tmp_path, "http://127.0.0.1:9")
    assert outcome.left == 6 and "does not answer" in outcome.lost["http://127.0.0.1:9"]


@pytest.mark.parametrize(
    ("path", "faults"),
    [
        ("/history", [500, 503]),
        ("/history", ["half", "garbage"]),
        ("/history", ["hang up"]),
        ("/view", ["half", "garbage"]),
        ("/prompt", [500]),
        ("/prompt", ["garbage"]),
        ("/upload", [500]),
        ("/upload", ["half"]),
        ("/queue", ["garbage"]),
        ("/system_stats", [500]),
    ],
)
def test_answers_that_fail_for_a_while_cost_nothing_but_time(plan, tmp_path, path, faults):
    with FakeServer() as server:
        server.answers[path] = list(faults)
        outcome = draw(plan, tmp_path, server, patience=5)
    assert outcome.drawn == 6 and outcome.failed == {}
    assert whole(plan, tmp_path) == 6


def test_an_answer_lost_on_the_way_does_not_draw_a_picture_twice(plan, tmp_path):
    with FakeServer() as server:
        server.answers["/history"] = ["hang up", 500, "half"]
        draw(plan, tmp_path, server, patience=5)
    assert sum(server.drawn.values()) == 6


def test_pictures_that_stay_half_are_given_up_and_never_kept(plan, tmp_path):
    with FakeServer() as server:
        server.answers["/view"] = ["half"] * 1000
        outcome = draw(plan, tmp_path, server)
    assert outcome.drawn == 0 and len(outcome.failed) == 6
    assert all("no whole picture" in why for why in outcome.failed.values())
    assert not list((tmp_path / "pictures").rglob("*.png"))


def test_a_restarted_server_gets_the_picture_again(plan, tmp_path):
    with FakeServer() as server:
        asked = server.get

        def forget_once(path, query):
            if path.startswith("/history/") and not server.cancelled:
                server.cancelled.append("forgotten")
                server.forget()
            return asked(path, query)

        server.get = forget_once
        outcome = draw(plan, tmp_path, server)
    assert outcome.drawn == 6 and whole(plan, tmp_path) == 6


def test_a_photo_without_a_face_is_counted_and_the_others_go_on(plan, tmp_path):
    anna = plan.people[0].content

    def shows_anna(workflow):
        return any(anna in str(node["inputs"].get("image")) for node in workflow.values())

    with FakeServer(fails=shows_anna) as server:
        outcome = draw(plan, tmp_path, server)
    assert outcome.drawn == 4 and set(outcome.failed) == {"anna/clothing_01_1", "anna/background_01_1"}
    assert all(why == "ConsistentIDEmbedding: No face found." for why in outcome.failed.values())
    with FakeServer() as server:  # mended: the next run tries again
        assert draw(plan, tmp_path, server).drawn == 2


def test_a_run_stops_at_the_first_failure_if_that_is_wanted(plan, tmp_path):
    with FakeServer(fails=lambda workflow: True) as server:
        outcome = draw(plan, tmp_path, server, stop_at_failure=True)
    assert len(outcome.failed) == 1 and outcome.left == 5


def test_a_workflow_the_server_refuses_ends_the_run_in_its_words(plan, tmp_path):
    with FakeServer(rejects=lambda workflow: True) as server, pytest.raises(JobRejected) as caught:
        draw(plan, tmp_path, server)
    assert "CheckpointLoaderSimple" in str(caught.value) and "x.safetensors" in str(caught.value)
    assert whole(plan, tmp_path) == 0


def test_a_full_disk_ends_the_run_and_leaves_nothing_half(plan, tmp_path, monkeypatch):
    real, written = storage.write, []

    def write(path, data):
        if path.suffix == ".png" and len(written) == 2:
            raise storage.StorageError(f"The disk is full: '{path}' could not be written.")
        written.append(path) if path.suffix == ".png" else None
        real(path, data)

    monkeypatch.setattr("consistentid_core.evaluation.run.storage.write", write)
    with FakeServer() as server, pytest.raises(storage.StorageError, match="disk is full"):
        draw(plan, tmp_path, server)
    monkeypatch.undo()
    assert whole(plan, tmp_path) == 2
    with FakeServer() as server:
        assert draw(plan, tmp_path, server).drawn == 4


def test_two_runs_in_one_folder_do_not_meet(plan, tmp_path):
    with FakeServer() as server:
        server.get, waiting, asked = _held(server)
        thread = threading.Thread(target=draw, args=(plan, tmp_path, server))
        thread.start()
        assert waiting.wait(10)
        with pytest.raises(EvaluationError, match="Another run is at work"):
            draw(plan, tmp_path, server)
        asked.set()
        thread.join(20)
    assert whole(plan, tmp_path) == 6


def _held(server):
    """A server whose first answer waits until it is let go."""
    get, waiting, asked = server.get, threading.Event(), threading.Event()

    def held(path, query):
        waiting.set()
        asked.wait(10)
        return get(path, query)

    return held, waiting, asked


def test_a_changed_or_missing_photo_is_named_before_anything_is_drawn(plan, tmp_path):
    photo = plan.people[0].reference
    original = photo.read_bytes()
    with FakeServer() as server:
        photo.write_bytes(original + b"x")
        with pytest.raises(EvaluationError, match="is not the one that was planned"):
            draw(plan, tmp_path, server)
        photo.unlink()
        with pytest.raises(EvaluationError, match="photo of anna cannot be read"):
            draw(plan, tmp_path, server)
    assert not server.drawn


def test_a_workflow_may_show_other_pictures_besides(plan, tmp_path):
    shown = {"0": {"class_type": "PreviewImage", "inputs": {"images": ["8", 2]}}}
    with FakeServer() as server:
        outcome = draw(replace(plan, workflow=shown | plan.workflow), tmp_path, server)
    assert outcome.drawn == 6


def test_two_servers_share_the_work(plan, tmp_path):
    with FakeServer() as one, FakeServer() as other:
        outcome = draw(plan, tmp_path, one, other)
        assert outcome.drawn == 6
        assert sum(one.drawn.values()) + sum(other.drawn.values()) == 6


@pytest.mark.parametrize("url", ["ftp://host", "http://", "://"])
def test_what_is_no_address_is_named(url):
    with pytest.raises(ValueError, match="no address of a server"):
        Server(url)


def test_an_address_may_be_short():
    assert Server("127.0.0.1:8188/").url == "http://127.0.0.1:8188"


def test_a_server_of_something_else_is_named():
    with FakeServer() as server:
        server.answers["/system_stats"] = ["garbage"]
        with pytest.raises(ServerLost, match="as no ComfyUI server does"):
            Server(server.url).system()
        assert issubclass(ServerLost, ServerError)
