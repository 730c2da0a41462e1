"""The parts of a face on Face Parts from Label Map: run, click, run again, save, copy, undo."""

import numpy as np
import pytest
from PIL import Image
from web_host import ASSETS, EARS

REGIONS = ["face", "eyes", "ears", "nose", "mouth"]
VIEW = "parts_preview"
ALL_ON = dict.fromkeys(REGIONS, True)


@pytest.fixture(scope="module")
def found(play, interface):
    return play("parts", interface)


def switches(values):
    return {region: values[region] for region in REGIONS}


def without(*regions):
    return [region for region in REGIONS if region not in regions]


def test_before_the_first_run_it_says_what_to_do(found):
    assert not found["beforeRun"]["isShown"]
    assert found["beforeRun"]["message"].startswith("Run the workflow")


def test_after_a_run_the_parts_are_coloured_in_the_picture(found):
    assert found["afterRun"]["isShown"]
    assert 0.1 < found["painted"] < 0.5


def test_there_is_a_chip_with_name_and_area_for_each_part(found):
    chips = found["afterRun"]["chips"]
    assert [chip["region"] for chip in chips] == REGIONS
    assert [chip["text"] for chip in chips] == [
        "Face 3%",
        "Eyes 0.08%",
        "Ears 0.08%",
        "Nose 0.3%",
        "Mouth 0.09%",
    ]
    assert all(chip["isOn"] and not chip["isDisabled"] for chip in chips)


def test_what_is_loaded_for_a_photo_is_small(found, host):
    (entry,) = found["files"]
    masks = [part["mask"] for part in entry["parts"]]
    assert sum(map(host.size, [entry["photo"], *masks])) < 300_000


def test_pointing_at_a_part_highlights_its_chip(found):
    assert found["hovered"] == ["nose"]


def test_clicking_a_part_in_the_picture_switches_the_node_s_own_widget(found):
    assert switches(found["afterPictureClick"]["values"]) == {**ALL_ON, "nose": False}
    assert found["afterPictureClick"]["line"] == "Changed since the last run."


def test_the_switch_is_sent_to_the_server_and_the_view_is_not(found):
    assert found["afterPictureClick"]["sent"]["switches"] == {**ALL_ON, "nose": False}
    assert VIEW not in found["afterPictureClick"]["sent"]["names"]


def test_clicking_a_chip_switches_the_node_s_own_widget(found):
    assert found["afterChipClick"]["on"] == without("nose", "ears")
    assert switches(found["afterChipClick"]["values"]) == {**ALL_ON, "nose": False, "ears": False}


def test_the_mask_changes_with_the_next_run(found):
    labels = np.asarray(Image.open(ASSETS / "astronaut_labels.png"))
    ears = np.isin(labels, EARS).sum()
    change = found["maskOfAll"] - found["afterSecondRun"]["mask"]
    # The nose lies on the face, so only the ears go; a few of their pixels lie on the face's soft edge.
    assert 0.5 * ears < change < 1.1 * ears
    assert found["afterSecondRun"]["line"] == ""


def test_the_node_s_own_switch_moves_the_chip(found):
    assert found["afterOwnSwitch"] == without("nose")


def test_a_click_can_be_undone_and_done_again(found):
    undone = found["undone"]
    assert undone["before"] == undone["undone"] == undone["undoneAgain"] == without("nose")
    assert undone["clicked"] == without("nose", "mouth")
    assert undone["redone"] == undone["clickedAgain"]["on"]


def test_after_undoing_the_view_works_on_the_new_node(found):
    again = found["undone"]["clickedAgain"]
    assert again["on"] == without("nose", "eyes")
    assert switches(again["values"]) == {**ALL_ON, "nose": False, "eyes": False}


def test_a_copy_has_the_values_and_switches_of_its_own(found):
    pasted = found["pasted"]
    assert switches(pasted["copied"]) == switches(pasted["original"]) == {**ALL_ON, "nose": False}
    assert switches(pasted["afterwards"]) == switches(pasted["original"])


