"""The image autoencoders a base checkpoint can carry: the full one, or the tiny TAESD."""

import torch

from .random_weights import Plan, TensorPlan

PREFIX = "first_stage_model."
_WIDTHS = (128, 256, 512, 512)
_TAESD_WIDTH = 64
_TAESD_STAGES = 3


def add_vae(plan: Plan) -> None:
    """Add the full autoencoder's tensors (84M parameters) to the plan."""
    encoder, decoder, deepest = f"{PREFIX}encoder", f"{PREFIX}decoder", _WIDTHS[-1]

    plan.conv(f"{encoder}.conv_in", 3, _WIDTHS[0])
    width = _WIDTHS[0]
    for level, level_width in enumerate(_WIDTHS):
        for block in range(2):
            _add_res_block(plan, f"{encoder}.down.{level}.block.{block}", width, level_width)
            width = level_width
        if level < len(_WIDTHS) - 1:
            plan.conv(f"{encoder}.down.{level}.downsample.conv", width, width)
    _add_middle(plan, encoder, deepest)
    plan.norm(f"{encoder}.norm_out", deepest)
    plan.conv(f"{encoder}.conv_out", deepest, 8)  # mean and log variance of 4 latent channels

    plan.conv(f"{decoder}.conv_in", 4, deepest)
    _add_middle(plan, decoder, deepest)
    width = deepest
    for level in range(len(_WIDTHS) - 1, -1, -1):
        for block in range(3):
            _add_res_block(plan, f"{decoder}.up.{level}.block.{block}", width, _WIDTHS[level])
            width = _WIDTHS[level]
        if level:
            plan.conv(f"{decoder}.up.{level}.upsample.conv", width, width)
    plan.norm(f"{decoder}.norm_out", width)
    plan.conv(f"{decoder}.conv_out", width, 3)

    plan.conv(f"{PREFIX}quant_conv", 8, 8, 1)
    plan.conv(f"{PREFIX}post_quant_conv", 4, 4, 1)


def add_taesd(plan: Plan, latent_scale: float) -> None:
    """Add the tiny autoencoder's tensors (2.4M parameters) to the plan."""
    # The numbers are positions in two sequential networks; gaps are layers without weights.
    encoder, decoder = f"{PREFIX}taesd_encoder", f"{PREFIX}taesd_decoder"
    plan.conv(f"{encoder}.0", 3, _TAESD_WIDTH)
    _add_taesd_block(plan, f"{encoder}.1")
    position = 2
    for _ in range(_TAESD_STAGES):
        plan.conv(f"{encoder}.{position}", _TAESD_WIDTH, _TAESD_WIDTH, bias=False)  # halves the size
        for _ in range(3):
            position += 1
            _add_taesd_block(plan, f"{encoder}.{position}")
        position += 1
    plan.conv(f"{encoder}.{position}", _TAESD_WIDTH, 4)

    plan.conv(f"{decoder}.1", 4, _TAESD_WIDTH)  # 0 clamps its input, 2 is the activation
    position = 3
    for _ in range(_TAESD_STAGES):
        for _ in range(3):
            _add_taesd_block(plan, f"{decoder}.{position}")
            position += 1
        plan.conv(f"{decoder}.{position + 1}", _TAESD_WIDTH, _TAESD_WIDTH, bias=False)  # after upsampling
        position += 2
    _add_taesd_block(plan, f"{decoder}.{position}")
    plan.conv(f"{decoder}.{position + 1}", _TAESD_WIDTH, 3)

    plan[f"{PREFIX}vae_scale"] = TensorPlan((), mean=latent_scale, dtype=torch.float32)
    plan[f"{PREFIX}vae_shift"] = TensorPlan((), dtype=torch.float32)


def _add_res_block(plan: Plan, name: str, inputs: int, outputs: int) -> None:
    plan.norm(f"{name}.norm1", inputs)
    plan.conv(f"{name}.conv1", inputs, outputs)
    plan.norm(f"{name}.norm2", outputs)
    plan.conv(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        plan.conv(f"{name}.nin_shortcut", inputs, outputs, 1)


def _add_middle(plan: Plan, name: str, width: int) -> None:
    _add_res_block(plan, f"{name}.mid.block_1", width, width)
    plan.norm(f"{name}.mid.attn_1.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        plan.conv(f"{name}.mid.attn_1.{part}", width, width, 1)
    _add_res_block(plan, f"{name}.mid.block_2", width, width)


def _add_taesd_block(plan: Plan, name: str) -> None:
    for position in (0, 2, 4):
        plan.conv(f"{name}.conv.{position}", _TAESD_WIDTH, _TAESD_WIDTH)
