"""Texts through the host's real tokenizers; no encoder weights are needed for that."""

import random
import re

import comfy.sd
import comfy.sd1_clip
import comfy.sdxl_clip
import pytest
import torch
from consistentid_pack.consistentid_core.errors import ModelMismatchError, PromptError
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.text.markers import MARKER
from consistentid_pack.consistentid_core.text.prompt import assemble
from consistentid_pack.consistentid_core.text.tokens import facial_slots, plain_characters, row_positions
from consistentid_pack.consistentid_core.text.training_text import training_text, training_tokens
from consistentid_pack.nodes.prompt.tokens import (
    clean_tokens,
    clip_family,
    escape_brackets,
    original_plain_tokens,
    original_tokens,
    token_counter,
    tokenize_with_markers,
)
from golden_set import manifest
from safetensors.torch import save_file

PARTS = ["Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip"]
TOKENIZERS = {"sd15": comfy.sd1_clip.SD1Tokenizer, "sdxl": comfy.sdxl_clip.SDXLTokenizer}
WIDTHS = {"l": 768, "g": 1280}
GOLDEN = manifest("prompt_tokens")["cases"]
E2E = [(family, case) for family in FAMILIES for case in manifest(f"e2e_{family}")["cases"]]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A CLIP of each family that can tokenize, with the embedding ``tiny`` of two vectors."""
    folder = tmp_path_factory.mktemp("embeddings")
    save_file(
        {f"clip_{key}": torch.arange(2.0 * n).view(2, n) for key, n in WIDTHS.items()},
        folder / "tiny.safetensors",
    )
    clips = {}
    for family, tokenizer in TOKENIZERS.items():
        clips[family] = comfy.sd.CLIP(no_init=True)
        clips[family].tokenizer = tokenizer(embedding_directory=str(folder))
        clips[family].tokenizer_options = {}
    return clips


@pytest.fixture
def clip(clips):
    return clips["sd15"]


def ids(tokens, encoder="l"):
    """The ids of the only chunk."""
    (chunk,) = tokens[encoder]
    return [token for token, _ in chunk]


def words(clip, tokens, positions, encoder="l"):
    """What the tokens at flat positions spell."""
    flat = [token for chunk in tokens[encoder] for token, _ in chunk]
    return [clip.tokenizer.clip_l.tokenizer.decode([flat[position]]).strip() for position in positions]


def content(clip, text):
    """The host's own tokens without start, end and padding."""
    return {
        encoder: [entry[:2] for chunk in chunks for entry in chunk if entry[2] != 0]
        for encoder, chunks in clip.tokenize(text, return_word_ids=True).items()
    }


def comparable(tokens):
    return [
        (token.tolist() if isinstance(token, torch.Tensor) else token, weight) for token, weight in tokens
    ]


def assembled(clip, prompt, caption, parts, family, mode="original"):
    return assemble(prompt, caption, parts, family=family, mode=mode, count_tokens=token_counter(clip))


# ---------------------------------------------------------------- the golden prompts
#
# The original tokenizes brackets literally; they are escaped here, because in this host they are weights.


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["id"]))
def test_original_prompts_come_out_as_golden_text_and_lengths(case, family, clips):
    clip, expected = clips[family], case[family]
    prompt = assembled(clip, escape_brackets(case["prompt"]), case["caption"], case["parts"], family)
    assert prompt.text == escape_brackets(expected["prompt_with_markers"])
    assert list(prompt.parts) == expected["kept"]
    assert token_counter(clip)(prompt.text) == expected["n_tokens_with_markers"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["id"]))
