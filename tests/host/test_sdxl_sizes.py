"""SDXL's size conditioning, from ComfyUI's own nodes, on our prompts and next to our identity."""

import comfy.patcher_extension
import pytest
import torch
from comfy_extras.nodes_clip_sdxl import CLIPTextEncodeSDXL
from consistentid_pack.consistentid_core.errors import ModelMismatchError
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts, FacePhoto, find_parts
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from golden_host import GoldenCLIP, clip_vision, consistentid_model
from portrait_asset import LABELS, PORTRAIT
from sampling import apply_random, latents, relative, sample, small_sdxl

#: width, height, crop_w, crop_h, target_width, target_height
SIZES = (2048, 1536, 32, 64, 896, 1152)
FACE = FaceParts((FacePhoto(PORTRAIT, find_parts(LABELS)),))


@pytest.fixture(scope="module")
def unet():
    return small_sdxl()


@pytest.fixture(scope="module")
def patched(unet):
    return apply_random(unet, "sdxl")


def sdxl_text(*sizes, words="a lighthouse"):
    return CLIPTextEncodeSDXL.execute(GoldenCLIP("sdxl"), *(sizes or SIZES), words, words).args[0]


def encode(family="sdxl", size_from=None, mode="original"):
    return EncodeFacialPrompt.execute(
        GoldenCLIP(family), consistentid_model(family), FACE,
        "a person in a garden", "blurry", FAMILIES[family].default_caption, mode, 0.6, clip_vision(), size_from,
    ).args  # fmt: skip


def added_conditionings(model, positive, negative):
    """What the UNet is told beside the text, one row per conditioning, at the first step of a run."""
    caught = []

    def note(executor, *args, **kwargs):
        caught.append(kwargs.get("y", args[3] if len(args) > 3 else None))
        return executor(*args, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "note", note)
    sample(model, positive, negative)
    return caught[0]


@pytest.mark.parametrize("mode", ["original", "clean"])
def test_both_results_take_the_sizes_over_and_nothing_else_changes(mode):
    for plain, sized in zip(encode(mode=mode), encode(mode=mode, size_from=sdxl_text()), strict=True):
        for (rows, options), (sized_rows, sized_options) in zip(plain, sized, strict=True):
            added = {key: sized_options.pop(key) for key in list(sized_options) if key not in options}
            assert tuple(added.values()) == SIZES and set(added) == set(sdxl_text()[0][1]) - {"pooled_output"}
            assert torch.equal(rows, sized_rows)
            assert torch.equal(options.pop("pooled_output"), sized_options.pop("pooled_output"))
            assert options == sized_options


def test_the_unet_is_told_the_sizes_as_with_comfyui_s_own_node(unet, patched):
    """Behind the pooled text, sizes follow as 256 numbers each."""
    expected = added_conditionings(unet, sdxl_text(), sdxl_text(words="blurry"))[:, 1280:]
    found = added_conditionings(patched, *encode(size_from=sdxl_text()))[:, 1280:]
    assert torch.equal(found, expected)
    unsized = added_conditionings(patched, *encode())[:, 1280:]
    assert not torch.equal(unsized, expected)
    picture = (128, 128, 0, 0, 128, 128)
    assert torch.equal(unsized, added_conditionings(unet, sdxl_text(*picture), sdxl_text(*picture))[:, 1280:])


def test_sizes_change_the_picture_and_the_identity_still_acts(unet, patched):
    prompts, sized = encode(), encode(size_from=sdxl_text())
    assert relative(sample(patched, *sized), sample(patched, *prompts)) > 1e-4
    assert relative(sample(patched, *sized), sample(unet, *sized)) > 1e-3


def test_the_identity_acts_on_prompts_of_comfyui_s_sdxl_node_too(unet, patched):
    prompts = sdxl_text(), sdxl_text(1024, 1024, 0, 0, 1024, 1024, words="blurry")
    found = sample(patched, *prompts, noise=latents(16, 24))
    assert torch.isfinite(found).all()
    assert relative(found, sample(unet, *prompts, noise=latents(16, 24))) > 1e-3


def test_sizes_on_sd15_are_an_error():
    with pytest.raises(ModelMismatchError, match="SD1.5 models do not know picture sizes"):
        encode("sd15", size_from=sdxl_text())


def test_a_conditioning_without_sizes_is_an_error():
    with pytest.raises(ValueError, match="no sizes .*Connect CLIPTextEncodeSDXL"):
        encode(size_from=encode()[0])


def test_combined_conditionings_must_have_one_size():
    plain = encode()[0]
    assert encode(size_from=plain + sdxl_text())[0][0][1]["width"] == SIZES[0]
    with pytest.raises(ValueError, match="2 different sizes.*1024"):
        encode(size_from=sdxl_text() + sdxl_text(1024, 1024, 0, 0, 1024, 1024))
    with pytest.raises(ValueError, match="no sizes"):
        encode(size_from=[])
