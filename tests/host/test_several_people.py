"""Several people in one picture: by conditioning (Set Identity) and by mask (Apply)."""

import comfy.samplers
import node_helpers
import pytest
import sampling
import torch
from consistentid_pack.consistentid_core.errors import ModelMismatchError
from consistentid_pack.nodes.identity import SetIdentity
from consistentid_pack.nodes.sampling.id_attention import IDAttention
from consistentid_pack.nodes.sampling.id_patch import MAX_PEOPLE
from consistentid_pack.nodes.sampling.places import Places, average
from consistentid_pack.nodes.sampling.shown import IDENTITY_KEY, Identity
from consistentid_pack.nodes.sampling.spatial_mask import batch_mask, check_mask
from golden_host import consistentid_model
from sampling import LEFT, ONE_STEP, latents, person, photo, relative, text, vision, watch_calls

NOISE = latents()
NEGATIVE = text(9)[0][0]
RIGHT = 1 - LEFT


def apply(model, seed=0, **options):
    """With the LoRA, which is merged once however many people there are."""
    return sampling.apply(model, seed, lora_weight=1.0, **options)


def set_identity(conditioning, seed, weight=1.0):
    id_embed = None if seed is None else person(seed)
    return SetIdentity.execute(
        conditioning, consistentid_model("sd15"), weight, vision(), id_embed=id_embed, image=photo(seed or 0)
    ).args[0]


def sample(model, positive, **options):
    return sampling.one_step(model, positive, [[NEGATIVE, {}]], **options)


def masked(number, mask):
    return text(number, mask=mask, mask_strength=1.0)


# --- by conditioning -------------------------------------------------------------


def test_each_half_shows_its_own_person(unet):
    both = sample(
        apply(unet, 5), set_identity(masked(0, LEFT), 1) + set_identity(masked(1, RIGHT), 2), cfg=1.0
    )
    first = sample(apply(unet, 1), text(0), cfg=1.0)
    second = sample(apply(unet, 2), text(1), cfg=1.0)
    assert relative(both[..., :8], first[..., :8]) < 1e-5
    assert relative(both[..., 8:], second[..., 8:]) < 1e-5


def test_a_conditioning_without_an_own_person_shows_that_of_apply(unet):
    mixed = sample(apply(unet, 1), masked(0, LEFT) + set_identity(masked(1, RIGHT), 2), cfg=1.0)
    alone = sample(apply(unet, 1), text(0), cfg=1.0)
    assert relative(mixed[..., :8], alone[..., :8]) < 1e-5


def test_set_identity_without_a_face_shows_nobody(unet):
    nobody = sample(apply(unet, 1), set_identity(text(0), None), cfg=1.0)
    # A person of weight 1 whose tokens are the "nobody" of the negative branch.
    negative_role = sample_as_negative(apply(unet, 1))
    assert relative(nobody, negative_role) < 1e-5


def sample_as_negative(model):
    """One step in which text 0 plays the negative: cfg 0 leaves the negative alone."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[NEGATIVE, {}]], text(0))
    guider.set_cfg(0.0)
    return guider.sample(
        NOISE, torch.zeros_like(NOISE), comfy.samplers.ksampler("euler"), ONE_STEP, disable_pbar=True
    )


def test_the_weight_of_set_identity_takes_the_place_of_applys(unet):
    own = sample(apply(unet, seed=1, weight=0.2), set_identity(text(0), 2, weight=0.7), cfg=1.0)
    assert relative(own, sample(apply(unet, seed=2, weight=0.7), text(0), cfg=1.0)) < 1e-5


def test_an_own_person_is_not_added_once_per_apply(unet):
    positive = set_identity(text(0), 3)
    chained = sample(apply(apply(unet, 1), seed=2), positive, cfg=1.0)
    assert relative(chained, sample(apply(unet, 1), positive, cfg=1.0)) < 1e-5


def test_the_masks_of_apply_do_not_cut_an_own_person(unet):
    """Where that person is, the mask or area of the conditioning says; so the order of the Applies is all one."""
    positive = set_identity(text(0), 3)
    masked_one = sample(apply(apply(unet, 1, mask=LEFT), 2, mask=RIGHT), positive, cfg=1.0)
    other_order = sample(apply(apply(unet, 2, mask=RIGHT), 1, mask=LEFT), positive, cfg=1.0)
    alone = sample(apply(unet, 3), text(0), cfg=1.0)
    assert relative(masked_one, alone) < 1e-5
    assert relative(other_order, alone) < 1e-5


def test_an_area_conditioning_keeps_its_person_and_its_copy_in_the_negative_shows_nobody(unet, monkeypatch):
    calls = watch_calls(monkeypatch, 1)
    area = set_identity(text(0, area=(8, 8, 4, 4), strength=1.0), 2)
    assert torch.isfinite(sample(apply(unet, 1), area + text(1))).all()
    assert sorted("".join(calls)) == ["a", "n", "n", "o"]


def test_a_negative_area_copied_into_the_positive_shows_the_person_of_the_text_it_takes(unet):
    """The host gives the copy the positive's text; the person must come along."""
    guider = comfy.samplers.CFGGuider(apply(unet, 1))
    guider.set_conds(
        set_identity(text(0), 2), [[NEGATIVE, {"area": (8, 8, 4, 4), "strength": 1.0}], [NEGATIVE, {}]]
    )
    guider.set_cfg(1.0)
    mixed = guider.sample(
        NOISE, torch.zeros_like(NOISE), comfy.samplers.ksampler("euler"), ONE_STEP, disable_pbar=True
    )
    whole = sample(apply(unet, 2), text(0), cfg=1.0)
    assert relative(mixed[..., 12:, :], whole[..., 12:, :]) < 1e-5


