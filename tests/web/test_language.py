"""The widgets speak the language that is set in ComfyUI."""

import pytest
from web_host import NODES2

from tools import node_texts


@pytest.fixture(scope="module")
def found(play):
    return play("language", NODES2, locale="zh")


def test_sentences_are_translated(found):
    sentences = node_texts.read("zh", node_texts.MAIN_FILE)["consistentid"]
    assert found["before"]["message"] == sentences["partsBeforeRun"]
    nose = next(chip for chip in found["after"]["chips"] if chip["region"] == "nose")
    assert nose["title"].endswith(sentences["partOn"].split("}")[-1])


def test_parts_have_the_names_of_their_switches(found):
    names = node_texts.read("zh", node_texts.NODES_FILE)["ConsistentIDFacePartsFromMap"]["inputs"]
    for chip in found["after"]["chips"]:
        assert chip["text"].startswith(names[chip["region"]]["name"])


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
