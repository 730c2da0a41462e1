"""Several prompts, areas, masks, ranges, passes and samplers: what people wire around the two outputs."""

from types import SimpleNamespace

import comfy.model_sampling
import comfy.samplers
import numpy as np
import pytest
import torch
from comfy_extras.nodes_align_your_steps import AlignYourStepsScheduler
from comfy_extras.nodes_custom_sampler import BasicGuider, CFGGuider, RandomNoise, SamplerCustomAdvanced
from comfy_extras.nodes_gits import GITSScheduler
from consistentid_pack.consistentid_core.faces.face_parts import FacePart, FaceParts, FacePhoto
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.identity import SetIdentity
from consistentid_pack.nodes.prompt.conditioning import switch
from golden_host import GoldenCLIP, consistentid_model, small_unet
from sampling import (
    NEGATIVE,
    ONE_STEP,
    SIGMAS,
    apply,
    latents,
    left_half,
    person,
    photo,
    random,
    relative,
    sample,
    text,
    vision,
    watch_calls,
)

from nodes import (
    ConditioningCombine,
    ConditioningSetArea,
    ConditioningSetAreaPercentage,
    ConditioningSetMask,
    ConditioningSetTimestepRange,
    KSampler,
    KSamplerAdvanced,
    SetLatentNoiseMask,
)

LEFT = left_half(128)

#: A prompt as Encode Facial Prompt gives it: another text from 20 % on. Sigma 5.9 lies before, 2.4 after.
PLAIN, FUSED = text(0), text(2)
PROMPT = switch(PLAIN, FUSED, 0.2)


@pytest.fixture(scope="module")
def unet():
    return small_unet("sd15")


@pytest.fixture(scope="module")
def model(unet):
    return apply(unet)


@pytest.fixture(scope="module")
def weightless(unet):
    return apply(unet, weight=0.0)


@pytest.fixture
def shown(monkeypatch):
    """Who is shown in each model call."""
    return watch_calls(monkeypatch)


def sorted_letters(calls):
    """Without the order in which the host puts conditionings into a batch."""
    return ["".join(sorted(one)) for one in calls]


def then(first, second):
    """A run whose second step has other conditionings than its first."""

    def run(model, **options):
        halfway = sample(model, first, sigmas=SIGMAS[:2], **options)
        return sample(model, second, sigmas=SIGMAS[1:], noise=torch.zeros_like(halfway), latent=halfway)

    return run


# --- the merge point ----------------------------------------------------------------------


class Sampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    """The noise levels of SD1.5 and SDXL."""


def noise_levels(sampling) -> torch.Tensor:
    """All that every scheduler uses, for many numbers of steps."""
    levels = []
    for steps in (1, 2, 3, 4, 6, 7, 8, 10, 15, 20, 25, 28, 30, 40, 50):
        names = set(comfy.samplers.SCHEDULER_NAMES) - ({"kl_optimal"} if steps == 1 else set())
        levels += [comfy.samplers.calculate_sigmas(sampling, name, steps) for name in sorted(names)]
    for steps in (10, 20, 30):
        levels += [AlignYourStepsScheduler.execute(family, steps, 1.0).args[0] for family in ("SD1", "SDXL")]
        levels.append(GITSScheduler.execute(1.2, steps, 1.0).args[0])
    levels = torch.cat(levels)
    return levels[levels > 0].unique()


def active_entries(conditioning, sampling, levels) -> torch.Tensor:
    """How many entries of a conditioning the host evaluates at each noise level."""
    entries = [dict(options) for _, options in conditioning]
    comfy.samplers.calculate_start_end_timesteps(SimpleNamespace(model_sampling=sampling), entries)
    unlimited = {"timestep_start": float("inf"), "timestep_end": 0.0}
    ranges = [{**unlimited, **entry} for entry in entries]
    return sum((levels <= one["timestep_start"]) & (levels >= one["timestep_end"]) for one in ranges).int()


def test_at_every_noise_level_exactly_one_of_the_two_texts_counts():
    sampling = Sampling()
    levels = noise_levels(sampling)
    for percent in range(101):
        active = active_entries(switch(PLAIN, FUSED, percent / 100), sampling, levels)
        assert (active == 1).all(), (percent, levels[active != 1])


def test_at_merge_zero_only_the_fused_text_counts_and_at_one_only_the_plain(model):
    assert torch.equal(sample(model, switch(PLAIN, FUSED, 0.0)), sample(model, FUSED))
    assert torch.equal(sample(model, switch(PLAIN, FUSED, 1.0)), sample(model, PLAIN))


def test_between_them_the_text_changes_at_the_merge_point(model):
    assert relative(sample(model, PROMPT), then(PLAIN, FUSED)(model)) < 1e-6


def test_a_second_pass_of_less_noise_is_fused_from_its_first_step(model):
    """Image to image: percents are noise levels, not shares of the steps that are left."""
    half = SIGMAS[1:]
    noise, latent = latents(), random(1, 4, 16, 16, seed=6)
    assert torch.equal(
        sample(model, PROMPT, sigmas=half, noise=noise, latent=latent),
        sample(model, FUSED, sigmas=half, noise=noise, latent=latent),
    )


