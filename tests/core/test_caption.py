import random
import re
from collections import Counter

import pytest
from golden_set import manifest

from consistentid_core.regions import REGIONS, region_of_part
from consistentid_core.text.caption import ORDERS, align_caption, align_caption_by_name
from consistentid_core.text.markers import MARKER, delete_markers, strip_typed_markers

ALL_PARTS = ["Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip"]
GOLDEN = manifest("caption_alignment")["cases"]
SUFFIX = {"ears_first": "", "eyes_first": "_eyes_first"}

#: Words a region may be called by.
NAMES = {
    "face": {"face", "faces"},
    "ears": {"ear", "ears"},
    "eyes": {"eye", "eyes"},
    "nose": {"nose", "noses"},
    "mouth": {"mouth", "mouths", "lip", "lips"},
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["id"]))
def test_original_alignment_equals_the_golden_text_and_parts(case, order):
    aligned = align_caption(case["caption"], case["parts"], order=order)
    assert aligned.text == case["aligned" + SUFFIX[order]]
    assert list(aligned.parts) == case["kept" + SUFFIX[order]]


def test_original_alignment_leaves_its_arguments_alone():
    parts = list(ALL_PARTS)
    align_caption("nothing to see here", parts)
    assert parts == ALL_PARTS


def test_original_alignment_reports_the_regions_without_a_word():
    assert align_caption("a face, two eyes.", ALL_PARTS).missing == ("ears", "nose", "mouth")


def test_a_united_pair_is_aligned_like_one_of_it():
    caption = "The person has one face, one nose, two eyes, two ears, and one mouth."
    single = align_caption(caption, ["Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip"])
    both = align_caption(caption, ["Face", "Eyes", "Ears", "Nose", "Lips"])
    assert both.text == single.text
    assert both.parts == ("Face", "Eyes", "Ears", "Nose", "Lips")


def test_every_part_belongs_to_the_region_that_lists_it():
    for region in REGIONS:
        assert {region_of_part(part) for part in (*region.parts, region.united)} == {region.name}


def test_an_unknown_part_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'Hair' is not a facial part.*Left_Eye"):
        align_caption("a face", ["Hair"])


# ---------------------------------------------------------------- pairing by name


def by_name(caption, parts=ALL_PARTS):
    return align_caption_by_name(caption, parts)


def test_a_caption_of_one_clause_per_feature_gets_the_text_the_original_gives():
    caption = "The person has one face, one nose, two eyes, two ears, and one mouth."
    assert by_name(caption).text == align_caption(caption, ALL_PARTS).text


def test_each_marker_names_its_region_in_text_order():
    aligned = by_name("nose near the face. eyes; ears; mouth.")
    assert aligned.regions == ("nose", "face", "ears", "eyes", "mouth")
    assert aligned.text.startswith(f"nose {MARKER} near the face {MARKER},")


def test_case_and_number_do_not_matter():
    aligned = by_name("Face: long. His left EYE is dark. One ear; thin lips. A Nose.")
    assert aligned.regions == ("face", "ears", "eyes", "nose", "mouth")
    assert f"EYE {MARKER} is dark" in aligned.text
    assert f"thin lips {MARKER}," in aligned.text


def test_the_trained_word_wins_over_an_earlier_other_one():
    assert (
        by_name("One eye is shut. Her eyes are blue.").text == f"One eye is shut, Her eyes {MARKER} are blue,"
    )


def test_only_the_first_occurrence_is_marked_and_none_removed():
    assert by_name("a face and a face", ["Face"]).text == f"a face {MARKER} and a face,"


def test_a_part_not_asked_for_gets_no_marker():
    aligned = by_name("a face, two eyes", ["Face"])
    assert aligned.text == f"a face {MARKER}, two eyes,"
    assert aligned.missing == ()


def test_a_region_without_a_word_changes_nothing_and_is_reported():
    aligned = by_name("one face.")
    assert aligned.text == f"one face {MARKER},"
    assert aligned.parts == ("Face",)
    assert aligned.missing == ("ears", "eyes", "nose", "mouth")


def test_a_clause_without_a_region_stays_behind_the_one_it_follows():
    aligned = by_name("A young woman. Her eyes, which are hazel, look kind. A round face.")
    assert aligned.text == (
        f"A young woman, A round face {MARKER}, Her eyes {MARKER}, which are hazel, look kind,"
    )


