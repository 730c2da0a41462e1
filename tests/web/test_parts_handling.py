"""The parts widget under the hands: keyboard, zoom, node sizes, dragging, the slider and the close-up."""

import pytest

REGIONS = ["face", "eyes", "ears", "nose", "mouth"]


@pytest.fixture(scope="module")
def found(play, interface):
    return play("parts_handling", interface)


def test_tab_leads_to_the_first_chip_and_highlights_its_part(found):
    assert found["keyboard"]["first"] == "face"
    assert found["keyboard"]["highlighted"] == ["face"]


def test_arrow_keys_lead_from_chip_to_chip_and_around(found):
    keyboard = found["keyboard"]
    assert (keyboard["right"], keyboard["end"], keyboard["around"]) == ("eyes", "mouth", "face")


def test_space_and_enter_switch_the_focused_part(found):
    assert found["keyboard"]["afterSpace"] == {"on": ["face", "ears", "nose", "mouth"], "focused": "eyes"}
    assert found["keyboard"]["afterEnter"] == REGIONS


def test_the_chips_are_one_stop_of_the_tab_key_and_the_pencil_of_one_is_the_next(found):
    assert (found["keyboard"]["pencil"], found["keyboard"]["next"]) == (
        "consistentid-pencil",
        "consistentid-slider",
    )


def test_keys_for_the_chips_do_not_move_the_canvas(found):
    assert not found["keyboard"]["hasCanvasMoved"]


@pytest.mark.parametrize("index", range(3), ids=["far", "normal", "near"])
def test_a_click_meets_its_part_at_any_zoom(found, index):
    zoom = found["zooms"][index]
    assert zoom["off"] == ["face", "eyes", "ears", "nose"]
    assert zoom["on"] == REGIONS


@pytest.mark.parametrize("index", range(3), ids=["small", "large", "normal"])
def test_everything_stays_inside_the_node_at_any_size(found, index):
    size = found["sizes"][index]
    assert size["isInside"]
    assert size["isInNode"]
    assert size["picture"] > 100


def test_a_larger_node_shows_a_larger_picture(found):
    small, large, _ = (size["picture"] for size in found["sizes"])
    assert large > 2 * small


def test_dragging_the_node_repaints_and_changes_nothing(found):
    assert found["dragged"]["moved"] == pytest.approx([187.5, 75], abs=20)
    assert (found["dragged"]["paints"], found["dragged"]["changes"]) == (0, 0)


def test_the_slider_is_the_setting_and_the_setting_the_slider(found):
    assert found["slider"]["before"] == 45
    assert found["slider"]["after"] > 90
    assert found["slider"]["reset"] == "45"


def test_the_face_and_the_whole_photo_can_be_shown(found):
    assert found["closeUp"]["close"] == {"label": "Show the whole photo", "hasNose": True}
    assert found["closeUp"]["whole"] == {"label": "Show the face", "hasNose": True}


def test_the_wheel_over_the_picture_zooms_the_canvas(found):
    assert found["wheel"]["after"] > found["wheel"]["before"]


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
