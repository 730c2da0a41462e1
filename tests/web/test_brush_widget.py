"""The brush on the parts of a face: a real mouse paints, the next run sees it, and it can be taken back."""

import pytest


@pytest.fixture(scope="module")
def found(play, interface):
    return play("brush", interface)


def test_there_is_a_pencil_for_each_part_once_there_is_a_picture(found):
    assert found["pencilsBeforeRun"] == 0
    assert found["opened"]["isShown"] and found["opened"]["label"].endswith(": Nose")


def test_its_tools_stay_inside_the_view(found):
    assert found["opened"]["isInside"]


def test_its_file_is_no_input_to_type_into(found):
    seen = found["plain"]["isInputSeen"]
    assert seen["isHidden"] and not seen["inVue"]


def test_a_stroke_is_kept_in_a_file_that_the_workflow_names(found):
    painted = found["painted"]
    assert painted["file"].startswith("consistentid/brush_") and painted["sent"] == painted["file"]
    assert painted["line"] == "Changed since the last run."
    (correction,) = found["file"]["photos"].values()
    (stroke,) = correction["strokes"]
    assert (correction["width"], correction["height"]) == (512, 512)
    assert (stroke["region"], stroke["adds"]) == ("nose", True)


def test_what_is_painted_is_in_the_mask_of_the_next_run(found):
    assert found["afterRun"]["mask"] > found["plain"]["mask"] + 500
    assert found["afterRun"]["nose"] != found["plain"]["nose"]
    assert found["afterRun"]["line"] == ""


def test_what_is_erased_is_not(found):
    assert found["plain"]["mask"] < found["afterErasing"]["mask"] < found["afterRun"]["mask"]


def test_undo_takes_the_last_stroke_back_and_finds_the_file_before(found):
    assert found["undone"]["file"] == found["painted"]["file"]


def test_the_host_s_own_undo_goes_back_a_step_too_and_the_brush_stays(found):
    assert found["undoneByHost"]["file"] == found["erased"]["file"]
    assert found["isOpenAfterUndo"]


def test_keys_paint_as_well(found):
    keyboard = found["keyboard"]
    assert keyboard["label"].endswith(": Eyes")
    assert keyboard["opened"]["isShown"] and keyboard["opened"]["focused"]
    (correction,) = keyboard["content"]["photos"].values()
    assert [stroke["region"] for stroke in correction["strokes"]] == ["nose", "nose", "eyes"]
    assert not keyboard["closed"]["isShown"] and not keyboard["hasMoved"]


def test_after_undo_the_focus_is_where_it_was_and_can_be_seen(found):
    assert found["keyboard"]["focusAfterUndo"] == {"region": "ears", "isVisible": True}


def test_reset_takes_the_strokes_on_its_part_back_and_keeps_the_focus(found):
    assert found["reset"]["file"] not in ("", found["keyboard"]["after"]["file"])
    assert found["focusAfterReset"] == "Take all strokes on this part back"


def test_the_brush_can_be_put_down(found):
    assert not found["closed"]["isShown"]


def test_a_reloaded_workflow_has_its_strokes(found):
    assert found["reloaded"]["file"] == found["reloadedRun"]["sent"] == found["last"]["file"]
    assert found["reloadedRun"]["mask"] == found["last"]["mask"]


def test_strokes_of_another_photo_are_kept_aside_and_said_so(found):
    assert found["otherPhoto"]["line"] == "The brush strokes are of another photo and are kept aside."
    assert found["otherPhoto"]["file"] == found["last"]["file"]


def test_a_file_that_is_gone_is_told(found):
    assert found["goneEnd"] == "execution_error"
    assert "cannot be found in ComfyUI's input folder" in found["gone"]["line"] + found["gone"]["message"]


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
