"""Encode Facial Prompt as a node: what stands in for a caption, what it shows, and what it leaves behind."""

import gc
import weakref

import folder_paths
import pytest
import torch
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts, FacePhoto, find_parts
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.text.prompt import MODES
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from golden_host import GoldenCLIP, clip_vision, consistentid_model
from portrait_asset import LABELS, PORTRAIT

FACE = FaceParts((FacePhoto(PORTRAIT, find_parts(LABELS)),))
VISION = clip_vision()


@pytest.fixture(autouse=True)
def temp_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    return tmp_path


def encode(family="sd15", face_parts=FACE, caption="one face, one nose.", mode="original", clip=None):
    return EncodeFacialPrompt.execute(
        clip or GoldenCLIP(family), consistentid_model(family), face_parts, "a portrait", "bad", caption, mode, 0.6,
        VISION,
    )  # fmt: skip


def shown(output):
    (prompt,) = output.ui["consistentid_prompt"]
    return prompt


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_caption_stands_for_the_fixed_sentence_of_the_family(family, mode):
    row = FAMILIES[family]
    empty, fixed = (encode(family, caption=caption, mode=mode) for caption in (" \n", row.default_caption))
    for conditionings in zip(empty.args, fixed.args, strict=True):
        for (found, _), (expected, _) in zip(*conditionings, strict=True):
            assert torch.equal(found, expected)
    assert [word["region"] for word in shown(empty)["words"]] == [
        word["region"] for word in shown(fixed)["words"]
    ]
    note = f"The caption is empty: the fixed sentence for {row.label} takes its place."
    assert shown(empty)["notes"] == [note, *shown(fixed)["notes"]]


def test_a_caption_that_names_no_part_leaves_the_words_alone():
    output = encode(caption="a portrait")
    assert shown(output)["words"] == []
    assert len(output.args[0]) == 1


@pytest.mark.parametrize("mode", MODES)
def test_the_text_encoder_goes_with_its_last_user(mode):
    clip = GoldenCLIP("sd15")
    gone = weakref.ref(clip)
    gc.disable()
    try:
        encode(clip=clip, mode=mode)
        del clip
        assert gone() is None
    finally:
        gc.enable()