def test_the_workflow_holds_the_switches_and_nothing_of_the_view(found):
    values = found["pasted"]["original"]
    assert found["stored"] == [value for name, value in values.items() if name != VIEW]


@pytest.mark.parametrize("event", ["afterTabSwitch", "afterReload"])
def test_values_and_picture_survive(found, event):
    assert switches(found[event]["values"]) == {**ALL_ON, "nose": False}
    assert found[event]["on"] == without("nose")


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []


@pytest.fixture(scope="module")
def in_subgraph(play, interface):
    return play("parts_subgraph", interface)


def test_inside_a_subgraph_a_click_switches_the_inner_node(in_subgraph):
    assert in_subgraph["on"] == REGIONS
    assert in_subgraph["afterClick"]["on"] == without("ears")
    assert switches(in_subgraph["afterClick"]["values"]) == {**ALL_ON, "ears": False}
    assert in_subgraph["afterClick"]["sent"]["switches"] == {**ALL_ON, "ears": False}


def test_inside_a_subgraph_the_mask_changes_with_the_next_run(in_subgraph):
    assert in_subgraph["afterSecondRun"]["mask"] < in_subgraph["maskOfAll"]
    assert in_subgraph["afterSecondRun"]["on"] == without("ears")


def test_inside_a_subgraph_values_and_picture_survive_saving_and_opening(in_subgraph):
    assert in_subgraph["afterOpening"]["on"] == without("ears")
    assert switches(in_subgraph["afterOpening"]["values"]) == {**ALL_ON, "ears": False}


def test_inside_a_subgraph_the_scripts_report_no_errors(in_subgraph):
    assert in_subgraph["problems"] == []


@pytest.fixture(scope="module")
def colours(play, interface):
    return play("parts_palette", interface)


def test_its_colours_follow_the_palette(colours):
    dark, light = colours["dark"], colours["light"]
    assert luminance(dark["chip"][0][0]) > 0.3 > 0.1 > luminance(light["chip"][0][0])
    assert luminance(dark["surface"]) < 0.1 < 0.3 < luminance(light["surface"])
    assert colours["problems"] == []


@pytest.mark.parametrize("palette", ["dark", "light"])
@pytest.mark.parametrize("place", ["chip", "share", "line", "message", "errorLine", "errorMessage"])
def test_every_text_can_be_read(colours, palette, place):
    """By the measure of WCAG 2.1: 4.5 to 1 for small text."""
    pairs = [sorted(map(luminance, pair)) for pair in colours[palette][place]]
    assert pairs
    assert min((lighter + 0.05) / (darker + 0.05) for darker, lighter in pairs) >= 4.5


def luminance(colour):
    """Relative luminance (0..1) of an 8-bit sRGB colour.  Source: WCAG 2.1."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


@pytest.fixture(scope="module")
def mixed(play, interface):
    return play("parts_mixed", interface)


def test_each_part_of_a_mixed_face_says_which_photo_it_is_from_and_how_strong_it_is(mixed):
    assert [chip["text"] for chip in mixed["before"]["chips"]] == [
        "Face photo 1",
        "Eyes photo 1 ×0.50",
        "Ears photo 1",
        "Nose photo 2",
        "Mouth photo 1 ×0.00",
    ]
    assert [chip["region"] for chip in mixed["before"]["chips"] if not chip["isOn"]] == ["mouth"]


def test_a_part_of_a_mixed_face_leads_to_its_photo(mixed):
    assert (mixed["before"]["page"], mixed["after"]["page"]) == ("1 / 2", "2 / 2")


def test_a_mixed_face_has_no_switches_to_differ_from(mixed):
    assert mixed["before"]["line"] == ""


def test_a_mixed_face_reports_no_errors(mixed):
    assert mixed["problems"] == []
