"""Which adapter module of a checkpoint belongs to which attention layer of the UNet.

The checkpoint numbers the layers in the order diffusers names them: down blocks, up
blocks, middle block; inside a block by attention module, then by transformer block,
self attention before cross attention.  Source: SPEC 1.3.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ModelMismatchError

_NEEDED = (
    "num_res_blocks",
    "channel_mult",
    "transformer_depth",
    "transformer_depth_middle",
    "transformer_depth_output",
)


@dataclass(frozen=True)
class AttentionLayer:
    """One attention layer of the UNet under its three names.

    index: number of the adapter module in the checkpoint.
    processor: diffusers name, "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor".
    weight_prefix: name in a single-file checkpoint, "input_blocks.1.1.transformer_blocks.0.attn1".
    block: key under which ComfyUI looks up attention patches, ("input", 1, 0).
    is_cross: reads the prompt (attn2), rather than the picture itself (attn1).
    """

    index: int
    processor: str
    weight_prefix: str
    block: tuple[str, int, int]
    is_cross: bool


@dataclass(frozen=True)
class _Transformer:
    """One spatial transformer of the UNet: its diffusers name, ldm name, patch key and number of blocks."""

    diffusers: str
    ldm: str
    block: tuple[str, int]
    depth: int


def attention_layers(unet_config: Mapping[str, Any]) -> list[AttentionLayer]:
    """The attention layers of a UNet in checkpoint order: each self attention, then its cross attention.

    unet_config: as ComfyUI detects it, with the lists ``num_res_blocks`` and ``channel_mult`` (one
    entry per level), ``transformer_depth`` (one per input ResNet block), ``transformer_depth_output``
    (one per output block, outermost level first) and the number ``transformer_depth_middle``.
    Raises ModelMismatchError if the config is not of such a UNet.
    """
    missing = [name for name in _NEEDED if unet_config.get(name) is None]
    if missing:
        raise ModelMismatchError(
            f"The model is no Stable Diffusion UNet: its configuration has no {', '.join(missing)}. "
            "ConsistentID works with SD1.5 and SDXL models; connect one of these."
        )
    layers: list[AttentionLayer] = []
    for transformer in (*_down(unet_config), *_up(unet_config), *_middle(unet_config)):
        for number in range(transformer.depth):
            for attention in ("attn1", "attn2"):
                inside = f"transformer_blocks.{number}.{attention}"
                layers.append(
                    AttentionLayer(
                        index=len(layers),
                        processor=f"{transformer.diffusers}.{inside}.processor",
                        weight_prefix=f"{transformer.ldm}.{inside}",
                        block=(*transformer.block, number),
                        is_cross=attention == "attn2",
                    )
                )
    return layers


def _down(unet_config: Mapping[str, Any]) -> Iterator[_Transformer]:
    depths = iter(_depths(unet_config, "transformer_depth", sum(unet_config["num_res_blocks"])))
    block = 1  # input block 0 is the first convolution
    for level, res_blocks in enumerate(unet_config["num_res_blocks"]):
        for number in range(res_blocks):
            name = f"down_blocks.{level}.attentions.{number}"
            yield _Transformer(name, f"input_blocks.{block}.1", ("input", block), next(depths))
            block += 1
        block += 1  # the level ends with a downsampler in an input block of its own


def _up(unet_config: Mapping[str, Any]) -> Iterator[_Transformer]:
    # Up blocks have one ResNet block more than their level, and hold the upsampler inside the last.
    blocks_per_level = [res_blocks + 1 for res_blocks in unet_config["num_res_blocks"]]
    depths = reversed(_depths(unet_config, "transformer_depth_output", sum(blocks_per_level)))
    block = 0
    for level, blocks in enumerate(reversed(blocks_per_level)):
        for number in range(blocks):
            name = f"up_blocks.{level}.attentions.{number}"
            yield _Transformer(name, f"output_blocks.{block}.1", ("output", block), next(depths))
            block += 1


def _middle(unet_config: Mapping[str, Any]) -> Iterator[_Transformer]:
    # ComfyUI calls the block ("middle", 0) although the transformer is middle_block.1;
    # a patch for ("middle", 1) is never asked for. A negative depth means there is no transformer.
    yield _Transformer(
        "mid_block.attentions.0", "middle_block.1", ("middle", 0), unet_config["transformer_depth_middle"]
    )


def _depths(unet_config: Mapping[str, Any], name: str, expected: int) -> Sequence[int]:
    depths = unet_config[name]
    if len(depths) != expected:
        raise ModelMismatchError(
            f"The UNet configuration lists {len(depths)} values of {name}, but num_res_blocks asks for "
            f"{expected}. ConsistentID works with SD1.5 and SDXL models; connect one of these."
        )
    return depths
