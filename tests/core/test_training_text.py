import pytest
from golden_set import manifest

from consistentid_core.text.caption import align_caption
from consistentid_core.text.markers import MARKER
from consistentid_core.text.training_text import END_TOKEN, MAX_ALIGNED_LENGTH, training_text, training_tokens

PARTS = ["Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip"]
GOLDEN = manifest("training_text")

#: The parts of the label map the golden samples were built with; their note names it.
GOLDEN_PARTS = next(
    entry["chosen"] for name, entry in manifest("masks")["maps"].items() if f"'{name}'" in GOLDEN["note"]
)


def framed(general, face="a face.", length=77, **kwargs):
    return training_text(general, face, PARTS, count_tokens=lambda text: length, **kwargs).text


def test_the_face_follows_the_first_sentence_and_the_rest_loses_its_last_character():
    assert framed("One. Two. Three!") == "Caption:One. Detail:a face <|facial|>, ., Two. Three"


def test_a_caption_without_a_full_stop_is_one_sentence():
    assert framed("One, two") == "Caption:One, two Detail:a face <|facial|>, .,"


def test_more_than_77_tokens_put_the_face_first():
    assert framed("One. Two.", length=78) == "Detail:a face <|facial|>, ., Caption:One. Two."


def test_a_long_description_of_the_face_is_left_out():
    for length, kept in ((MAX_ALIGNED_LENGTH, True), (MAX_ALIGNED_LENGTH + 1, False)):
        caption = "a face ".ljust(length - len(" <|facial|>,") - 1, "x") + "x"
        assert len(align_caption(caption, ["Face"]).text) == length
        text = training_text("One.", caption, ["Face"], count_tokens=lambda text: 77).text
        assert (text != "One.") == kept


def test_a_dropped_text_is_empty_and_keeps_its_parts():
    dropped = training_text("One.", "a face, a nose.", PARTS, count_tokens=lambda text: 77, dropped=True)
    assert dropped.text == ""
    assert dropped.parts == ("Face", "Nose")


def golden_count(case):
    """The tokens of a golden text with start, end and one per marker; at least 78 if its row was cut."""
    ids = case["clean_input_ids"]
    tokens = ids.index(END_TOKEN) + 1 if END_TOKEN in ids else len(ids) + 1
    return tokens + case["text"].count(MARKER)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: str(case["id"]))
def test_the_golden_texts_and_parts_come_out(case):
    result = training_text(
        case["vqa_llva"],
        case["face_caption"],
        GOLDEN_PARTS,
        count_tokens=lambda text: golden_count(case),
        dropped=case["dropped"],
    )
    assert result.text == case["text"]
    assert list(result.parts) == case["kept"]


def test_a_row_is_cut_without_its_end():
    tokens = training_tokens("word " * 80 + "<|facial|>", lambda piece: [1] * len(piece.split()))
    assert tokens.ids == (49406, *[1] * 76)
    assert tokens.valid == (False,) * 5


def test_an_empty_text_has_no_facial_words():
    tokens = training_tokens("", lambda piece: [])
    assert tokens.ids == (49406, *[49407] * 76)
    assert tokens.indices == (0,) * 5
