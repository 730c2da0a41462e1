"""Crop Face in the browser, with a mouse, and what the simple node does when it is new and when it is not."""

import pytest
from web_host import CLASSIC, NODES2

#: Detection runs on the server; what shows it is the same with every front end.
pytestmark = pytest.mark.parametrize("interface", [CLASSIC, NODES2], indirect=True, ids=str)

#: Of the two drawn faces, as shares of the photo's width.
LEFT, RIGHT = 150 / 600, 430 / 600


@pytest.fixture(scope="module")
def found(play, interface):
    return play("crop_face", interface)


def test_before_the_first_run_it_says_what_to_do(found):
    assert found["crop"]["before"].startswith("Run the workflow")


def test_the_faces_are_numbered_and_what_is_cut_out_is_shown_around_the_chosen_one(found):
    first = found["crop"]["first"]
    assert (first["numbers"], first["chosen"], first["isCut"]) == (["0", "1"], 0, True)
    assert first["middle"] == pytest.approx(LEFT, abs=0.03)
    assert first["width"] == pytest.approx(106 * 2.2 / 600, abs=0.04)
    assert "cut out around it" in first["line"]


def test_a_click_on_a_face_outside_the_cut_chooses_it(found):
    clicked = found["crop"]["clicked"]
    assert (clicked["chosen"], clicked["value"], clicked["isCut"]) == (1, 1, False)
    assert clicked["line"] == "Changed since the last run."


def test_the_next_run_cuts_that_face_out(found):
    second = found["crop"]["second"]
    assert second["isCut"] and second["middle"] - second["width"] / 2 < RIGHT
    # The face is near the edge: the box is moved inside.
    assert second["middle"] + second["width"] / 2 == pytest.approx(1, abs=0.02)
    assert second["width"] > 1.3 * found["crop"]["first"]["width"]


def test_a_face_that_is_large_enough_is_said_to_pass(found):
    portrait = found["crop"]["portrait"]
    assert not portrait["isCut"] and "the photo passes as it is" in portrait["line"]


def test_a_new_simple_node_crops_small_faces(found):
    assert (found["simple"]["fresh"], found["simple"]["reopened"]) == ("auto", "auto")


def test_a_simple_node_from_before_there_was_a_choice_goes_on_as_it_was(found):
    assert found["simple"]["older"] == "off"


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
