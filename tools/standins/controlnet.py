"""A ControlNet for SD1.5 with random weights: the way down of a UNet, with outputs of its own."""

from pathlib import Path

from .random_weights import Plan, write_safetensors
from .sd15 import NARROW
from .unet import MODEL_CHANNELS, PREFIX, SD15, add_unet

#: Widths of the layers that read the control picture; from the third on every second one halves it.
_HINT_WIDTHS = (3, 16, 16, 32, 32, 96, 96, 256, MODEL_CHANNELS)


def write(path: Path, *, channel_mult: tuple[int, ...] = NARROW, seed: int = 0) -> None:
    """Write it in the released layout, float16. ``NARROW`` takes 91 MiB."""
    unet, plan = Plan(), Plan()
    add_unet(unet, SD15, channel_mult)
    for name, tensor in unet.items():
        own_name = name.removeprefix(PREFIX)
        if own_name.startswith(("time_embed.", "input_blocks.", "middle_block.")):
            plan[own_name] = tensor

    for index, (inputs, outputs) in enumerate(zip(_HINT_WIDTHS, _HINT_WIDTHS[1:], strict=False)):
        plan.conv(f"input_hint_block.{2 * index}", inputs, outputs)
    # Zero before training; here they pass something on.
    for index, width in enumerate(_input_widths(channel_mult)):
        plan.conv(f"zero_convs.{index}.0", width, width, 1)
    width = MODEL_CHANNELS * channel_mult[-1]
    plan.conv("middle_block_out.0", width, width, 1)
    write_safetensors(plan, Path(path), seed)


def _input_widths(channel_mult: tuple[int, ...]) -> list[int]:
    """What each input block gives: the first convolution, then per level two blocks and a halving."""
    levels = [MODEL_CHANNELS * mult for mult in channel_mult]
    widths = [MODEL_CHANNELS, *(width for level in levels for width in [level] * 3)]
    return widths[:-1]  # the last level is not halved
