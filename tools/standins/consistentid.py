"""A ConsistentID checkpoint with random weights, sized to fit a given UNet."""

import os
from pathlib import Path

import torch

from .random_weights import Plan, TensorPlan, part_path
from .unet import SD15, SDXL, Family, attention_widths

CLIP_WIDTH = 1280  # CLIP ViT-H hidden states
FACE_WIDTH = 512  # the face-recognition vector
ID_TOKENS = 4
RANK = 128

#: Standard deviation of a LoRA's share of a layer's output: small beside the layer itself,
#: as it is after training, yet large enough to show in the result.
_LORA_GAIN = 0.2


def write(
    path: Path, *, family: Family = SD15, channel_mult: tuple[int, ...] | None = None, seed: int = 0
) -> None:
    """Write a float16 checkpoint as released: a pickle of three state dicts.

    channel_mult: the widths of the base model it is meant for, as in ``sd15.write``.
    The released shapes take 351 MiB (SD1.5) and 1657 MiB (SDXL).
    """
    path = Path(path)
    unfinished = part_path(path)
    plans = plan(family, channel_mult or family.channel_mult)
    torch.save({group: dict(tensors.draw(seed)) for group, tensors in plans.items()}, unfinished)
    os.replace(unfinished, path)


def plan(family: Family, channel_mult: tuple[int, ...]) -> dict[str, Plan]:
    """The tensors of the three groups of a released file."""
    return {
        "FacialEncoder": _facial_encoder(family.context_dim),
        # The released loaders disagree about the name of this group.
        "image_proj_model" if family is SDXL else "image_proj": _id_projection(family.context_dim),
        "adapter_modules": _adapters(family, channel_mult),
    }


def _facial_encoder(context_dim: int) -> Plan:
    plan, width = Plan(), 1024
    projection, fuse = "visual_projection", "fuse_module"
    plan.table(f"{projection}.latents", 1, 1, width, std=width**-0.5)
    plan.linear(f"{projection}.proj_in", CLIP_WIDTH, width)
    plan.linear(f"{projection}.proj_out", width, context_dim)
    plan.norm(f"{projection}.norm_out", context_dim)
    _add_resampler_layers(plan, f"{projection}.layers", 8, width)

    plan.norm(f"{fuse}.mlp1.layernorm", 2 * context_dim)  # a text row and a part side by side
    plan.linear(f"{fuse}.mlp1.fc1", 2 * context_dim, context_dim)
    plan.linear(f"{fuse}.mlp1.fc2", context_dim, context_dim)
    plan.norm(f"{fuse}.mlp2.layernorm", context_dim)
    plan.linear(f"{fuse}.mlp2.fc1", context_dim, context_dim)
    plan.linear(f"{fuse}.mlp2.fc2", context_dim, context_dim)
    plan.norm(f"{fuse}.layer_norm", context_dim)
    return plan


def _id_projection(context_dim: int) -> Plan:
    plan, resampler = Plan(), "perceiver_resampler"
    plan.linear("proj.0", FACE_WIDTH, 2 * FACE_WIDTH)
    plan.linear("proj.2", 2 * FACE_WIDTH, ID_TOKENS * context_dim)
    plan.norm("norm", context_dim)
    plan.linear(f"{resampler}.proj_in", CLIP_WIDTH, context_dim)
    plan.linear(f"{resampler}.proj_out", context_dim, context_dim)
    plan.norm(f"{resampler}.norm_out", context_dim)
    _add_resampler_layers(plan, f"{resampler}.layers", 4, context_dim)
    return plan


def _add_resampler_layers(plan: Plan, name: str, layers: int, width: int) -> None:
    for index in range(layers):
        attention, feed_forward = f"{name}.{index}.0", f"{name}.{index}.1"
        plan.norm(f"{attention}.norm1", width)
        plan.norm(f"{attention}.norm2", width)
        plan.linear(f"{attention}.to_q", width, width, bias=False)
        plan.linear(f"{attention}.to_kv", width, 2 * width, bias=False)
        plan.linear(f"{attention}.to_out", width, width, bias=False)
        plan.norm(f"{feed_forward}.0", width)
        plan.linear(f"{feed_forward}.1", width, 4 * width, bias=False)
        plan.linear(f"{feed_forward}.3", 4 * width, width, bias=False)


def _adapters(family: Family, channel_mult: tuple[int, ...]) -> Plan:
    plan = Plan()
    for block, width in enumerate(attention_widths(family, channel_mult)):
        _add_lora(plan, 2 * block, width, context=width)  # self attention
        _add_lora(plan, 2 * block + 1, width, context=family.context_dim)  # cross attention
        for name in ("to_k_ip", "to_v_ip"):
            plan.linear(f"{2 * block + 1}.{name}", family.context_dim, width, bias=False)
    return plan


def _add_lora(plan: Plan, index: int, width: int, context: int) -> None:
    for name, inputs in (("to_q", width), ("to_k", context), ("to_v", context), ("to_out", width)):
        plan[f"{index}.{name}_lora.down.weight"] = TensorPlan((RANK, inputs), inputs**-0.5)
        plan[f"{index}.{name}_lora.up.weight"] = TensorPlan((width, RANK), _LORA_GAIN * RANK**-0.5)
