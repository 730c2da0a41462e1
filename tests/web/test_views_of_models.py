"""The views on nodes that need models: faces to choose, the prompt in colour, the simple node."""

import pytest
from web_host import CLASSIC, NODES2

from consistentid_core.regions import REGIONS

#: Running models takes long, and what shows their results is the same with every front end.
pytestmark = pytest.mark.parametrize("interface", [CLASSIC, NODES2], indirect=True, ids=str)

COLOURS = {region.name: "#{:02x}{:02x}{:02x}".format(*region.colour) for region in REGIONS}


@pytest.fixture(scope="module")
def found(play, interface):
    return play("models", interface)


def test_each_face_has_a_numbered_box_in_its_place(found):
    faces = found["faces"]["first"]
    assert faces["numbers"] == ["0", "1"]
    assert faces["places"] == pytest.approx([150 / 600, 430 / 600], abs=0.03)
    assert faces["chosen"] == 0


def test_clicking_a_face_sets_the_node_s_own_index(found):
    clicked = found["faces"]["clicked"]
    assert (clicked["chosen"], clicked["value"]) == (1, 1)
    assert clicked["line"] == "Changed since the last run."


def test_the_next_run_takes_that_face(found):
    assert (found["faces"]["afterRun"]["chosen"], found["faces"]["afterRun"]["line"]) == (1, "")


def test_choosing_a_face_can_be_undone(found):
    assert (found["faces"]["undone"]["chosen"], found["faces"]["undone"]["value"]) == (0, 0)


def test_before_the_first_run_the_prompt_says_what_to_do(found):
    assert found["prompt"]["before"]["message"].startswith("Run the workflow")


def test_the_final_text_is_shown_with_the_part_words_in_the_colours_of_their_parts(found):
    prompt = found["prompt"]["after"]
    assert prompt["text"].startswith(f"{found['prompt']['words']}Detail:")
    # Ears and eyes are swapped as in the original, whose weights were trained so.
    carried = {"face": "face", "ears": "eyes", "eyes": "ears", "nose": "nose", "mouth": "mouth"}
    assert {mark["word"]: mark["colour"] for mark in prompt["marks"]} == {
        word: COLOURS[region] for word, region in carried.items()
    }
    assert prompt["marks"][1]["carries"].endswith(": Eyes")


def test_the_crops_are_shown_by_name(found):
    assert found["prompt"]["after"]["crops"] == ["Face", "Eyes", "Ears", "Nose", "Mouth"]


def test_a_prompt_that_is_cut_says_so(found):
    assert found["prompt"]["after"]["notes"] == []
    (note,) = found["prompt"]["long"]["notes"]
    assert "of 77 tokens" in note


@pytest.mark.parametrize("state", ["before", "after", "long"])
def test_the_prompt_stays_inside_its_node(found, state):
    assert found["prompt"][state]["isInside"]


def test_parse_face_shows_the_parts_the_network_found(found):
    assert len(found["parser"]["after"]["chips"]) == 5


def test_a_click_switches_parse_face_s_own_widget(found):
    clicked = found["parser"]["clicked"]
    assert clicked["values"][clicked["region"]] is False


def test_the_simple_node_shows_the_parts_its_inner_nodes_found(found):
    assert found["simple"]["end"] == "execution_success"
    assert len(found["simple"]["after"]["chips"]) == 5


def test_the_simple_node_says_when_its_prompt_is_cut(found):
    assert "of 77 tokens" in found["simple"]["after"]["line"]


def test_a_click_switches_the_simple_node_s_own_widget(found):
    clicked = found["simple"]["clicked"]
    assert clicked["values"][clicked["region"]] is False


def test_the_simple_node_shows_its_parts_again_when_the_workflow_is_opened(found):
    opened = found["simple"]["opened"]
    off = [chip["region"] for chip in opened["chips"] if not chip["isOn"]]
    assert off == [found["simple"]["clicked"]["region"]]


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
