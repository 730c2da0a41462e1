"""Nodes that change single model calls: ControlNet, wrappers around the model, context windows, tiles."""

import comfy.cldm.cldm
import comfy.controlnet
import comfy.gligen
import comfy.model_patcher
import comfy.ops
import comfy.patcher_extension
import comfy.samplers
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch, optimized_attention
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_custom_sampler import DualModelGuider, Guider_DualCFG
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale
from comfy_extras.nodes_perpneg import Guider_PerpNeg
from comfy_extras.nodes_tomesd import TomePatchModel
from consistentid_pack.consistentid_core.networks.leak_control import LeakControl
from golden_host import CPU, small_unet
from golden_set import manifest
from sampling import (
    LEFT,
    NEGATIVE,
    POSITIVE,
    SIGMAS,
    apply,
    apply_random,
    fill,
    latents,
    one_step,
    random,
    relative,
    sample,
    text,
)

from nodes import ControlNetApply, ControlNetApplyAdvanced

PICTURE = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(8))


# --- ControlNet and GLIGEN -------------------------------------------------------------


@pytest.fixture(scope="module")
def controlnet():
    config = dict(manifest("unet_small_sd15")["comfy_unet_config"])
    for key in ("out_channels", "transformer_depth_output"):
        config.pop(key)
    model = comfy.cldm.cldm.ControlNet(
        hint_channels=3, dtype=torch.float32, device=CPU, operations=comfy.ops.disable_weight_init, **config
    )
    model.requires_grad_(False)
    fill(model, seed=3)
    return comfy.controlnet.ControlNet(model, load_device=CPU)


def controlled(controlnet, strength=0.3, start=0.0, end=1.0):
    positive, negative = ControlNetApplyAdvanced().apply_controlnet(
        POSITIVE, NEGATIVE, controlnet, PICTURE, strength, start, end
    )
    return {"positive": positive, "negative": negative}


def test_a_controlnet_and_the_person_both_act(unet, controlnet):
    both = one_step(apply(unet), **controlled(controlnet))
    assert torch.isfinite(both).all()
    assert relative(both, one_step(apply(unet))) > 1e-3
    assert relative(both, one_step(apply(unet, weight=0.0), **controlled(controlnet))) > 1e-2


def test_a_controlnet_of_strength_zero_changes_nothing(unet, controlnet):
    assert torch.equal(one_step(apply(unet), **controlled(controlnet, 0.0)), one_step(apply(unet)))


def test_a_controlnet_acts_in_its_own_range_and_the_person_in_its_own(unet, controlnet):
    """Sigma 5.9 lies before 20 % of the schedule, 2.4 after."""
    model = apply(unet, start_percent=0.2)
    first = controlled(controlnet, end=0.2)
    halfway = one_step(apply(unet, weight=0.0), **first)
    rest = sample(apply(unet), sigmas=SIGMAS[1:], noise=torch.zeros_like(halfway), latent=halfway)
    assert relative(sample(model, **first), rest) < 1e-5


def test_a_controlnet_on_the_positive_alone_leaves_the_person_with_the_positive(unet, controlnet):
    """The negative is then a model call of its own."""
    positive = ControlNetApply().apply_controlnet(POSITIVE, controlnet, PICTURE, 0.3)[0]
    positive[0][1]["control_apply_to_uncond"] = False
    model = apply(unet)
    shown, hidden = (one_step(model, positive, cfg=cfg) for cfg in (1.0, 0.0))
    assert relative(shown, one_step(model, cfg=1.0, **controlled(controlnet))) < 1e-5
    assert relative(hidden, one_step(model, cfg=0.0)) < 1e-5


