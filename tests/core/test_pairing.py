"""Which facial part goes to which marked word."""

import pytest

from consistentid_core.errors import PromptError
from consistentid_core.families import FAMILIES
from consistentid_core.text.markers import MARKER
from consistentid_core.text.pairing import PADDING, marked_words, pair_by_name, pair_by_rank
from consistentid_core.text.prompt import assemble

PARTS = ("Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip")
REGIONS = ("face", "eyes", "ears", "nose", "mouth")


def original_text(prompt="a man in a forest", parts=PARTS, family="sd15"):
    return assemble(
        prompt,
        FAMILIES[family].default_caption,
        parts,
        family=family,
        mode="original",
        count_tokens=lambda text: 10,
    ).text


def test_by_rank_takes_the_parts_in_order_and_then_the_padding():
    assert pair_by_rank(3, ("face", "nose")) == ("face", "nose", PADDING)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_by_name_undoes_the_swap_of_eyes_and_ears_in_the_original_text(family):
    words = marked_words(original_text(family=family))
    assert words == ("face", "ears", "eyes", "nose", "mouth")
    assert pair_by_rank(5, REGIONS) == ("face", "eyes", "ears", "nose", "mouth")
    assert pair_by_name(words, REGIONS) == ("face", "ears", "eyes", "nose", "mouth")


def test_by_name_ignores_the_case_of_the_word():
    assert pair_by_name(["Eyes"], REGIONS) == ("eyes",)


def test_a_word_marked_by_hand_may_name_a_part():
    words = marked_words(original_text(prompt=f"a large nose {MARKER} in a forest", parts=PARTS[:1]))
    assert words == ("nose", "face")
    assert pair_by_name(words, ("face", "nose")) == ("nose", "face")


@pytest.mark.parametrize("word", ["man", "nose", ""])
def test_a_marked_word_that_names_no_part_at_hand_cannot_be_paired_by_name(word):
    with pytest.raises(PromptError, match=f"'{word}'.*face, eyes.*pair by rank"):
        pair_by_name([word], ("face", "eyes"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plain", ()),
        (f"one nose {MARKER} {MARKER}, two eyes {MARKER}", ("nose", "eyes")),
        (f"(nose {MARKER}:1.2) and ((eyes {MARKER}))", ("nose", "eyes")),
        (f"{MARKER} a face {MARKER}", ("", "face")),
    ],
)
def test_the_marked_word_is_the_last_one_before_each_marker(text, words):
    assert marked_words(text) == words
