"""The layout of the Stable Diffusion UNet, as weight names of a single-file checkpoint."""

from collections.abc import Iterator
from dataclasses import dataclass

from .random_weights import Plan

PREFIX = "model.diffusion_model."
MODEL_CHANNELS = 320
TIME_EMBEDDING = 4 * MODEL_CHANNELS
RES_BLOCKS = 2  # per level, on the way down; one more on the way up


@dataclass(frozen=True)
class Family:
    """What distinguishes the UNets of one model family.

    channel_mult: width of each level in units of 320 channels.
    depth: transformer blocks per attention module on each level; 0 = no attention.
    """

    name: str
    channel_mult: tuple[int, ...]
    depth: tuple[int, ...]
    middle_depth: int
    context_dim: int
    adm_channels: int | None  # width of the size-and-pooled-text conditioning
    linear_projection: bool  # proj_in and proj_out are linear instead of 1x1 convolutions


SD15 = Family("sd15", (1, 2, 4, 4), (1, 1, 1, 0), 1, 768, None, False)
SDXL = Family("sdxl", (1, 2, 4), (0, 2, 10), 10, 2048, 2816, True)
FAMILIES = {family.name: family for family in (SD15, SDXL)}


def attention_widths(family: Family, channel_mult: tuple[int, ...]) -> Iterator[int]:
    """The width of every transformer block in the order adapters are numbered: down, up, middle."""
    levels = [MODEL_CHANNELS * mult for mult in channel_mult]
    for width, depth in zip(levels, family.depth, strict=True):
        yield from [width] * depth * RES_BLOCKS
    for width, depth in reversed(list(zip(levels, family.depth, strict=True))):
        yield from [width] * depth * (RES_BLOCKS + 1)
    yield from [levels[-1]] * family.middle_depth


def add_unet(plan: Plan, family: Family, channel_mult: tuple[int, ...]) -> None:
    """Add the UNet's tensors to the plan."""
    levels = [MODEL_CHANNELS * mult for mult in channel_mult]
    last = len(levels) - 1

    plan.linear(f"{PREFIX}time_embed.0", MODEL_CHANNELS, TIME_EMBEDDING)
    plan.linear(f"{PREFIX}time_embed.2", TIME_EMBEDDING, TIME_EMBEDDING)
    if family.adm_channels:
        plan.linear(f"{PREFIX}label_emb.0.0", family.adm_channels, TIME_EMBEDDING)
        plan.linear(f"{PREFIX}label_emb.0.2", TIME_EMBEDDING, TIME_EMBEDDING)

    plan.conv(f"{PREFIX}input_blocks.0.0", 4, MODEL_CHANNELS)
    skips = [MODEL_CHANNELS]  # widths handed to the way up, last one first
    width, block = MODEL_CHANNELS, 1
    for level, level_width in enumerate(levels):
        for _ in range(RES_BLOCKS):
            _add_res_block(plan, f"{PREFIX}input_blocks.{block}.0", width, level_width)
            width = level_width
            _add_transformer(plan, f"{PREFIX}input_blocks.{block}.1", family, width, family.depth[level])
            skips.append(width)
            block += 1
        if level != last:
            plan.conv(f"{PREFIX}input_blocks.{block}.0.op", width, width)
            skips.append(width)
            block += 1

    _add_res_block(plan, f"{PREFIX}middle_block.0", width, width)
    _add_transformer(plan, f"{PREFIX}middle_block.1", family, width, family.middle_depth)
    _add_res_block(plan, f"{PREFIX}middle_block.2", width, width)

    block = 0
    for level in range(last, -1, -1):
        for index in range(RES_BLOCKS + 1):
            name = f"{PREFIX}output_blocks.{block}"
            _add_res_block(plan, f"{name}.0", width + skips.pop(), levels[level])
            width = levels[level]
            _add_transformer(plan, f"{name}.1", family, width, family.depth[level])
            if level and index == RES_BLOCKS:
                plan.conv(f"{name}.{2 if family.depth[level] else 1}.conv", width, width)
            block += 1
    plan.norm(f"{PREFIX}out.0", width)
    plan.conv(f"{PREFIX}out.2", width, 4)


def _add_res_block(plan: Plan, name: str, inputs: int, outputs: int) -> None:
    plan.norm(f"{name}.in_layers.0", inputs)
    plan.conv(f"{name}.in_layers.2", inputs, outputs)
    plan.linear(f"{name}.emb_layers.1", TIME_EMBEDDING, outputs)
    plan.norm(f"{name}.out_layers.0", outputs)
    plan.conv(f"{name}.out_layers.3", outputs, outputs)
    if inputs != outputs:
        plan.conv(f"{name}.skip_connection", inputs, outputs, 1)


def _add_transformer(plan: Plan, name: str, family: Family, width: int, depth: int) -> None:
    if not depth:
        return

    def add_projection(part: str) -> None:
        if family.linear_projection:
            plan.linear(f"{name}.{part}", width, width)
        else:
            plan.conv(f"{name}.{part}", width, width, 1)

    plan.norm(f"{name}.norm", width)
    add_projection("proj_in")
    for index in range(depth):
        block = f"{name}.transformer_blocks.{index}"
        for attention, context in (("attn1", width), ("attn2", family.context_dim)):
            plan.linear(f"{block}.{attention}.to_q", width, width, bias=False)
            plan.linear(f"{block}.{attention}.to_k", context, width, bias=False)
            plan.linear(f"{block}.{attention}.to_v", context, width, bias=False)
            plan.linear(f"{block}.{attention}.to_out.0", width, width)
        plan.linear(f"{block}.ff.net.0.proj", width, 8 * width)  # value and gate
        plan.linear(f"{block}.ff.net.2", 4 * width, width)
        for norm in ("norm1", "norm2", "norm3"):
            plan.norm(f"{block}.{norm}", width)
    add_projection("proj_out")