def test_numbers_and_weights_do_not_end_a_clause():
    caption = "eyes 3.2 cm apart, (his face, (very round:1.2):1.3), a nose"
    assert by_name(caption).text == (
        f"(his face {MARKER}, (very round:1.2):1.3), eyes {MARKER} 3.2 cm apart, a nose {MARKER},"
    )


def test_escaped_brackets_are_no_brackets():
    assert by_name(r"a nose \(big, red, a face", ["Face", "Nose"]).text == (
        rf"a face {MARKER}, a nose {MARKER} \(big, red,"
    )


@pytest.mark.parametrize("caption", ["a nose :), a face", "a nose (, a face", "a nose (), b), a face"])
def test_a_caption_with_unmatched_brackets_keeps_its_order(caption):
    aligned = by_name(caption)
    assert delete_markers(aligned.text).replace(" ", "") == caption.replace(" ", "") + ","
    assert aligned.regions == ("nose", "face")


def test_the_name_of_an_embedding_is_never_marked():
    aligned = by_name("embedding:pretty-eyes, embedding:face brown eyes")
    assert aligned.text == f"embedding:pretty-eyes, embedding:face brown eyes {MARKER},"


def test_words_that_only_contain_a_feature_are_not_marked():
    aligned = by_name("A surface with eyesight, mouthwash, earshot, left_eyes; nosebleeds.")
    assert MARKER not in aligned.text


@pytest.mark.parametrize("caption", ["", "   ", "\n", ",.;"])
def test_an_empty_caption_gives_an_empty_text(caption):
    assert by_name(caption).text == ""


def test_a_typed_marker_is_removed_from_the_caption():
    assert by_name(f"a {MARKER} face, <|image|> nose", ["Face"]).text == f"a face {MARKER}, nose,"


# ---------------------------------------------------------------- any text

_PIECES = [
    *(name for names in NAMES.values() for name in names),
    *("Face", "EYES", "the", "naïve", "他的脸", "1.5", "left_eyes", "embedding:face", "embedding:x,", MARKER),
    *(
        ",",
        ".",
        ";",
        "!",
        "?",
        "...",
        "\n",
        "\t",
        " ",
        "  ",
        "’",
        "“",
        "-",
        ":",
        ":1.2",
        "(",
        ")",
        "((",
        "))",
    ),
    *("\\(", "\\)", "\\", "[", "]", "{", "}", "<|", "|>", "<|face|>", "<|image|>", "\u0301", "😀", "\x00"),
]


def random_captions(count):
    rng = random.Random(20240422)
    for _ in range(count):
        pieces = rng.choices(_PIECES, k=rng.randrange(0, 25))
        yield rng.choice(["", " "]).join(pieces), rng.sample(ALL_PARTS, rng.randrange(0, 6))


def test_original_alignment_accepts_any_text():
    for caption, parts in random_captions(3000):
        for order in ORDERS:
            aligned = align_caption(caption, parts, order=order)
            assert set(aligned.parts) <= set(parts)
            assert aligned.text == "" or aligned.text.endswith(",")


def test_alignment_by_name_keeps_every_word():
    for caption, parts in random_captions(3000):
        aligned = align_caption_by_name(caption, parts)
        words = re.findall(r"\w+", strip_typed_markers(caption))
        assert Counter(re.findall(r"\w+", delete_markers(aligned.text))) == Counter(words), caption


def bracketed(text):
    """What the innermost brackets enclose; without markers, spaces and escaped characters."""
    text = re.sub(r"\\.|\s", "", delete_markers(text), flags=re.DOTALL)
    return Counter(re.findall(r"\([^()]*\)", text))


def test_alignment_by_name_keeps_what_brackets_enclose():
    for caption, parts in random_captions(3000):
        aligned = align_caption_by_name(caption, parts)
        assert bracketed(aligned.text) == bracketed(strip_typed_markers(caption)), caption


def test_alignment_by_name_puts_each_marker_behind_a_word_of_its_region():
    for caption, parts in random_captions(3000):
        aligned = align_caption_by_name(caption, parts)
        before = [piece.split()[-1] for piece in aligned.text.split(MARKER)[:-1]]
        assert len(before) == len(aligned.regions) == len(aligned.parts)
        for text, region in zip(before, aligned.regions, strict=True):
            word = re.search(r"[A-Za-z]+$", text)
            assert word is not None and word[0].lower() in NAMES[region], caption
