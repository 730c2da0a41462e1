"""Nodes that change the weights too: LoRAs, hooks, merging; and the ways a model may be loaded."""

import comfy.hooks
import comfy.ldm.modules.attention as host_attention
import comfy.sd
import pytest
import torch
from comfy_extras.nodes_hooks import ConditioningSetDefaultAndCombine, ConditioningSetProperties
from comfy_extras.nodes_hypernetwork import load_hypernetwork_patch
from comfy_extras.nodes_model_merging import ModelAdd, ModelMergeBlocks, ModelMergeSimple, ModelSubtract
from consistentid_pack.consistentid_core.networks.leak_control import LeakControl
from golden_host import small_unet
from sampling import (
    LEFT,
    NEGATIVE,
    POSITIVE,
    SIGMAS,
    apply,
    apply_random,
    compile_node,
    latents,
    one_step,
    random,
    random_unet,
    relative,
    sample,
    text,
)


@pytest.fixture(scope="module")
def other():
    """Another checkpoint of the same family."""
    return random_unet("sd15")


def lora(seed=50):
    """A user's LoRA on three projections that ours changes too."""
    widths = {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_q": (32, 32),
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k": (128, 768),
        "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn1_to_v": (32, 32),
    }
    tensors = {}
    for i, (name, (out, inner)) in enumerate(widths.items()):
        tensors[f"{name}.lora_up.weight"] = 0.5 * random(out, 4, seed=seed + i)
        tensors[f"{name}.lora_down.weight"] = 0.5 * random(4, inner, seed=seed + 10 + i)
    return tensors


def load_lora(model, strength=1.0):
    return comfy.sd.load_lora_for_models(model, None, lora(), strength, 0.0)[0]


def load_bypass_lora(model, strength=1.0):
    return comfy.sd.load_bypass_lora_for_models(model, None, lora(), strength, 0.0)[0]


def load_hypernetwork(model, folder):
    """The model with a hypernetwork on the keys and values made of the text."""
    path = folder / "hypernetwork.pt"
    linear = {"linear.0.weight": random(768, 768, seed=5) / 40, "linear.0.bias": torch.zeros(768)}
    torch.save({768: [linear, linear]}, path)
    patched = model.clone()
    patched.set_model_attn2_patch(load_hypernetwork_patch(str(path), 1.0))
    return patched


def tiny_unet(seed=7):
    """A UNet of three blocks with attention, where the adapter itself does not matter."""
    layout = {"channel_mult": [1], "num_res_blocks": [1], "transformer_depth": [1]}
    return random_unet("sd15", seed=seed, transformer_depth_output=[0, 1], **layout)


# --- LoRAs -------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_lora, load_bypass_lora])
def test_a_users_lora_may_come_before_or_after(unet, load):
    before = one_step(apply(load(unet), lora_weight=1.0))
    assert relative(before, one_step(load(apply(unet, lora_weight=1.0)))) < 1e-5
    assert relative(before, one_step(apply(unet, lora_weight=1.0))) > 1e-3
    assert relative(before, one_step(load(apply(unet)))) > 1e-3


def test_a_hypernetwork_may_come_before_or_after(unet, tmp_path):
    before = one_step(apply(load_hypernetwork(unet, tmp_path)))
    assert torch.equal(before, one_step(load_hypernetwork(apply(unet), tmp_path)))
    assert relative(before, one_step(apply(unet))) > 1e-3


def hooked(conditioning, hooks=None, **options):
    hooks = hooks or comfy.hooks.create_hook_lora(lora(), strength_model=1.0, strength_clip=0.0)
    return ConditioningSetProperties().set_properties(conditioning, 1.0, "default", hooks=hooks, **options)[0]


def test_a_lora_hook_on_both_conditionings_is_the_lora_in_the_model(unet):
    hooks = comfy.hooks.create_hook_lora(lora(), strength_model=1.0, strength_clip=0.0)
    by_hook = one_step(apply(unet, lora_weight=1.0), hooked(POSITIVE, hooks), hooked(NEGATIVE, hooks))
    assert relative(by_hook, one_step(load_lora(apply(unet, lora_weight=1.0)))) < 1e-4


def test_a_lora_hook_on_the_positive_alone_keeps_the_person_with_the_positive(unet):
    """Positive and negative are then separate model calls; guidance must still be linear in both."""
    model, positive = apply(unet), hooked(POSITIVE)
    with_lora = one_step(load_lora(apply(unet)), POSITIVE, cfg=1.0)
    without = one_step(apply(unet), cfg=0.0)
    assert relative(one_step(model, positive, cfg=4.0), without + 4.0 * (with_lora - without)) < 1e-4


def test_a_scheduled_lora_hook_changes_over_the_steps_and_leaves_the_person_alone(unet):
    keyframes = comfy.hooks.HookKeyframeGroup()
    keyframes.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.0))
    keyframes.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.2))
    hooks = comfy.hooks.create_hook_lora(lora(), strength_model=1.0, strength_clip=0.0)
    hooks.set_keyframes_on_hooks(keyframes)
    # Sigma 5.9 lies before 20 % of the schedule, 2.4 after.
    first = sample(apply(unet), hooked(POSITIVE, hooks), hooked(NEGATIVE, hooks))
    halfway = one_step(load_lora(apply(unet)))
    rest = sample(apply(unet), sigmas=SIGMAS[1:], noise=torch.zeros_like(halfway), latent=halfway)
    assert relative(first, rest) < 1e-4


