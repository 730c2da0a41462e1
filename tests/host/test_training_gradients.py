"""The golden training forward as training computes it: hooks on the host's UNet, autograd, gradient checkpointing."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from consistentid_pack.consistentid_core.training.attention import attached
from consistentid_pack.consistentid_core.training.config import from_mapping
from consistentid_pack.consistentid_core.training.modules import modules_of, new_modules
from consistentid_pack.consistentid_core.training.step import batch_losses, layers_to_capture
from golden_training import GOLDEN, golden_batch, golden_checkpoint, host_models

pytestmark = pytest.mark.usefixtures("outside_inference_mode")


@pytest.fixture(scope="module")
def frozen():
    return host_models()


@pytest.fixture(scope="module")
def golden_modules(frozen):
    return modules_of(golden_checkpoint(), frozen.layers, frozen.base_weight)


@pytest.fixture(scope="module")
def narrow_modules(frozen):
    """Networks of the same layers with a small encoder and projection, and a LoRA that does something."""
    narrow = {"width": 64, "depth": 1, "heads": 1, "hidden_dim": 64}
    modules = new_modules(
        frozen.layers, frozen.base_weight, frozen.cross_attention_dim,
        seed=0, rank=4, facial_encoder=narrow, id_projection={"depth": 1, "hidden_dim": 64},
    )  # fmt: skip
    for name, parameter in modules.adapters.named_parameters():
        if ".up." in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return modules


def train(frozen, modules, batch, *, recompute=False, localisation="original_code"):
    """The losses of a batch, and the gradients of every trained tensor."""
    config = from_mapping({"preset": "original", "localisation": localisation, "precision": "fp32"})
    captured = layers_to_capture(frozen.layers, config)
    modules.zero_grad()
    with (
        attached(frozen.unet_module, frozen.layers, modules.adapters, captured) as attention,
        frozen.recomputed() if recompute else nullcontext(),
    ):
        losses = batch_losses(batch, modules, attention, frozen, config)
        losses.total(config.localisation_weight).mean().backward()
    gradients = {name: one.grad.clone() for name, one in modules.named_parameters() if one.grad is not None}
    return losses, gradients


@pytest.fixture(scope="module", params=[("unmasked", False), ("masked", True)], ids=lambda case: case[0])
def golden_run(request, frozen, golden_modules):
    """Kept results with the whole picture, recomputed blocks with the foreground."""
    case, is_masked = request.param
    run = train(frozen, golden_modules, golden_batch(masked=is_masked), recompute=is_masked)
    return GOLDEN["results"][case], *run


@pytest.fixture(scope="module")
def small_batch():
    """The corner of the golden pair: a sixteenth of the work."""
    batch = golden_batch(masked=False)
    return replace(batch, noisy=batch.noisy[..., :16, :16], target=batch.target[..., :16, :16])


@pytest.fixture(scope="module", params=["original_code", "paper"])
def kept_and_recomputed(request, frozen, narrow_modules, small_batch):
    return [
        train(frozen, narrow_modules, small_batch, recompute=recompute, localisation=request.param)
        for recompute in (False, True)
    ]


def test_the_noise_loss_equals_the_original(golden_run):
    golden, losses, _ = golden_run
    assert losses.noise.mean().item() == pytest.approx(golden["predict_loss"], rel=1e-6)


def test_the_localisation_loss_equals_the_original(golden_run):
    golden, losses, _ = golden_run
    assert 0.01 * losses.localisation.mean().item() == pytest.approx(golden["facial_loss"], rel=1e-5)


def test_every_trained_tensor_has_a_gradient(golden_modules, golden_run):
    *_, gradients = golden_run
    assert [name for name, _ in golden_modules.named_parameters() if not gradients[name].any()] == []


def test_recomputing_blocks_changes_no_loss(kept_and_recomputed):
    (kept, _), (recomputed, _) = kept_and_recomputed
    torch.testing.assert_close(recomputed.noise, kept.noise, rtol=0, atol=0)
    torch.testing.assert_close(recomputed.localisation, kept.localisation, rtol=0, atol=0)


def test_recomputing_blocks_changes_no_gradient(kept_and_recomputed):
    (_, kept), (_, recomputed) = kept_and_recomputed
    assert kept.keys() == recomputed.keys()
    for name, gradient in kept.items():
        torch.testing.assert_close(recomputed[name], gradient, rtol=0, atol=0, msg=name)


def test_the_localisation_loss_has_a_gradient_of_its_own(
    frozen, narrow_modules, small_batch, kept_and_recomputed
):
    (_, gradients), _ = kept_and_recomputed
    _, without = train(frozen, narrow_modules, small_batch, localisation="off")
    changed = [name for name, one in gradients.items() if not torch.equal(one, without[name])]
    assert any(".to_q_lora." in name for name in changed)


def test_nothing_is_left_on_the_unet(frozen, kept_and_recomputed):
    for module in frozen.unet_module.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in vars(module)