def test_original_prompts_come_out_as_golden_ids_and_positions(case, family, clips):
    clip, expected = clips[family], case[family]
    text = escape_brackets(expected["prompt_with_markers"])
    if len(expected["facial_token_mask"]) > 5:
        with pytest.raises(PromptError, match="marks 6 words"):
            original_tokens(clip, text)
        return
    facial = original_tokens(clip, text)
    assert ids(facial.tokens) == expected["clean_input_ids"]
    assert list(facial.positions) == expected["facial_token_mask"]
    if family == "sdxl":
        assert ids(facial.tokens, "g") == expected["clean_input_ids_2"]
    indices, valid = facial_slots(facial.positions)
    assert list(indices) == expected["facial_token_idx"]
    assert list(valid) == expected["facial_token_idx_mask"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["id"]))
def test_marked_tokens_have_the_golden_length_and_positions(case, family, clips):
    text = escape_brackets(case[family]["prompt_with_markers"])
    marked = tokenize_with_markers(clips[family], text, clean=plain_characters)["l"]
    assert len(marked.tokens) + 2 == case[family]["n_clean_tokens_before_padding"]
    assert list(row_positions(marked.markers)) == case[family]["facial_token_mask"]


@pytest.mark.parametrize(
    ("family", "case"), E2E, ids=lambda value: value if isinstance(value, str) else value["name"]
)
def test_every_text_the_original_pipeline_encodes_comes_out(family, case, clips):
    clip = clips[family]
    caption = FAMILIES[family].default_caption if case["caption"] is None else case["caption"]
    parts = manifest("masks")["maps"][case["labels"]]["chosen"]
    prompt = assembled(clip, escape_brackets(case["prompt"]), caption, parts, family)
    assert list(prompt.parts) == case["crop_order"]

    facial = original_tokens(clip, prompt.text)
    calls = [facial.tokens, original_plain_tokens(clip, prompt.text_only)]
    # SDXL takes zeros for a missing negative prompt and encodes nothing.
    if family == "sd15" or case["negative"] is not None:
        calls.append(original_plain_tokens(clip, escape_brackets(case["negative"] or "")))
    assert [ids(tokens) for tokens in calls] == case["text_encoder_ids"]
    if family == "sdxl":
        assert [ids(tokens, "g") for tokens in calls] == case["text_encoder_2_ids"]

    _, valid = facial_slots(facial.positions)
    for call in case["encoder_calls"]:
        assert list(facial.positions) == call["mask"]
        assert list(valid) == call["valid"]


@pytest.mark.parametrize("case", manifest("training_text")["cases"], ids=lambda case: str(case["id"]))
def test_golden_training_texts_come_out_as_ids_and_indices(case, clip):
    golden = manifest("training_text")
    parts = next(
        e["chosen"] for name, e in manifest("masks")["maps"].items() if f"'{name}'" in golden["note"]
    )
    sample = training_text(
        case["vqa_llva"],
        case["face_caption"],
        parts,
        count_tokens=lambda text: token_counter(clip)(escape_brackets(text)),
        dropped=case["dropped"],
    )
    tokens = training_tokens(
        sample.text, lambda piece: [token for token, _ in content(clip, escape_brackets(piece))["l"]]
    )
    assert sample.text == case["text"]
    assert list(tokens.ids) == case["clean_input_ids"]
    assert list(tokens.indices) == case["facial_token_idx"]
    assert list(tokens.valid) == case["facial_token_idx_mask"]


# ---------------------------------------------------------------- any prompt

_PIECES = [
    *(
        "face",
        "eyes",
        "Ears",
        "nose",
        "portrait",
        "naïve",
        "山水",
        "it’s",
        "4k",
        "1.5",
        "extraordinarily",
        "😀",
    ),
    *(
        "embedding:tiny",
        "embedding:tiny,",
        "embedding:missing",
        "<|endoftext|>",
        "\\(",
        "\\)",
        "\\",
    ),
    *(",", ".", "\n", "-", "'s", ":", ":1.2", ":0.5)", ")", "(", "(", "((", "))", "[", "]", "{"),
]