def test_a_default_conditioning_shows_the_person_where_nothing_else_is(unet):
    right = [[POSITIVE[0][0], {"mask": 1 - LEFT, "mask_strength": 1.0}]]
    positive = ConditioningSetDefaultAndCombine().set_default_and_combine(right, text(2))[0]
    mixed = one_step(apply(unet), positive, cfg=1.0)
    assert relative(mixed[..., :8], one_step(apply(unet), text(2), cfg=1.0)[..., :8]) < 1e-5
    assert relative(mixed[..., 8:], one_step(apply(unet), cfg=1.0)[..., 8:]) < 1e-5


# --- merging -----------------------------------------------------------------------


def test_merging_keeps_the_person_of_the_first_model(unet, other):
    merged = ModelMergeSimple().merge(apply(unet, lora_weight=1.0), other, 0.5)[0]
    halved = apply(ModelMergeSimple().merge(unet, other, 0.5)[0], lora_weight=0.5)
    assert relative(one_step(merged), one_step(halved)) < 1e-4


def test_a_patched_model_in_second_place_gives_its_lora_and_not_the_person(unet, other):
    merged = ModelMergeSimple().merge(other, apply(unet, lora_weight=1.0), 0.0)[0]
    assert relative(one_step(merged), one_step(apply(unet, weight=0.0, lora_weight=1.0))) < 1e-4


@pytest.mark.parametrize(
    "merge",
    [
        lambda a, b: ModelMergeBlocks().merge(a, b, input=0.7, middle=0.5, out=0.2)[0],
        lambda a, b: ModelAdd().merge(a, ModelSubtract().merge(b, a, 1.0)[0])[0],
    ],
    ids=["by block", "the difference added"],
)
def test_the_person_can_be_applied_after_any_merge(merge):
    merged = merge(tiny_unet(), tiny_unet(seed=8))
    shown = one_step(apply_random(merged, "sd15"))
    assert torch.isfinite(shown).all()
    assert relative(shown, one_step(merged)) > 1e-2


@pytest.mark.parametrize(
    "merge",
    [
        lambda a, b: ModelMergeSimple().merge(a, b, 0.3)[0],
        lambda a, b: ModelMergeSimple().merge(b, a, 0.3)[0],
        lambda a, b: ModelMergeBlocks().merge(a, b, input=0.7, middle=0.5, out=0.2)[0],
        lambda a, b: ModelAdd().merge(b, ModelSubtract().merge(a, b, 0.5)[0])[0],
    ],
    ids=["as the first", "as the second", "by block", "the difference"],
)
def test_what_a_merge_left_of_the_lora_is_completed_and_not_added_twice(unet, other, merge):
    """A weight of zero, because some merges keep the person too: this is about the LoRA."""
    options = {"weight": 0.0, "lora_weight": 1.0}
    merged = apply(merge(apply(unet, **options), other), **options)
    assert relative(one_step(merged), one_step(apply(merge(unet, other), **options))) < 1e-4


# --- loading and compiling -----------------------------------------------------------


def test_a_partly_loaded_model_with_mask_and_range_gives_the_same_picture(unet):
    """--lowvram: most weights stay off the device and are patched while they are cast."""
    options = {"mask": LEFT, "end_percent": 0.5, "lora_weight": 1.0}
    exact = one_step(apply(unet, **options))
    low = apply(small_unet("sd15", casting=True), **options)
    low.load(torch.device("cpu"), lowvram_model_memory=200_000)
    assert low.model.model_lowvram
    assert relative(one_step(low), exact) < 1e-5


def test_the_compile_node_notices_every_change_with_other_patches_around():
    model = tiny_unet()
    model.set_model_attn2_replace(
        lambda q, k, v, options: host_attention.attention_pytorch(q, k, v, options["n_heads"]) + 0.1 * q,
        "input", 1,
    )  # fmt: skip
    compiled, graphs = compile_node()

    def check(patched):
        noise = latents(batch=2)
        assert relative(sample(compiled(patched), noise=noise), sample(patched, noise=noise)) < 1e-4

    def person(number, **options):
        return apply_random(model, "sd15", number, **options)

    # One after the other in one session, as when someone builds a workflow: each must get a graph of its own.
    check(model)
    check(person(1))
    check(apply_random(person(1, mask=LEFT), "sd15", 2, leak_control=LeakControl(norm_rescale=0.3)))
    check(person(1, people=2))
    assert len(graphs) == 4
    # Of the same structure as before.
    check(model)
    check(person(2, percents=(0.0, 0.2)))
    check(person(2, people=2))
    assert len(graphs) == 4


def test_attention_chosen_by_another_pack_still_computes_the_text(unet):
    """Packs for faster attention set an override; all layers must keep asking it."""

    def calls(model):
        count = 0

        def override(attention, *args, **kwargs):
            nonlocal count
            count += 1
            return attention(*args, **kwargs)

        model = model.clone()
        model.model_options["transformer_options"]["optimized_attention_override"] = override
        result = one_step(model)
        return count, result

    (plain_count, _), (count, result) = calls(unet), calls(apply(unet))
    assert count == plain_count
    assert torch.equal(result, one_step(apply(unet)))