# --- several prompts -------------------------------------------------------------------------


def test_other_prompts_with_ranges_of_their_own_stand_beside(model, shown):
    early = ConditioningSetTimestepRange().set_range(text(3), 0.0, 0.2)[0]
    late = ConditioningSetTimestepRange().set_range(text(4), 0.3, 1.0)[0]
    both = ConditioningCombine().combine(PROMPT, early)[0]
    everything = ConditioningCombine().combine(both, late)[0]
    result = sample(model, everything)
    assert torch.isfinite(result).all()
    # Two positives and one negative in each step: the entry of ours for that step, and the other prompt.
    assert sorted_letters(shown) == ["aan", "aan"]
    assert relative(result, then(PLAIN + text(3), FUSED + text(4))(model)) < 1e-5


def test_a_range_set_over_the_switch_makes_both_texts_count(model, shown):
    """A known limit: the host's node replaces the ranges of both entries."""
    sample(model, ConditioningSetTimestepRange().set_range(PROMPT, 0.0, 1.0)[0])
    assert sorted_letters(shown) == ["aan", "aan"]


def test_a_mask_on_the_prompt_masks_both_of_its_entries(model):
    def masked(prompt, mask=LEFT):
        return ConditioningSetMask().append(prompt, mask, "default", 1.0)[0]

    rest = masked(text(3), 1 - LEFT)
    expected = then(masked(PLAIN) + rest, masked(FUSED) + rest)(model)
    assert relative(sample(model, masked(PROMPT) + rest), expected) < 1e-5


AREAS = {
    "pixels": lambda prompt: ConditioningSetArea().append(prompt, 64, 128, 32, 0, 1.0)[0],
    "percentage": lambda prompt: ConditioningSetAreaPercentage().append(prompt, 0.5, 1.0, 0.25, 0.0, 1.0)[0],
    "bounds of a mask": lambda prompt: ConditioningSetMask().append(prompt, LEFT, "mask bounds", 1.0)[0],
}


@pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)
def test_an_area_on_the_prompt_places_both_of_its_entries(model, shown, area):
    result = sample(model, area(PROMPT) + text(3))
    assert torch.isfinite(result).all()
    # For the area and for the rest each: a positive that shows the person, and a negative that does not.
    assert sorted_letters(shown) == ["an", "an"] * 2
    assert relative(result, then(area(PLAIN) + text(3), area(FUSED) + text(3))(model)) < 1e-5


@pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)
def test_a_mask_on_apply_reaches_into_areas(unet, area):
    """Cropped by the area: neither half is everywhere or nowhere."""
    whole, left, right, none = (
        sample(apply(unet, **options), area(PROMPT) + text(3), sigmas=ONE_STEP)
        for options in ({"mask": torch.ones(1, 8, 8)}, {"mask": LEFT}, {"mask": 1 - LEFT}, {"weight": 0.0})
    )
    assert torch.isfinite(torch.stack([whole, left, right])).all()
    for half in (left, right):
        assert relative(half, none) > 1e-3
        assert relative(half, whole) > 1e-3


def test_an_area_composition_shows_one_person_per_area(model):
    """Each area is a model call of its own, so it must come out as if the other person were the same."""

    def side(seed, x):
        conditioning = SetIdentity.execute(
            PROMPT, consistentid_model("sd15"), 1.0, vision(), id_embed=person(seed), image=photo(seed)
        ).args[0]
        return ConditioningSetAreaPercentage().append(conditioning, 0.5, 1.0, x, 0.0, 1.0)[0]

    def run(left, right):
        return sample(model, side(left, 0.0) + side(right, 0.5), sigmas=ONE_STEP)

    both, first, second = run(1, 2), run(1, 1), run(2, 2)
    assert relative(both[..., :8], first[..., :8]) < 1e-5
    assert relative(both[..., 8:], second[..., 8:]) < 1e-5
    assert relative(both, first) > 1e-3


