"""Checkpoints and encoders of other kinds: inpainting, editing, distilled ones; SDXL; PhotoMaker."""

from types import SimpleNamespace

import comfy.samplers
import comfy.supported_models
import pytest
import torch
from comfy_extras import nodes_photomaker
from comfy_extras.nodes_custom_sampler import BasicGuider, DualCFGGuider, SDTurboScheduler
from comfy_extras.nodes_ip2p import InstructPixToPixConditioning
from comfy_extras.nodes_model_advanced import ModelSamplingContinuousEDM, ModelSamplingDiscrete
from golden_host import GoldenCLIP
from peer_pack import apply_peer
from sampling import (
    NEGATIVE,
    POSITIVE,
    apply,
    apply_random,
    fill,
    left_half,
    one_step,
    photo,
    random_unet,
    relative,
    sample,
    small_sdxl,
    text,
)

from nodes import ConditioningConcat, InpaintModelConditioning

HALF = left_half(128)

#: An autoencoder that takes means of 8 x 8 pixels.
VAE = SimpleNamespace(
    encode=lambda pixels: torch.nn.functional.avg_pool2d(pixels.movedim(-1, 1), 8).repeat(1, 2, 1, 1)[:, :4]
)
PICTURE = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(8))


@pytest.fixture(scope="module")
def sdxl():
    return small_sdxl()


# --- checkpoints with further inputs ----------------------------------------------------


@pytest.mark.parametrize("noise_mask", [True, False])
def test_an_inpainting_checkpoint_shows_the_person(noise_mask):
    model = random_unet("sd15", in_channels=9)
    positive, negative, latent = InpaintModelConditioning().encode(
        POSITIVE, NEGATIVE, PICTURE, VAE, HALF, noise_mask
    )
    options = {"latent": latent["samples"], "denoise_mask": latent.get("noise_mask")}
    shown = sample(apply(model), positive, negative, **options)
    assert torch.isfinite(shown).all()
    change = (shown - sample(apply(model, weight=0.0), positive, negative, **options)).abs()
    assert change[..., :8].max() > 1e-3
    # Behind a noise mask the picture stays as it was.
    assert (change[..., 8:].max() < 1e-5) == noise_mask


@pytest.mark.parametrize("style", ["regular", "nested"])
def test_an_editing_checkpoint_shows_the_person(style):
    """InstructPix2Pix with the guider made for it: two texts see the picture, the third does not."""
    model = random_unet("sd15", comfy.supported_models.SD15_instructpix2pix, in_channels=8)
    positive, middle, _ = InstructPixToPixConditioning.execute(POSITIVE, NEGATIVE, PICTURE, VAE).args

    def run(model, cfg):
        guider = DualCFGGuider.execute(model, positive, middle, text(2), cfg, 1.5, style).args[0]
        return one_step(model, guider=guider)

    assert torch.isfinite(run(apply(model), 4.0)).all()
    assert relative(run(apply(model), 4.0), run(apply(model, weight=0.0), 4.0)) > 1e-2


# --- distilled models, few steps ----------------------------------------------------------


@pytest.mark.parametrize("cfg", [1.0, 1.8])
def test_lcm_works_in_four_steps(unet, cfg):
    def lcm(model):
        return ModelSamplingDiscrete().patch(model, "lcm", False)[0]

    sampling = lcm(unet).get_model_object("model_sampling")
    options = {
        "cfg": cfg, "sampler": "lcm", "sigmas": comfy.samplers.calculate_sigmas(sampling, "sgm_uniform", 4),
    }  # fmt: skip
    shown = sample(lcm(apply(unet)), **options)
    assert torch.isfinite(shown).all()
    assert torch.equal(shown, sample(apply(lcm(unet)), **options))
    assert relative(shown, sample(lcm(apply(unet, weight=0.0)), **options)) > 1e-2


