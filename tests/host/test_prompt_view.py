"""The pieces of a prompt that the interface colours."""

from types import SimpleNamespace

import pytest
from consistentid_pack.consistentid_core.regions import REGIONS
from consistentid_pack.nodes.previews import prompt_view
from consistentid_pack.nodes.previews.prompt_view import as_text, marked_words, plain_text, prompt_pieces
from counted_work import is_linear, lines_run, patterns_of, regex_steps

M = "<|facial|>"
SENTENCE = f"A man. Detail:one face {M}, two ears {M} and  a (nose {M}:1.2)."


def encoded(text, *regions):
    positions = tuple(range(1, len(regions) + 1))
    return SimpleNamespace(
        assembled=SimpleNamespace(text=text), regions=regions, positions=positions, notes=()
    )


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


FORMS = [(word, region.name) for region in REGIONS for word in region.words]


@pytest.mark.parametrize(("word", "region"), FORMS)
def test_every_form_of_a_word_names_its_part(word, region):
    for written in (word, word.upper(), f"left-{word}", f"big,{word}"):
        (piece,) = prompt_pieces(encoded(f"{written} {M}", region))
        assert not piece["is_other"]
        assert as_text(encoded(f"{written} {M}", region)) == f"[{written}]"


@pytest.mark.parametrize("word", ["lips", "eye", "man", "lipstick", "!"])
def test_a_word_that_does_not_name_its_part_says_which_it_carries(word):
    (piece,) = prompt_pieces(encoded(f"{word} {M}", "ears"))
    assert piece["is_other"]
    assert as_text(encoded(f"{word} {M}", "ears")) == f"[{word} ← ears]"


def test_the_text_with_brackets_keeps_what_stands_around_the_words():
    assert as_text(encoded(SENTENCE, "face", "eyes", None)) == (
        "A man. Detail:one [face], two [ears ← eyes] and  a ([nose]:1.2)."
    )


def test_the_list_of_words_has_them_without_brackets_and_in_order():
    words = marked_words(encoded(SENTENCE, "face", "eyes", None))
    assert words == [
        {"word": "face", "region": "face", "position": 1},
        {"word": "ears", "region": "eyes", "position": 2},
        {"word": "nose", "region": None, "position": 3},
    ]


@pytest.mark.parametrize("function", [prompt_pieces, as_text, marked_words])
@pytest.mark.parametrize("repeated", ["a", " ", "(", "a ", f"a {M}", M])
def test_a_long_text_costs_work_in_proportion_to_its_length(function, repeated):
    for text in (f"{{}}, one face {M}", f"{{}} {M}", f"{{}}{M} end"):
        assert is_linear(lambda count: lines_run(function, encoded(text.format(repeated * count), "face")))  # noqa: B023


@pytest.mark.parametrize("repeated", ["a", " ", "(", "a "])
def test_no_pattern_looks_at_a_letter_again_and_again(repeated):
    for pattern in patterns_of(prompt_view):
        for end in ("", ", one face"):
            assert is_linear(lambda count: regex_steps(pattern, repeated * count + end))  # noqa: B023
