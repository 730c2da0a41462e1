"""LLaVA through transformers, with a tiny model that really generates; and cutting captions."""

import json
import shutil

import numpy as np
import pytest
import skimage.data
import torch

from consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_core.text.captioner import (
    DESCRIBE_FACE,
    DESCRIBE_PERSON,
    is_llava_folder,
    load_captioner,
    pad_to_square,
    shorten,
)
from tools.standins import llava

PHOTO = skimage.data.astronaut()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return llava.write(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def captioner(folder):
    return load_captioner(folder, torch.float32)


@pytest.fixture
def copy(folder, tmp_path):
    """A folder of its own to damage."""
    return shutil.copytree(folder, tmp_path / "copy")


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **changes}), "utf-8")


def test_the_questions_are_those_of_the_training_captions_with_single_spaces():
    assert DESCRIBE_PERSON.startswith("Please describe the people in the image, including their gender, age,")
    assert DESCRIBE_FACE.endswith("including face, ears, eyes, nose, and mouth.")
    assert "  " not in DESCRIBE_FACE + DESCRIBE_PERSON


def test_a_photo_is_described_with_the_same_words_every_time(captioner):
    first = captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=20)
    assert len(first.split()) > 5
    assert captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=20) == first


def test_the_caption_depends_on_the_photo_and_on_the_question(captioner):
    captions = {
        captioner.caption(photo, question, max_new_tokens=20)
        for photo in (PHOTO, np.zeros_like(PHOTO))
        for question in (DESCRIBE_FACE, DESCRIBE_PERSON)
    }
    assert len(captions) == 4


def test_the_caption_is_the_answer_alone_without_special_tokens(captioner):
    caption = captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=60)
    assert caption == caption.strip()
    assert not any(text in caption for text in ("<image>", "</s>", "<s>", "<pad>", "Describe this person"))


def test_the_prompt_has_the_form_llava_1_5_was_trained_on(captioner, monkeypatch):
    seen = {}
    processor = captioner._processor

    def record(**inputs):
        seen.update(inputs)
        return processor(**inputs)

    record.tokenizer = processor.tokenizer
    monkeypatch.setattr(captioner, "_processor", record)
    captioner.caption(PHOTO, "Who is this?", max_new_tokens=1)
    assert seen["text"] == "USER: <image>\nWho is this? ASSISTANT:"


@pytest.mark.parametrize("count", [1, 7])
def test_the_callback_runs_once_per_token(captioner, count):
    calls = []
    captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=count, on_token=lambda: calls.append(None))
    assert len(calls) == count


def test_what_the_callback_raises_ends_the_answer_and_leaves_the_model_usable(captioner):
    expected = captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=12)

    class Stop(BaseException):
        pass

    calls = []

    def stop_at_the_third():
        calls.append(None)
        if len(calls) == 3:
            raise Stop

    with pytest.raises(Stop):
        captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=12, on_token=stop_at_the_third)
    assert len(calls) == 3
    assert captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=12) == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_generates_too(folder, dtype):
    captioner = load_captioner(folder, dtype)
    assert captioner.model.dtype == dtype
    assert captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=5)


def test_a_processor_of_an_older_copy_is_completed(copy, captioner):
    path = copy / "processor_config.json"
    settings = json.loads(path.read_text("utf-8"))
    for name in ("patch_size", "vision_feature_select_strategy", "num_additional_image_tokens"):
        del settings[name]
    path.write_text(json.dumps(settings), "utf-8")
    older = load_captioner(copy, torch.float32)
    expected = captioner.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=8)
    assert older.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=8) == expected


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (300, 200, 3)])
def test_pictures_of_any_shape_are_described_whole(captioner, shape):
    assert pad_to_square(np.zeros(shape, np.uint8)).size == (max(shape[:2]),) * 2
    assert isinstance(captioner.caption(np.zeros(shape, np.uint8), DESCRIBE_FACE, max_new_tokens=2), str)


def test_a_picture_stays_in_the_middle_of_its_square():
    padded = np.asarray(pad_to_square(np.full((4, 2, 3), 200, np.uint8)))
    assert (padded[:, 1:3] == 200).all()
    assert (padded[:, [0, 3]] == (122, 116, 104)).all()


def test_a_folder_without_a_model_is_explained(tmp_path):
    with pytest.raises(MissingModelError, match="no config.json"):
        load_captioner(tmp_path, torch.float32)


@pytest.mark.parametrize("found", ["llava_next", "qwen2_vl"])
def test_another_kind_of_model_is_refused_naming_both_types(copy, found):
    change_config(copy, model_type=found)
    with pytest.raises(CheckpointError, match=f"type '{found}', expected 'llava'"):
        load_captioner(copy, torch.float32)


def test_the_authors_own_layout_is_refused_with_advice(copy):
    (copy / "config.json").write_text(json.dumps({"model_type": "llava", "mm_vision_tower": "clip"}), "utf-8")
    with pytest.raises(CheckpointError, match="llava-hf/llava-1.5-7b-hf"):
        load_captioner(copy, torch.float32)


#: Valid JSON that a parser gives up on, and more of it than any model has.
DEEP, LONG = '{"a":' * 200_000 + "1" + "}" * 200_000, " " * 2_000_000


@pytest.mark.parametrize("text", ["{", "[1]", DEEP, LONG], ids=["cut", "list", "deep", "long"])
def test_a_damaged_config_is_refused(copy, text):
    (copy / "config.json").write_text(text, "utf-8")
    assert not is_llava_folder(copy)
    with pytest.raises(CheckpointError, match="config.json"):
        load_captioner(copy, torch.float32)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_an_error_of_the_folder(copy, name):
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_captioner(copy, torch.float32)


def test_a_truncated_weights_file_is_refused(copy):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_captioner(copy, torch.float32)


def test_missing_weights_are_refused_instead_of_made_up(copy):
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    gone = next(name for name in weights if "multi_modal_projector" in name)
    del weights[gone]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks 1 weights .*multi_modal_projector"):
        load_captioner(copy, torch.float32)


def test_only_llava_folders_are_recognised(folder, copy, tmp_path):
    change_config(copy, model_type="llama")
    assert is_llava_folder(folder)
    assert not is_llava_folder(copy)
    assert not is_llava_folder(tmp_path)


@pytest.mark.parametrize(
    ("caption", "limit", "expected"),
    [
        ("A face. A nose.", 15, "A face. A nose."),
        ("A face. A nose.", 14, "A face."),
        ("A face! A nose, an ear", 20, "A face!"),
        ("She is 1.75 tall. Yes.", 20, "She is 1.75 tall."),
        ("A face, a nose, two ears", 20, "A face, a nose."),
        ("one face with two eyes", 12, "one face"),
        ("unbreakable", 5, "unbre"),
        ("", 5, ""),
    ],
)
def test_a_caption_is_cut_after_a_sentence_else_a_clause_else_a_word(caption, limit, expected):
    assert shorten(caption, limit) == expected
    assert len(expected) <= limit


def test_two_seeds_make_two_models(tmp_path, captioner):
    other = load_captioner(llava.write(tmp_path, seed=1), torch.float32)
    assert other.caption(PHOTO, DESCRIBE_FACE, max_new_tokens=12) != captioner.caption(
        PHOTO, DESCRIBE_FACE, max_new_tokens=12
    )