@pytest.mark.parametrize(
    "patch",
    [
        lambda model: ModelSamplingDiscrete().patch(model, "lcm", False)[0],
        lambda model: ModelSamplingContinuousEDM().patch(model, "v_prediction", 120.0, 0.002)[0],
    ],
    ids=["lcm", "edm"],
)
def test_a_range_means_the_same_before_and_after_a_node_that_changes_the_sampling(unet, patch):
    """At each step of the changed sampling, as its own percents say."""
    sampling = patch(unet).get_model_object("model_sampling")
    options = {"sigmas": comfy.samplers.calculate_sigmas(sampling, "sgm_uniform", 4)}
    for percent in (0.25, 0.5, 0.6):
        after, before = patch(apply(unet, end_percent=percent)), apply(patch(unet), end_percent=percent)
        assert torch.equal(sample(after, **options), sample(before, **options))


def test_a_turbo_model_works_in_one_step_without_a_negative(sdxl):
    model = apply_random(sdxl, "sdxl")
    sigmas = SDTurboScheduler.execute(model, 1, 1.0).args[0]
    guider = BasicGuider.execute(model, text(0, family="sdxl")).args[0]
    shown = sample(model, guider=guider, sigmas=sigmas, sampler="euler_ancestral")
    guider = BasicGuider.execute(apply_random(sdxl, "sdxl", weight=0.0), text(0, family="sdxl")).args[0]
    assert torch.isfinite(shown).all()
    assert relative(shown, sample(model, guider=guider, sigmas=sigmas, sampler="euler_ancestral")) > 1e-2


# --- SDXL -----------------------------------------------------------------------------------


def test_on_sdxl_packs_that_replace_attention_may_come_before_or_after(sdxl):
    """There they register every transformer of a block by itself."""
    texts = text(0, family="sdxl"), text(1, family="sdxl")

    def run(model):
        return one_step(model, *texts)

    before, after = (
        run(apply_random(apply_peer(sdxl), "sdxl")),
        run(apply_peer(apply_random(sdxl, "sdxl"))),
    )
    assert torch.equal(before, after)
    assert relative(before, run(apply_peer(sdxl))) > 1e-2
    assert relative(before, run(apply_random(sdxl, "sdxl"))) > 1e-2


@pytest.fixture(scope="module")
def photomaker():
    """The core's PhotoMaker encoder with one layer of its 24, and random weights."""
    config = nodes_photomaker.VISION_CONFIG_DICT
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(config, "num_hidden_layers", 1)
        encoder = nodes_photomaker.PhotoMakerIDEncoder()
    fill(encoder, seed=2)
    return encoder.float().requires_grad_(False)


class EncodingCLIP(GoldenCLIP):
    """A CLIP as older core nodes use it."""

    def encode_from_tokens(self, tokens, return_pooled=False):
        plain = {key: [[entry[:2] for entry in chunk] for chunk in chunks] for key, chunks in tokens.items()}
        embeds, options = self.encode_from_tokens_scheduled(plain)[0]
        return embeds, options["pooled_output"]


def test_photomaker_and_the_person_both_act(sdxl, photomaker):
    """PhotoMaker changes one row of the text; the ID tokens are read beside it."""
    clip = EncodingCLIP("sdxl")

    def encode(number):
        prompt = "photograph of photomaker in a garden"
        return nodes_photomaker.PhotoMakerEncode.execute(photomaker, photo(number), clip, prompt).args[0]

    ours, negative = apply_random(sdxl, "sdxl"), text(1, family="sdxl")
    both = one_step(ours, encode(1), negative)
    assert torch.isfinite(both).all()
    assert relative(both, one_step(ours, encode(2), negative)) > 1e-4
    assert relative(both, one_step(sdxl, encode(1), negative)) > 1e-2
    joined = ConditioningConcat().concat(text(0, family="sdxl"), encode(1))[0]
    assert torch.isfinite(one_step(ours, joined, negative)).all()
