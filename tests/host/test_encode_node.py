"""Encode Facial Prompt as a node: what stands in for a caption, what it shows, and what it leaves behind."""

import gc
import weakref

import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.faces.clip_pixels import centre_square
from consistentid_pack.consistentid_core.faces.face_parts import (
    FaceParts,
    FacePhoto,
    choose_parts,
    find_parts,
)
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.text.prompt import MODES
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.previews.parts import MAX_PHOTOS
from golden_host import GoldenCLIP, clip_vision, consistentid_model
from PIL import Image
from portrait_asset import LABELS, PORTRAIT

pytestmark = pytest.mark.usefixtures("temp_folder")

FACE = FaceParts((FacePhoto(PORTRAIT, find_parts(LABELS)),))
VISION = clip_vision()


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


def temp_files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_same_crops_are_written_once_however_often_the_prompt_changes(temp_folder):
    first = encode().ui["consistentid_crops"]
    written = temp_files(temp_folder)
    assert len(written) == len(FACE.photos[0].parts) == 5
    assert encode(caption="two eyes.").ui["consistentid_crops"] == first
    assert temp_files(temp_folder) == written
    assert sorted(f"{crop['subfolder']}/{crop['filename']}" for crop in first) == written


def test_crops_are_what_clip_sees(temp_folder):
    photo = FACE.photos[0]
    for part, crop in zip(photo.parts, encode().ui["consistentid_crops"], strict=True):
        with Image.open(temp_folder / crop["subfolder"] / crop["filename"]) as file:
            assert np.array_equal(np.asarray(file), centre_square(photo.crop(part)))
        assert (crop["name"], crop["region"], crop["type"]) == (part.name, part.region, "temp")


def test_of_many_photos_the_crops_of_the_first_are_shown(temp_folder):
    nose = choose_parts(FACE.photos[0].parts, ["nose"])
    photos = tuple(FacePhoto(np.roll(PORTRAIT, 7 * number, axis=1), nose) for number in range(MAX_PHOTOS + 2))
    crops = encode(face_parts=FaceParts(photos), caption="nose.").ui["consistentid_crops"]
    first = encode(face_parts=FaceParts(photos[:MAX_PHOTOS]), caption="nose.").ui["consistentid_crops"]
    assert crops == first and len(crops) == MAX_PHOTOS