def test_other_nodes_keep_the_identity_of_a_conditioning():
    changed = node_helpers.conditioning_set_values(set_identity(text(0), 1), {"start_percent": 0.2})
    assert isinstance(changed[0][1][IDENTITY_KEY], Identity)


def test_an_identity_of_another_family_is_refused(unet):
    positive = SetIdentity.execute(
        text(0), consistentid_model("sdxl"), 1.0, vision(), id_embed=person(1), image=photo(1)
    ).args[0]
    with pytest.raises(ModelMismatchError, match="SDXL.*SD1.5"):
        sample(apply(unet, 1), positive)


def test_more_people_than_a_picture_holds_are_refused(unet):
    model = unet
    for seed in range(MAX_PEOPLE):
        model = apply(model, seed)
    with pytest.raises(ValueError, match="8 people"):
        apply(model, 9)


# --- by mask ---------------------------------------------------------------------


def test_outside_its_mask_a_person_adds_nothing_to_the_attention():
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 64, 32, generator=generator) for _ in range(3))
    keys, values = (torch.randn(1, 4, 32, generator=generator) for _ in range(2))
    options = {"n_heads": 4, "attn_precision": None, "activations_shape": [1, 32, 8, 8]}
    weights = torch.ones(1, 1, 1)
    plain = IDAttention(None, keys, values * 0, weights)(q, k, v, options)
    everywhere = IDAttention(None, keys, values, weights)(q, k, v, options)
    places = Places(LEFT[None], False, LEFT.shape[-2:], q.device, q.dtype)
    halved = IDAttention(None, keys, values, weights, places)(q, k, v, options)
    left, right = (torch.arange(64) % 8 < 4), (torch.arange(64) % 8 >= 4)
    assert torch.equal(halved[:, right], plain[:, right])
    torch.testing.assert_close(halved[:, left], everywhere[:, left])


@pytest.mark.parametrize("size", [(16, 16), (8, 8), (6, 5), (11, 16), (1, 1), (20, 33)], ids=str)
def test_a_position_gets_the_mean_of_what_it_covers(size):
    """For divisors of the size, others, and more."""
    mask = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(average(mask, *size), torch.nn.functional.adaptive_avg_pool2d(mask, size))


def test_no_device_is_asked_to_pool_the_mask(unet, monkeypatch):
    """Apple's refuse some sizes: these of the latents halve to others than half."""

    def refused(pictures, size, *args, **kwargs):
        raise RuntimeError("Adaptive pool MPS: input sizes must be divisible by output sizes.")

    monkeypatch.setattr(torch.nn.functional, "adaptive_avg_pool2d", refused)
    noise = torch.randn(1, 4, 22, 18, generator=torch.Generator().manual_seed(1))
    assert torch.isfinite(sample(apply(unet, mask=LEFT), text(0), noise=noise)).all()


def test_a_full_mask_is_no_mask(unet):
    full = sample(apply(unet, mask=torch.ones(1, 40, 30)), text(0))
    assert relative(full, sample(apply(unet), text(0))) < 1e-5


def test_two_masks_put_two_people_side_by_side(unet):
    side_by_side = sample(apply(apply(unet, 1, mask=LEFT), 2, mask=RIGHT), text(0))
    swapped = sample(apply(apply(unet, 2, mask=RIGHT), 1, mask=LEFT), text(0))
    assert relative(side_by_side, swapped) < 1e-5
    assert relative(side_by_side, sample(apply(unet, 1), text(0))) > 1e-3


@pytest.mark.parametrize("size", [(16, 16), (17, 24), (12, 30)], ids=str)
def test_masks_fit_any_latent_size(unet, size):
    noise = torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(5))
    latents = sample(apply(unet, mask=torch.ones(1, 33, 21).tril()), text(0), noise=noise)
    assert torch.isfinite(latents).all() and latents.shape == noise.shape


def test_each_latent_of_a_batch_takes_its_own_mask(unet):
    masks = torch.cat([LEFT, RIGHT])
    both = sample(apply(unet, mask=masks), text(0), noise=NOISE.expand(2, -1, -1, -1).clone())
    for found, mask in zip(both, (LEFT, RIGHT), strict=True):
        assert relative(found[None], sample(apply(unet, mask=mask), text(0))) < 1e-5


def test_the_mask_of_an_area_is_the_crop_of_the_whole():
    mask = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
    cropped = batch_mask(mask, (16, 16), [(8, 4, 2, 6)], per_chunk=2)
    assert torch.equal(cropped, mask[:, None, 2:10, 6:10].expand(2, -1, -1, -1))


@pytest.mark.parametrize(
    "mask, words",
    [
        (torch.zeros(1, 8, 8), "empty"),
        (torch.full((1, 8, 8), -1.0), "empty"),
        (torch.full((1, 8, 8), float("nan")), "not numbers"),
        (torch.ones(1, 8, 8, 3), "shape"),
    ],
    ids=["empty", "negative", "nan", "picture"],
)
def test_unusable_masks_are_refused(mask, words):
    with pytest.raises(ValueError, match=words):
        check_mask(mask)
