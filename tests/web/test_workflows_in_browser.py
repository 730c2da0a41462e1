"""Every shipped workflow, opened from the template browser in every interface."""

import json

import pytest

from tools import paths

NAMES = sorted(path.stem for path in paths.WORKFLOWS.glob("*.json"))


@pytest.fixture(scope="module")
def found(play, interface) -> dict:
    return play("workflows", interface)


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def seen(found, name) -> dict:
    """What a workflow looks like on the page."""
    return found["workflows"][name]


@pytest.fixture
def shipped(name) -> dict:
    return json.loads((paths.WORKFLOWS / f"{name}.json").read_text("utf-8"))


def test_our_scripts_report_no_problem(found):
    assert found["problems"] == []


def test_every_node_and_link_is_there(seen, shipped):
    assert seen["missingNodes"] == []
    assert seen["nodes"] == len(shipped["nodes"])
    assert seen["links"] == len(shipped["links"])


def test_the_twin_is_what_the_interface_would_send(seen, name):
    """If a node's inputs have changed: python tools/make_workflows.py"""
    # Newer front ends also note which pack a node is from.
    sent = {key: {**node, "_meta": {"title": node["_meta"]["title"]}} for key, node in seen["prompt"].items()}
    assert sent == json.loads((paths.API_WORKFLOWS / f"{name}_api.json").read_text("utf-8"))


def test_no_node_covers_another_or_leaves_its_group(seen):
    assert seen["overlaps"] == []
    assert seen["outside"] == []


def test_models_that_are_missing_are_named_with_folder_and_address(seen, shipped):
    """On this server all are, as it has stand-ins of other names."""
    wanted = [
        model
        for node in shipped["nodes"]
        if node["mode"] == 0
        for model in node["properties"].get("models", [])
    ]
    told = {model["name"]: model for model in seen["missingModels"]}
    assert wanted != []
    assert [told.get(model["name"]) for model in wanted] == wanted
