"""The parts widget when something is not as it should be: it says so in a line, and nothing throws."""

import pytest

GONE = "The pictures of the last run are gone, as after a restart of ComfyUI. Run the workflow again."
NO_PHOTO = "There is no photo to show: the face comes from a file."
BEFORE = "Run the workflow to see the parts of the face here."


@pytest.fixture(scope="module")
def found(play, interface):
    return play("parts_trouble", interface)


def test_a_photo_without_a_face_is_told_on_the_node(found):
    assert found["noFace"]["end"] == "execution_error"
    assert found["noFace"]["message"].startswith("No part of a face was found in image 1 (512x512)")


def test_an_error_goes_when_the_server_refuses_the_next_run(found):
    assert found["noFace"]["afterRefusal"] == {"errors": 1, "message": BEFORE}


def test_a_missing_part_is_a_greyed_chip_with_the_reason(found):
    ears = found["missing"]["ears"]
    assert ears["isDisabled"]
    assert ears["text"] == "Ears not found"
    assert ears["title"].startswith("Ears: not found in this photo.")


def test_a_click_on_a_missing_part_changes_nothing(found):
    assert found["missing"]["values"]["ears"] is True


def test_all_parts_off_is_told_before_the_run_and_can_be_put_right_after_it(found):
    off = found["allOff"]
    assert off["line"] == "All parts are switched off. Switch on at least one."
    assert off["end"] == "execution_error"
    assert off["error"] == "All parts of the face are switched off. Switch on at least one."
    assert off["isShown"]
    assert off["recovered"] == "execution_success"


def test_a_batch_has_pages_and_its_size(found):
    batch = found["batch"]
    assert (batch["first"], batch["fourth"], batch["last"]) == ("1 / 64", "4 / 64", "8 / 64")
    assert batch["line"] == "The first 8 of 64 photos are shown."
    assert batch["chips"] == 5


def test_a_switch_that_another_node_decides_shows_its_value_and_is_left_alone(found):
    linked = found["linked"]
    assert linked["before"]["isDisabled"] and not linked["before"]["isOn"]
    assert linked["before"]["title"].startswith("Nose: switched by the node that is connected")
    assert linked["after"]["isOn"] == linked["before"]["isOn"]
    assert isinstance(linked["sent"], list)


def test_results_of_other_versions_are_told_as_missing(found):
    assert [state["message"] for state in found["odd"]] == [NO_PHOTO, *[BEFORE] * 3, *[GONE] * 2]
    assert not any(state["isShown"] for state in found["odd"])


def test_files_that_are_gone_are_told_and_the_next_run_shows_them(found):
    assert not found["gone"]["isShown"]
    assert found["gone"]["message"] == GONE
    assert found["gone"]["afterRun"]


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
