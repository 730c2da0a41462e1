"""One training step's losses: the golden forward pass on the host's UNet, with the core's loss functions.

The original reads its maps from self attention (SPEC 7.1); the test captures them there.
"""

import comfy.model_management
import pytest
import torch
from consistentid_pack.consistentid_core.networks.unet_layers import attention_layers
from consistentid_pack.consistentid_core.training.losses import (
    facial_token_indices,
    localisation_loss,
    noise_loss,
)
from consistentid_pack.nodes.sampling.id_patch import IDAttentionPatch
from consistentid_pack.nodes.sampling.lora import fitting_layers, merge_lora
from golden_host import consistentid_model, options_of_one_call, small_unet
from golden_set import manifest, normal
from golden_training import GOLDEN, LOSSES, facial_words, rectangles


@pytest.fixture(scope="module")
def step():
    """The prediction and the captured attention maps of the golden sample pair."""
    with torch.inference_mode():
        return forward()


def forward():
    consistentid, model = consistentid_model("sd15"), small_unet("sd15")
    layers = fitting_layers(model, consistentid)
    model = model.clone()
    merge_lora(model, consistentid, layers, 1.0)
    comfy.model_management.load_models_gpu([model])

    mask = facial_words()
    indices, valid = facial_token_indices(mask)
    prompt = consistentid.facial_encoder.loaded()(
        normal("train.prompt", (2, 77, 768)), normal("train.parts", (2, 5, 257, 1280)), mask, valid
    )
    keys_values = [
        consistentid.keys_values(face, clip[None])
        for face, clip in zip(
            normal("train.id", (2, 1, 512)), normal("train.clip", (2, 257, 1280)), strict=True
        )
    ]
    noisy = normal("train.noisy", (2, 4, 64, 64))
    blocks = {layer.index: layer.block for layer in layers if layer.is_cross}
    patch = IDAttentionPatch("sd15", blocks, *keys_values)
    options = options_of_one_call(patch, model, noisy, show=[True, False])
    maps = capture_self_attention(options, layers)
    timesteps = torch.tensor(GOLDEN["timesteps"], dtype=torch.float32)
    prediction = model.model.diffusion_model(noisy, timesteps, context=prompt, transformer_options=options)
    model.detach()
    return prediction, maps, indices, valid


def capture_self_attention(options, layers):
    """Keep the attention probabilities of the golden layers during a call with these options."""
    maps = {}

    def keeping(name):
        def attend(q, k, v, extra_options):
            heads = extra_options["n_heads"]
            q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
            maps[name] = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1).flatten(0, 1)
            return (maps[name].unflatten(0, (-1, heads)) @ v).transpose(1, 2).flatten(2)

        return attend

    blocks = {
        layer.processor.removesuffix(".processor"): layer.block for layer in layers if not layer.is_cross
    }
    options["patches_replace"]["attn1"] = {blocks[name]: keeping(name) for name in GOLDEN["captured_layers"]}
    return maps


def test_the_captured_layers_are_those_of_the_original(step):
    _, maps, *_ = step
    assert {name: list(found.shape) for name, found in maps.items()} == GOLDEN["map_shapes"]


def test_the_prediction_equals_the_original(step):
    golden = GOLDEN["results"]["unmasked"]
    assert step[0].mean().item() == pytest.approx(golden["pred_mean"], rel=1e-4)
    assert step[0].abs().mean().item() == pytest.approx(golden["pred_abs_mean"], rel=1e-6)


@pytest.mark.parametrize("case", ["masked", "unmasked"])
def test_the_noise_loss_equals_the_original(step, case):
    foreground = rectangles(GOLDEN["foreground_rect_512"]) if case == "masked" else None
    loss = noise_loss(step[0], normal("train.noise", (2, 4, 64, 64)), foreground)
    assert loss.item() == pytest.approx(GOLDEN["results"][case]["predict_loss"], rel=1e-6)


def test_the_localisation_loss_equals_the_original(step):
    _, maps, indices, valid = step
    part_masks = torch.stack([rectangles(boxes) for boxes in LOSSES["rects_512"]])
    loss = localisation_loss(maps, part_masks, indices, valid)
    assert loss.item() == pytest.approx(GOLDEN["results"]["masked"]["facial_loss"], rel=1e-5)


def test_every_self_attention_layer_is_known_by_its_diffusers_name():
    layers = attention_layers(manifest("unet_small_sd15")["comfy_unet_config"])
    assert {name + ".processor" for name in GOLDEN["captured_layers"]} <= {
        layer.processor for layer in layers
    }