def test_gligen_boxes_and_the_person_both_act(unet):
    widths = [32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 64, 64, 64, 32, 32, 32]
    layers = [comfy.gligen.GatedSelfAttentionDense(width, 768, 8, width // 8) for width in widths]
    gligen = comfy.gligen.Gligen(layers, comfy.gligen.PositionNet(768, 768), 768).requires_grad_(False)
    fill(gligen, seed=4)
    for layer in gligen.module_list:
        layer.alpha_attn.fill_(0.5)
    patcher = comfy.model_patcher.ModelPatcher(gligen, load_device=CPU, offload_device=CPU)
    positive = text(0, gligen=("position", patcher, [(random(1, 768, seed=9), 8, 8, 2, 2)]))

    both = one_step(apply(unet), positive)
    assert torch.isfinite(both).all()
    assert relative(both, one_step(apply(unet))) > 1e-3
    assert relative(both, one_step(apply(unet, weight=0.0), positive)) > 1e-2


# --- around the model call ---------------------------------------------------------------


def wrapped(model, wrapper):
    """The model with a function around each call of it, as many packs install one."""
    model = model.clone()
    model.set_model_unet_function_wrapper(wrapper)
    return model


def test_a_wrapper_that_patches_attention_for_one_call_is_chained(unet):
    """It adds its patch to the options of the call, after all nodes have run."""

    def attention(q, k, v, extra_options):
        return attention_pytorch(q, k, v, extra_options["n_heads"]) + 0.1 * q

    def wrapper(apply_model, args):
        options = dict(
            args["c"]["transformer_options"], patches_replace={"attn2": {("middle", 0): attention}}
        )
        return apply_model(args["input"], args["timestep"], **{**args["c"], "transformer_options": options})

    by_node = unet.clone()
    by_node.set_model_attn2_replace(attention, "middle", 0)
    expected = one_step(apply(by_node))
    assert torch.equal(one_step(wrapped(apply(unet), wrapper)), expected)
    assert torch.equal(one_step(apply(wrapped(unet, wrapper))), expected)


def tiled(tiles_at_once):
    """What packs for large pictures do: cut the latents, run the tiles stacked or one by one, put them together."""

    def wrapper(apply_model, args):
        tiles = args["input"].chunk(2, dim=-1)
        stacks = [torch.cat(tiles[i : i + tiles_at_once]) for i in range(0, len(tiles), tiles_at_once)]
        results = []
        for stack in stacks:
            times = len(stack) // len(args["input"])
            call = {
                k: torch.cat([v] * times) if isinstance(v, torch.Tensor) else v for k, v in args["c"].items()
            }
            results.append(apply_model(stack, torch.cat([args["timestep"]] * times), **call))
        return torch.cat([tile for one in results for tile in one.split(len(args["input"]))], dim=-1)

    return wrapper


@pytest.mark.parametrize("batch", [1, 2])
def test_tiles_run_together_are_as_tiles_run_one_by_one(unet, batch):
    together, one_by_one = (
        one_step(wrapped(apply(unet), tiled(n)), noise=latents(batch=batch)) for n in (2, 1)
    )
    assert relative(together, one_by_one) < 1e-5


@pytest.mark.parametrize("tiles_at_once", [1, 2])
def test_a_mask_and_tiles_together_are_refused(unet, tiles_at_once):
    """Where a tile lies is known to the node that cuts it only."""
    with pytest.raises(ValueError, match="tiles.*Set Identity"):
        one_step(wrapped(apply(unet, mask=LEFT), tiled(tiles_at_once)))


def test_part_of_a_batch_that_fits_no_conditioning_is_refused(unet):
    def positive_only(apply_model, args):
        half = {k: v[1:] if isinstance(v, torch.Tensor) else v for k, v in args["c"].items()}
        return apply_model(args["input"][1:], args["timestep"][1:], **half).repeat(2, 1, 1, 1)

    with pytest.raises(RuntimeError, match="1 latents.*2 conditionings"):
        one_step(wrapped(apply(unet), positive_only))


def latent_by_latent(apply_model, args):
    """One call for each latent of a batch of two, with all its conditionings."""
    results = []
    for i in range(2):
        own = {k: v[i::2] if isinstance(v, torch.Tensor) else v for k, v in args["c"].items()}
        results.append(apply_model(args["input"][i::2], args["timestep"][i::2], **own))
    return torch.stack(results, dim=1).flatten(0, 1)


def test_a_batch_may_run_latent_by_latent_if_all_show_the_same(unet):
    one_by_one = one_step(wrapped(apply(unet, mask=LEFT), latent_by_latent), noise=latents(batch=2))
    assert relative(one_by_one, one_step(apply(unet, mask=LEFT), noise=latents(batch=2))) < 1e-5


@pytest.mark.parametrize(
    "options", [{"people": 2}, {"mask": torch.cat([LEFT, 1 - LEFT])}], ids=["people", "masks"]
)
def test_latents_that_differ_cannot_run_one_by_one(unet, options):
    with pytest.raises(RuntimeError, match="1 of 2 latents at a time"):
        one_step(wrapped(apply_random(unet, "sd15", **options), latent_by_latent), noise=latents(batch=2))


def test_the_negative_may_run_on_a_model_of_its_own(unet):
    def guided(cfg):
        guider = DualModelGuider.execute(apply(unet), POSITIVE, cfg, small_unet("sd15"), NEGATIVE).args[0]
        return one_step(None, guider=guider)

    assert relative(guided(1.0), one_step(apply(unet), cfg=1.0)) < 1e-5
    assert torch.isfinite(guided(4.0)).all()
    assert relative(guided(4.0), guided(1.0)) > 1e-3


def test_differential_diffusion_and_the_person_both_act_inside_the_inpaint_mask(unet):
    gradient = torch.linspace(0, 1, 16).expand(1, 1, 16, 16)

    def run(model):
        return sample(model, latent=random(1, 4, 16, 16, seed=6), denoise_mask=gradient)

    before, after = (
        run(DifferentialDiffusion.execute(apply(unet)).args[0]),
        run(apply(DifferentialDiffusion.execute(unet).args[0])),
    )
    assert torch.equal(before, after)
    assert relative(before, run(apply(unet))) > 1e-3
    assert relative(before, run(apply(DifferentialDiffusion.execute(unet).args[0], weight=0.0))) > 1e-3


@pytest.mark.parametrize("size", [(16, 16), (24, 16)], ids=str)
def test_deep_shrink_takes_the_mask_down_with_it(unet, size):
    """The layers inside work on fewer positions than their block has otherwise."""

    def shrunk(model):
        return PatchModelAddDownscale.execute(model, 3, 2.0, 0.0, 1.0, True, "bicubic", "bicubic").args[0]

    noise = latents(*size)
    full = one_step(shrunk(apply(unet, mask=torch.ones(1, 8, 8))), noise=noise)
    assert relative(full, one_step(shrunk(apply(unet)), noise=noise)) < 1e-5
    half = one_step(shrunk(apply(unet, mask=LEFT)), noise=noise)
    assert relative(half, full) > 1e-3
    assert torch.equal(half, one_step(apply(shrunk(unet), mask=LEFT), noise=noise))


def test_merged_tokens_leave_the_mask_in_place(unet):
    """ToMe merges tokens for self-attention only; a full mask must stay no mask."""
    tome = TomePatchModel.execute(unet, 0.4).args[0]
    assert relative(one_step(apply(tome, mask=torch.ones(1, 8, 8))), one_step(apply(tome))) < 1e-5


# --- packs that couple prompts by region -----------------------------------------------------


def coupled(model, other_text):
    """What "attention couple" packs do: the left half reads one text, the right half another.

    Inside a layer the positive chunk is there once per region; the negative stays single.
    """

    def spread(n, context, value, extra_options):
        order = extra_options["cond_or_uncond"]
        chunks = zip(n.chunk(len(order)), context.chunk(len(order)), order, strict=True)
        rows = [
            (part, text) if which == 1 else (torch.cat([part] * 2), torch.cat([text, other_text]))
            for part, text, which in chunks
        ]
        n, context = (torch.cat(side) for side in zip(*rows, strict=True))
        return n, context, context

    def gather(out, extra_options):
        order = extra_options["cond_or_uncond"]
        sizes = [1 if which == 1 else 2 for which in order]
        height, width = extra_options["activations_shape"][-2:]
        left = (torch.arange(height * width) % width < width / 2)[:, None]
        parts = out.split(sizes)
        return torch.cat(
            [part if len(part) == 1 else torch.where(left, part[:1], part[1:]) for part in parts]
        )

    model = model.clone()
    model.set_model_attn2_patch(spread)
    model.set_model_attn2_output_patch(gather)
    return model


def test_every_region_of_coupled_prompts_shows_the_person(unet):
    """With the same text in both regions, coupling changes nothing."""
    same = one_step(coupled(apply(unet), POSITIVE[0][0]))
    assert relative(same, one_step(apply(unet))) < 1e-5
    different = one_step(coupled(apply(unet), text(2)[0][0]))
    assert torch.equal(different, one_step(apply(coupled(unet, text(2)[0][0]))))
    assert relative(different, same) > 1e-3


def test_the_mask_holds_in_every_region_of_coupled_prompts(unet):
    same = one_step(coupled(apply(unet, mask=LEFT), POSITIVE[0][0]))
    assert relative(same, one_step(apply(unet, mask=LEFT))) < 1e-5


def shows_person(guider_lists, model):
    """The coupled model, patched by hand for guiders whose lists hold one conditioning each.

    guider_lists: for each number in ``cond_or_uncond``, whether that list is the positive one.
    """
    patch = apply_random(model, "sd15").get_wrappers(
        comfy.patcher_extension.WrappersMP.APPLY_MODEL, "consistentid"
    )[0]
    patched = model.clone()
    for index, block in patch.blocks.items():
        sources = [patch.identity if shows else patch.no_identity for shows in guider_lists]

        def attention(q, k, v, extra_options, index=index, sources=sources):
            order = extra_options["cond_or_uncond"]
            rows = [i for i in order for _ in range(1 if i == 1 else 2)]
            id_keys, id_values = (torch.cat([sources[i][index][which] for i in rows]) for which in (0, 1))
            heads = extra_options["n_heads"]
            text = optimized_attention(q, k, v, heads)
            return text + attention_pytorch(q, id_keys, id_values, heads)

        patched.set_model_attn2_replace(attention, *block)
    return patched


def cfg(model):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(POSITIVE, NEGATIVE)
    guider.set_cfg(4.0)
    return guider


def perp_neg(model):
    guider = Guider_PerpNeg(model)
    guider.set_conds(POSITIVE, NEGATIVE, text(3))
    guider.set_cfg(4.0, 1.0)
    return guider


def dual_cfg(model):
    guider = Guider_DualCFG(model)
    guider.set_conds(POSITIVE, text(3), NEGATIVE)
    guider.set_cfg(4.0, 2.0)
    return guider


@pytest.mark.parametrize(
    "guided, lists",
    [(cfg, (True, False)), (perp_neg, (True, False, False)), (dual_cfg, (False, False, True))],
)
def test_coupled_prompts_under_any_guider_are_as_patched_by_hand(unet, guided, lists):
    """Such packs take number 1 for the negative, whatever the guider means by it, and repeat all others."""
    other = text(2)[0][0]
    ours = one_step(None, guider=guided(apply_random(coupled(unet, other), "sd15")))
    by_hand = one_step(None, guider=guided(shows_person(lists, coupled(unet, other))))
    assert (ours - by_hand).abs().max() == 0.0
    assert relative(ours, one_step(None, guider=guided(coupled(unet, other)))) > 1e-3


# --- packs that run the layers on their own ---------------------------------------------------


def running_layers_itself(model, *keys, **more):
    """What packs do that bring a forward of their own for the blocks: of the options only some get through."""

    def wrapper(executor, x, timesteps, context, y, control, options, **kwargs):
        replacements = options["patches_replace"]["attn2"]

        def called(replacement):
            return lambda q, k, v, options: replacement(q, k, v, {key: options[key] for key in keys}, **more)

        own = {"attn2": {block: called(one) for block, one in replacements.items()}}
        return executor(x, timesteps, context, y, control, {**options, "patches_replace": own}, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "layers", wrapper)
    return model


@pytest.mark.parametrize(
    "options",
    [{}, {"mask": LEFT}, {"leak_control": LeakControl(norm_rescale=0.5, self_mask=True)}],
    ids=["plain", "mask", "leak control"],
)
def test_a_caller_may_say_no_more_than_the_number_of_heads(unet, options):
    model = apply(unet, **options)
    assert torch.equal(one_step(running_layers_itself(model, "n_heads", "dim_head")), one_step(model))


def test_a_caller_may_say_more_than_is_known_today(unet):
    seen = []

    def attention(q, k, v, extra_options, preferred_attention=None):
        seen.append(preferred_attention)
        return attention_pytorch(q, k, v, extra_options["n_heads"])

    before = unet.clone()
    before.set_model_attn2_replace(attention, "middle", 0)
    one_step(running_layers_itself(apply(before), "n_heads", preferred_attention="fast"))
    assert seen == ["fast"]


def test_a_mask_is_not_laid_over_a_size_nobody_names(unet):
    """Layers on a picture smaller than they have by themselves."""
    shrunk = PatchModelAddDownscale.execute(
        apply(unet, mask=LEFT), 1, 1.6, 0.0, 1.0, True, "bicubic", "bicubic"
    )
    with pytest.raises(RuntimeError, match="positions and does not say their height and width"):
        one_step(running_layers_itself(shrunk.args[0], "n_heads"))


# --- context windows -------------------------------------------------------------------------


def comfyui_windows(model, dim=0):
    return ContextWindowsManualNode.execute(
        model, 4 if dim == 0 else 16, 2 if dim == 0 else 0, "standard_static", 1, False, "flat", dim, False
    ).args[0]


def animatediff_windows(model):
    """As AnimateDiff-Evolved does: frames 0-3 and 2-5, announced in ``ad_params``."""

    def in_windows(executor, model, conds, x, timestep, model_options):
        options = model_options["transformer_options"]
        sums = [torch.zeros_like(x) for _ in conds]
        counts = torch.zeros(len(x), 1, 1, 1)
        for frames in ([0, 1, 2, 3], [2, 3, 4, 5]):
            options["ad_params"] = {"full_length": len(x), "context_length": 4, "sub_idxs": frames}
            parts = executor(model, conds, x[frames], timestep[frames], model_options)
            counts[frames] += 1
            for total, part in zip(sums, parts, strict=True):
                total[frames] += part
        return [total / counts for total in sums]

    model = model.clone()
    kind = comfy.patcher_extension.WrappersMP.CALC_COND_BATCH
    model.add_wrapper_with_key(kind, "animatediff", in_windows)
    return model


#: A person who walks from the left to the right within six frames.
WALKING = torch.stack([torch.roll(LEFT[0], 2 * frame, dims=-1) for frame in range(6)])


@pytest.mark.parametrize("windows", [comfyui_windows, animatediff_windows])
def test_in_context_windows_every_frame_shows_the_person(unet, windows):
    frames = latents(batch=6)
    assert relative(one_step(windows(apply(unet)), noise=frames), one_step(apply(unet), noise=frames)) < 1e-5


@pytest.mark.parametrize("windows", [comfyui_windows, animatediff_windows])
def test_in_context_windows_every_frame_keeps_its_own_mask(unet, windows):
    frames, whole = latents(batch=6), one_step(apply(unet, mask=WALKING), noise=latents(batch=6))
    for place in (lambda: windows(apply(unet, mask=WALKING)), lambda: apply(windows(unet), mask=WALKING)):
        assert relative(one_step(place(), noise=frames), whole) < 1e-5


def test_a_window_over_a_part_of_the_picture_takes_that_part_of_the_mask(unet):
    """Two windows side by side, without overlap, are two pictures of half the width."""
    wide = torch.cat([LEFT, 1 - LEFT], dim=-1)
    noise = latents(16, 32)
    windows = one_step(comfyui_windows(apply(unet, mask=wide), dim=3), noise=noise)
    halves = [
        one_step(apply(unet, mask=mask), noise=part)
        for mask, part in zip((LEFT, 1 - LEFT), noise.chunk(2, dim=-1), strict=True)
    ]
    # ComfyUI puts one column of the window before in front of the second one and takes it off again.
    assert relative(windows[..., :16], halves[0]) < 1e-5
    assert torch.isfinite(windows).all()