# --- long prompts ------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [90, 420], ids=["2 chunks", "6 chunks"])
def test_long_prompts_of_the_clean_mode_sample_beside_a_short_negative(model, weightless, words):
    """The host repeats the shorter text up to four times; beyond that both are calls of their own."""
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    parts = (FacePart("Left_Eye", "eyes", mask), FacePart("Nose", "nose", mask))
    picture = (photo()[0, :, :, :].numpy() * 255).astype(np.uint8)
    face_parts = FaceParts((FacePhoto(np.resize(picture, (64, 64, 3)), parts, None),))
    positive, negative = EncodeFacialPrompt.execute(
        GoldenCLIP("sd15"), consistentid_model("sd15"), face_parts,
        "a garden " * (words // 2), "", "The person has one nose and two eyes.", "clean", 0.2, vision(),
    ).args  # fmt: skip
    assert positive[0][0].shape[1] > 77 and negative[0][0].shape[1] == 77
    result = sample(model, positive, negative)
    assert torch.isfinite(result).all()
    assert relative(result, sample(weightless, positive, negative)) > 1e-2
    assert relative(result, sample(model, positive[:1], negative)) > 1e-4


# --- latents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, LEFT], ids=["everywhere", "mask"])
@pytest.mark.parametrize("size", [(13, 19), (9, 40)], ids=str)
def test_latents_of_any_size_show_the_person(unet, size, mask):
    noise = latents(*size)
    shown = sample(apply(unet, mask=mask), PROMPT, noise=noise)
    assert torch.isfinite(shown).all() and shown.shape == noise.shape
    assert relative(shown, sample(apply(unet, weight=0.0), PROMPT, noise=noise)) > 1e-3


def test_a_batch_of_photos_is_one_person_for_every_latent_of_a_batch(unet):
    """What is supported: photos are averaged into one identity, whatever the number of latents."""
    photos = torch.cat([photo(1), photo(2)])
    together = apply(unet, image=photos)
    both = sample(together, noise=latents(batch=2), sigmas=ONE_STEP)
    alone = sample(together, sigmas=ONE_STEP)
    assert relative(both[:1], alone) < 1e-5 and relative(both[1:], alone) < 1e-5
    assert relative(alone, sample(apply(unet, image=photos[:1]), sigmas=ONE_STEP)) > 1e-5


def test_a_noise_mask_keeps_the_rest_of_the_picture(model, weightless):
    latent = SetLatentNoiseMask().set_mask({"samples": random(1, 4, 16, 16, seed=6)}, LEFT)[0]
    options = {"latent": latent["samples"], "denoise_mask": latent["noise_mask"]}
    shown, hidden = sample(model, PROMPT, **options), sample(weightless, PROMPT, **options)
    assert relative(shown[..., :8], hidden[..., :8]) > 1e-3
    assert relative(shown[..., 8:], latent["samples"][..., 8:]) < 1e-5


# --- samplers and passes -------------------------------------------------------------------------


SAMPLERS = [
    *("ddim", "dpm_2", "dpmpp_2m", "dpmpp_2s_ancestral", "dpmpp_sde", "euler_ancestral", "euler_cfg_pp"),
    *("heun", "lcm", "lms", "res_multistep", "uni_pc"),
]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_kind_of_sampler_shows_the_person(unet, weightless, sampler):
    sigmas = torch.tensor([9.0, 4.0, 1.5, 0.6])
    ranged = apply(unet, start_percent=0.1, end_percent=0.6)
    shown = sample(ranged, PROMPT, sampler=sampler, sigmas=sigmas)
    assert torch.isfinite(shown).all()
    assert relative(shown, sample(weightless, PROMPT, sampler=sampler, sigmas=sigmas)) > 1e-3


def test_two_passes_of_a_sampler_are_one_run_cut_in_two(unet):
    """KSamplerAdvanced, cut where neither the merge point nor the range of the person is."""
    model = apply(unet, start_percent=0.1, end_percent=0.7)
    positive = switch(PLAIN, FUSED, 0.6)
    latent = {"samples": torch.zeros(1, 4, 16, 16)}

    def run(latent, start, end, noise, leftover):
        return KSamplerAdvanced().sample(
            model, noise, 5, 4, 4.0, "euler", "normal", positive, NEGATIVE, latent, start, end, leftover
        )[0]

    whole = run(latent, 0, 10000, "enable", "disable")
    first = run(latent, 0, 2, "enable", "enable")
    assert relative(run(first, 2, 10000, "disable", "disable")["samples"], whole["samples"]) < 1e-5


def test_a_low_denoise_uses_the_fused_text_alone(model):
    latent = {"samples": random(1, 4, 16, 16, seed=6)}

    def run(positive):
        return KSampler().sample(
            model, 5, 2, 4.0, "euler", "normal", positive, NEGATIVE, latent, denoise=0.5
        )[0]

    assert torch.equal(run(switch(PLAIN, FUSED, 0.3))["samples"], run(FUSED)["samples"])


def test_custom_sampling_without_a_negative_shows_the_person(model, shown):
    noise = RandomNoise.execute(5).args[0]
    latent = {"samples": torch.zeros(1, 4, 16, 16)}

    def run(guider):
        return SamplerCustomAdvanced.execute(
            noise, guider, comfy.samplers.sampler_object("euler"), SIGMAS, latent
        ).args[0]["samples"]

    alone = run(BasicGuider.execute(model, PROMPT).args[0])
    assert sorted_letters(shown) == ["a", "a"]
    guided = run(CFGGuider.execute(model, PROMPT, NEGATIVE, 1.0).args[0])
    assert torch.equal(alone, guided)
    assert torch.isfinite(run(CFGGuider.execute(model, PROMPT, NEGATIVE, 5.0).args[0])).all()
    assert sorted_letters(shown)[-1] == "an"