def random_prompts(seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        pieces = rng.choices(_PIECES, k=rng.randrange(1, 60))
        text = "".join(piece + rng.choice([" ", " ", ""]) for piece in pieces)
        # A marker stands behind a whole word and never inside the name of an embedding.
        names = [match.span() for match in re.finditer(r"embedding:\S*", text)]
        ends = [match.end() for match in re.finditer(r"(?<![\w<|'’])[a-zA-Z]+(?![\w|])", text)]
        ends = [end for end in ends if not any(start < end <= stop for start, stop in names)]
        for end in sorted(rng.sample(ends, min(len(ends), 5)), reverse=True):
            text = f"{text[:end]} {MARKER}{text[end:]}"
        yield text


@pytest.mark.parametrize(("family", "count"), [("sd15", 300), ("sdxl", 100)])
def test_marked_tokens_are_the_hosts_tokens_of_the_text_without_markers(family, count, clips):
    for text in random_prompts(1, count):
        marked = tokenize_with_markers(clips[family], text)
        expected = content(clips[family], text.replace(f" {MARKER}", ""))
        assert {key: comparable(value.tokens) for key, value in marked.items()} == {
            key: comparable(value) for key, value in expected.items()
        }, text


@pytest.mark.parametrize("family", FAMILIES)
def test_clean_positions_point_at_the_marked_words_in_any_number_of_chunks(family, clips):
    clip = clips[family]
    for text in random_prompts(2, 100):
        facial = clean_tokens(clip, text)
        before = [re.findall(r"[a-zA-Z]+", piece)[-1].lower() for piece in text.split(MARKER)[:-1]]
        found = words(clip, facial.tokens, facial.positions)
        assert len(found) == len(before)
        assert all(word.endswith(token) for word, token in zip(before, found, strict=True)), text


def test_original_tokens_accept_any_prompt(clips):
    for text in random_prompts(3, 100):
        facial = original_tokens(clips["sdxl"], text)
        assert {key: [len(chunk) for chunk in chunks] for key, chunks in facial.tokens.items()} == {
            "l": [77],
            "g": [77],
        }
        assert all(0 <= position < 77 for position in facial.positions)


# ---------------------------------------------------------------- clean mode


def test_clean_tokens_are_the_hosts_own(clip):
    text = f"a (big:1.3) man, Detail: a face {MARKER}, a nose {MARKER},"
    facial = clean_tokens(clip, text)
    assert facial.tokens == clip.tokenize(text.replace(MARKER, ""))
    assert words(clip, facial.tokens, facial.positions) == ["face", "nose"]


def test_clean_positions_count_through_the_chunks(clip):
    facial = clean_tokens(clip, f"{'word, ' * 100} a face {MARKER}, {'word, ' * 40} a nose {MARKER}")
    assert len(facial.tokens["l"]) == 4
    assert [position // 77 for position in facial.positions] == [2, 3]
    assert words(clip, facial.tokens, facial.positions) == ["face", "nose"]


def test_an_embedding_before_a_word_moves_its_position(clip):
    plain = clean_tokens(clip, f"a face {MARKER}")
    moved = clean_tokens(clip, f"embedding:tiny a face {MARKER}")
    assert moved.positions == (plain.positions[0] + 2,)
    assert [isinstance(token, torch.Tensor) for token, _ in moved.tokens["l"][0][:4]] == [
        False,
        True,
        True,
        False,
    ]


def test_a_marker_inside_a_word_is_refused_in_clean_mode(clip):
    with pytest.raises(PromptError, match="directly behind a whole word"):
        clean_tokens(clip, f"a fa{MARKER}ce")


def test_clean_prompts_of_every_golden_case_pair_each_word_with_its_region(clips):
    names = {"face": "face", "ears": "ear", "eyes": "eye", "nose": "nose", "mouth": ("mouth", "lip")}
    for family in FAMILIES:
        for case in GOLDEN:
            prompt = assembled(clips[family], case["prompt"], case["caption"], case["parts"], family, "clean")
            facial = clean_tokens(clips[family], prompt.text)
            found = words(clips[family], facial.tokens, facial.positions)
            assert len(found) == len(prompt.regions) == len(prompt.parts)
            assert all(
                word.startswith(names[region]) for word, region in zip(found, prompt.regions, strict=True)
            )


# ---------------------------------------------------------------- weights, encoders, borders


@pytest.mark.parametrize("tokens_of", [clean_tokens, original_tokens])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_weight_of_a_facial_word_is_reported_and_taken_out(tokens_of, family, clips):
    facial = tokens_of(clips[family], f"a (blue eyes {MARKER}:1.3), ((nose {MARKER})), face {MARKER}")
    assert facial.weights == (1.3, pytest.approx(1.21), 1.0)
    row = facial.tokens["l"][0]
    assert [row[position][1] for position in facial.positions] == [1.0, 1.0, 1.0]
    assert (clips[family].tokenize("blue")["l"][0][1][0], 1.3) in row


def test_original_tokens_keep_the_weights_of_the_second_encoder(clips):
    facial = original_tokens(clips["sdxl"], f"(tall:1.4) man, face {MARKER}, (end:0.5)")
    tall, end = (clips["sdxl"].tokenize(word)["g"][0][1][0] for word in ("tall", "end"))
    assert {(tall, 1.4), (end, 0.5)} <= set(facial.tokens["g"][0])


def test_a_marker_at_the_start_marks_the_start_token(clip):
    for facial in (original_tokens(clip, f"{MARKER} man"), clean_tokens(clip, f"{MARKER} man")):
        assert facial.positions == (0,)
        assert facial.weights == (1.0,)


def test_words_beyond_the_last_row_are_counted_as_cut(clip):
    facial = original_tokens(clip, f"face {MARKER} {'word ' * 80} nose {MARKER}{MARKER} mouth {MARKER}")
    assert facial.positions == (1,)
    assert facial.cut == 2


def test_two_markers_on_a_word_count_once_in_original_mode(clip):
    assert original_tokens(clip, f"face {MARKER}{MARKER}").positions == (1,)


def test_a_plain_text_is_cut_before_its_end_token(clip):
    row = ids(original_plain_tokens(clip, "word " * 100))
    assert len(row) == 77
    assert row[-1] == 49407
    assert row[-2] == row[1]


def test_curly_quotes_are_straight_in_original_mode_and_the_users_own_in_clean_mode(clip):
    assert ids(original_plain_tokens(clip, "it’s")) == ids(clip.tokenize("it's"))
    assert clean_tokens(clip, "it’s").tokens == clip.tokenize("it’s")


def test_full_width_brackets_do_not_become_weights(clip):
    (row,) = original_plain_tokens(clip, "（big：1.3）")["l"]
    assert ids({"l": [row]}) == ids(clip.tokenize(r"\(big:1.3\)"))
    assert {weight for _, weight in row} == {1.0}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_prompt_is_one_empty_row(family, clips):
    empty = clips[family].tokenize("")
    for tokens in (original_tokens(clips[family], "").tokens, clean_tokens(clips[family], "").tokens):
        assert tokens == empty
    assert original_plain_tokens(clips[family], " \n ") == empty


def test_escaped_brackets_are_read_literally(clip):
    for text in ("(a:1.2)", "((a", "a)", "\\(a\\)", "\\\\("):
        tokens = [token for token, weight in content(clip, escape_brackets(text))["l"] if weight == 1.0]
        assert tokens == clip.tokenizer.clip_l.tokenizer(text)["input_ids"][1:-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_family_of_a_clip_is_told_by_its_encoders(family, clips):
    assert clip_family(clips[family]) == family


def test_the_clip_of_another_model_is_refused(clips):
    class Other:
        def tokenize(self, text, **kwargs):
            return {"t5xxl": [], "l": []}

    with pytest.raises(ModelMismatchError, match="encoders l, t5xxl.*connect the CLIP output"):
        clip_family(Other())
