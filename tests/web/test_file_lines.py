"""The lines for model files on ConsistentID (simple)."""

import pytest
from web_host import CLASSIC, NODES2

from consistentid_core.files.catalogue import FACE_PARSER

#: Nothing here depends on the age of the front end.
pytestmark = pytest.mark.parametrize("interface", [CLASSIC, NODES2], indirect=True, ids=str)


@pytest.fixture(scope="module")
def found(play, interface):
    return play("files", interface)


def test_with_auto_and_all_files_it_is_one_line(found):
    assert (found["auto"]["summary"], found["auto"]["isOpen"]) == ("All model files are there.", False)
    assert {line["state"] for line in found["auto"]["lines"]} == {"found"}


def test_opened_it_names_each_file_with_its_place(found):
    titles = [line["title"] for line in found["opened"]["lines"]]
    assert titles == [
        "ConsistentID for SD1.5",
        "Face parser",
        "Face detector",
        "Face recogniser",
        "Packages for face recognition",
        "CLIP vision ViT-H/14",
    ]
    assert found["opened"]["isOpen"] and found["opened"]["command"] is None
    assert "consistentid/standin_ConsistentID-v1_narrow.bin" in found["opened"]["lines"][0]["text"]


def test_a_file_of_another_kind_is_said_to_be_one_and_opens_the_view(found):
    (line,) = (line for line in found["other"]["lines"] if line["state"] != "found")
    assert found["other"]["isOpen"]
    assert (line["state"], line["title"]) == ("other", "Face parser")
    assert "It is ConsistentID for SD1.5." in line["text"]


def test_a_missing_file_has_its_link_size_folder_and_licence_and_the_command(found):
    (line,) = (line for line in found["missing"]["lines"] if line["state"] != "found")
    assert (line["state"], line["link"]) == ("missing", FACE_PARSER.address)
    for fact in ("gone.pth is not there any more.", "53 MB, to models/consistentid", "Licence: trained on"):
        assert fact in line["text"]
    assert found["missing"]["lines"][0] == line  # what there is to do comes first
    assert found["missing"]["command"].endswith("consistentid_core.files fetch")


def test_what_it_shows_is_inside_the_node_and_covers_nothing(found):
    for state in ("auto", "opened", "other", "missing", "back"):
        assert (found[state]["isInside"], found[state]["isApart"]) == (True, True), state


def test_it_goes_back_to_one_line_and_looks_again_on_a_click(found):
    assert found["back"]["summary"] == "All model files are there."


def test_the_pack_s_scripts_report_no_problem(found):
    assert found["problems"] == []
