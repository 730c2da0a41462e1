"""The pieces of a prompt that the interface colours."""

from types import SimpleNamespace

import pytest
from consistentid_pack.consistentid_core.regions import REGIONS
from consistentid_pack.nodes.previews.prompt_view import plain_text, prompt_pieces

M = "<|facial|>"
SENTENCE = f"A man. Detail:one face {M}, two ears {M} and  a (nose {M}:1.2)."


def encoded(text, *regions):
    return SimpleNamespace(assembled=SimpleNamespace(text=text), regions=regions)


def marked(pieces):
    return [(piece["text"], piece["region"]) for piece in pieces if "region" in piece]


@pytest.mark.parametrize(
    "text", [SENTENCE, f"{M}", f"a nose{M}{M} and {M} eyes", f"a\nnose {M}\n", "no marker", "", f"face  {M}"]
)
def test_the_pieces_together_are_the_plain_text(text):
    prompt = encoded(text, "face", "eyes", "nose")
    assert "".join(piece["text"] for piece in prompt_pieces(prompt)) == plain_text(prompt)


def test_each_marked_word_is_a_piece_with_the_part_it_carries():
    pieces = prompt_pieces(encoded(SENTENCE, "face", "eyes", "nose"))
    assert marked(pieces) == [("face", "face"), ("ears", "eyes"), ("nose", "nose")]


def test_words_beyond_the_last_row_carry_nothing():
    assert marked(prompt_pieces(encoded(SENTENCE, "face"))) == [("face", "face")]


def test_a_word_that_carries_padding_is_not_marked():
    assert marked(prompt_pieces(encoded(SENTENCE, "face", None, "nose"))) == [
        ("face", "face"),
        ("nose", "nose"),
    ]


def test_markers_in_a_row_share_a_word():
    assert marked(prompt_pieces(encoded(f"nose {M} {M} eyes {M}", "nose", "eyes"))) == [
        ("nose", "nose"),
        ("eyes", "eyes"),
    ]


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.name)
def test_a_marked_word_has_label_and_colour_of_its_part(region):
    (piece,) = prompt_pieces(encoded(f"word {M}", region.name))
    assert piece["label"] == region.label
    assert tuple(bytes.fromhex(piece["colour"].removeprefix("#"))) == region.colour
