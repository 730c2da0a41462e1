import pytest
from golden_set import manifest

from consistentid_core.errors import PromptError
from consistentid_core.families import FAMILIES
from consistentid_core.text.caption import align_caption
from consistentid_core.text.markers import IMAGE_MARKER, MARKER
from consistentid_core.text.prompt import (
    INPAINT_CAPTION,
    MAX_CAPTION_LENGTH,
    MODES,
    assemble,
)

PARTS = ["Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip"]
CAPTION = FAMILIES["sd15"].default_caption
ALIGNED = align_caption(CAPTION, PARTS).text
OVERFLOW = {"sd15": "Detail:{0} Caption:{1}", "sdxl": "; Detail:{0} Caption:{1}"}


def short(text):
    return 1


def original(prompt, caption=CAPTION, parts=PARTS, family="sd15", count_tokens=short, **kwargs):
    return assemble(
        prompt, caption, parts, family=family, mode="original", count_tokens=count_tokens, **kwargs
    )


def clean(prompt, caption=CAPTION, parts=PARTS, family="sd15"):
    return assemble(prompt, caption, parts, family=family, mode="clean", count_tokens=short)


def notes(assembled):
    return " ".join(assembled.notes)


def golden_count(expected):
    """Counts the tokens of the normal form as the original did.

    The golden count is that of the text it chose: of the normal form if that fits, and otherwise of a longer one.
    """
    return lambda text: expected["n_tokens_with_markers"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", manifest("prompt_tokens")["cases"], ids=lambda case: str(case["id"]))
def test_original_assembly_equals_the_golden_text(case, family):
    expected = case[family]
    result = original(case["prompt"], case["caption"], case["parts"], family, golden_count(expected))
    assert result.text == expected["prompt_with_markers"]
    assert list(result.parts) == expected["kept"]
    assert result.regions is None


@pytest.mark.parametrize("case", manifest("prompt_tokens")["cases"], ids=lambda case: str(case["id"]))
def test_original_sd15_text_phase_reads_the_text_without_markers(case):
    expected = case["sd15"]
    result = original(case["prompt"], case["caption"], case["parts"], "sd15", golden_count(expected))
    assert result.text_only == expected["prompt_text_only"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_overflow_test_counts_the_normal_form(family):
    counted = []
    original("a man", family=family, count_tokens=lambda text: counted.append(text) or 1)
    normal = {"sd15": f"a manDetail:{ALIGNED}", "sdxl": f"a man; Detail:{ALIGNED}"}
    assert counted == [normal[family]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("length", "overflows"), [(77, False), (78, True)])
@pytest.mark.parametrize("prompt", ["a man", "Caption: a man", "Detail: a man"])
def test_more_than_77_tokens_put_the_description_first(family, prompt, length, overflows):
    result = original(prompt, family=family, count_tokens=lambda text: length)
    assert (result.text == OVERFLOW[family].format(ALIGNED, prompt)) == overflows
    assert result.text.startswith(prompt) != overflows
    assert ("78 of 77 tokens" in notes(result)) == overflows


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("length", "dropped"), [(330, False), (331, True)])
def test_original_drops_the_description_above_330_characters(family, length, dropped):
    caption = CAPTION.ljust(length, "x")
    result = original("a man", caption, family=family)
    assert length in (MAX_CAPTION_LENGTH, MAX_CAPTION_LENGTH + 1)
    assert (result.text == "a man") == dropped
    assert result.parts == tuple(PARTS)
    assert ("331 characters" in notes(result)) == dropped


@pytest.mark.parametrize("mode", MODES)
def test_sdxl_text_phase_reads_the_prompt_alone(mode):
    result = assemble("a man", CAPTION, PARTS, family="sdxl", mode=mode, count_tokens=short)
    assert result.text_only == "a man"


def test_the_clause_order_is_a_choice_in_original_mode():
    assert "two eyes <|facial|>, two ears" in original("a man", order="eyes_first").text


def test_a_typed_marker_is_kept_by_the_original_and_reported():
    result = original(f"portrait of a {MARKER} person")
    assert result.text.startswith(f"portrait of a {MARKER} personDetail:")
    assert result.text_only.startswith("portrait of a  personDetail:")
    assert MARKER in notes(result)


def test_a_typed_image_marker_is_refused_by_the_original():
    with pytest.raises(PromptError, match="Remove it, or choose the clean mode"):
        original(f"a {IMAGE_MARKER} man")


def test_the_original_says_when_words_and_parts_disagree():
    assert "1 left for 2 parts" in notes(original("a man", "eyes mouth"))


@pytest.mark.parametrize("prompt", ["a man embedding:jane", "embedding:jane", "(embedding:jane"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", MODES)
def test_an_embedding_at_the_end_keeps_its_name(prompt, family, mode):
    result = assemble(prompt, CAPTION, PARTS, family=family, mode=mode, count_tokens=short)
    assert result.text.startswith((f"{prompt} ", f"{prompt},"))


def test_an_embedding_at_the_start_keeps_its_name_behind_the_description():
    assert original("embedding:jane", count_tokens=lambda text: 78).text.endswith(" embedding:jane")


# ---------------------------------------------------------------- clean mode


@pytest.mark.parametrize(
    ("family", "prompt", "start"),
    [
        ("sd15", "a man", "a man, Detail: The person"),
        ("sdxl", "a man", "a man; Detail: The person"),
        ("sd15", "a man, ", "a man, Detail: The person"),
        ("sdxl", "a man.\n", "a man. Detail: The person"),
        ("sd15", "(a man:1.2)", "(a man:1.2), Detail: The person"),
        ("sd15", "", "Detail: The person"),
        ("sdxl", "  ", "Detail: The person"),
    ],
)
def test_clean_mode_separates_prompt_and_description(family, prompt, start):
    assert clean(prompt, family=family).text.startswith(start)


def test_clean_mode_names_the_region_of_each_marker():
    result = clean("a man", "nose near the face. eyes; ears; mouth.")
    assert result.regions == ("nose", "face", "ears", "eyes", "mouth")
    assert result.text.count(MARKER) == 5


def test_clean_mode_keeps_long_captions_and_prompts_in_place():
    caption = f"{CAPTION} {'A scar. ' * 100}"
    prompt = "a man, " * 50
    result = clean(prompt, caption)
    assert result.text.startswith(prompt.rstrip())
    assert result.text.count("A scar") == 100
    assert result.text.count(MARKER) == 5


@pytest.mark.parametrize("family", FAMILIES)
def test_clean_mode_strips_typed_markers(family):
    result = clean(f"a {MARKER} tall {IMAGE_MARKER} man", f"a {MARKER} face", ["Face"], family)
    assert result.text.startswith("a tall man")
    assert result.text.endswith(f"Detail: a face {MARKER},")
    assert MARKER not in result.text_only
    assert IMAGE_MARKER not in result.text + result.text_only


def test_clean_text_phase_reads_the_same_words_without_markers():
    result = clean("a man", "(blue eyes:1.2)", ["Left_Eye"])
    assert result.text == f"a man, Detail: (blue eyes {MARKER}:1.2),"
    assert result.text_only == "a man, Detail: (blue eyes:1.2),"


# ---------------------------------------------------------------- both modes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prompt", ["", "  ", "a man"])
@pytest.mark.parametrize("caption", ["", " \n "])
def test_an_empty_caption_marks_no_word_and_says_so(mode, family, prompt, caption):
    result = assemble(prompt, caption, PARTS, family=family, mode=mode, count_tokens=short)
    assert MARKER not in result.text
    assert result.text.startswith(prompt)
    assert result.parts == ()
    assert "The caption is empty" in notes(result)


@pytest.mark.parametrize("mode", MODES)
def test_no_parts_mark_no_word_and_say_so(mode):
    result = assemble("a man", CAPTION, [], family="sd15", mode=mode, count_tokens=short)
    assert MARKER not in result.text
    assert "There are no facial parts" in notes(result)


@pytest.mark.parametrize("mode", MODES)
def test_parts_without_a_word_are_named(mode):
    result = assemble(
        "a man", "a nose, a face, a mouth.", PARTS, family="sd15", mode=mode, count_tokens=short
    )
    assert result.parts == ("Face", "Nose", "Upper_Lip")
    assert "No word for: ears, eyes." in notes(result)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_noted_when_every_part_has_its_word(mode, family):
    caption = FAMILIES[family].default_caption
    assert assemble("a man", caption, PARTS, family=family, mode=mode, count_tokens=short).notes == ()


@pytest.mark.parametrize("mode", MODES)
def test_the_inpainting_caption_leaves_the_face_out(mode):
    result = assemble("a man", INPAINT_CAPTION, PARTS, family="sd15", mode=mode, count_tokens=short)
    assert result.parts == tuple(PARTS[1:])
