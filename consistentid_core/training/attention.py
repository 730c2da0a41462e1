"""What the UNet's attention layers do while ConsistentID is trained: LoRA, ID attention, captured maps.

The trained weights stay outside the UNet: hooks on the frozen layers add what they contribute, and are gone
when training ends. Hooks belong to modules and not to block names, so they are right under gradient
checkpointing too, where a layer runs a second time during the backward pass. The second time everything
is computed as before, since the backward pass needs it, but nothing is recorded.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from ..networks.attention import add_id_attention
from ..networks.unet_layers import AttentionLayer
from .modules import Adapters

#: Which attention the localisation loss reads: that to the words of the text, or the original code's (SPEC 7.1).
Captured = Literal["cross", "self"]


@dataclass(frozen=True, eq=False)
class Columns:
    """One layer's attention to the facial tokens.

    probabilities: (B, heads, n, slots), of n positions.  valid: (B, slots), which slots the layer has a key for.
    """

    probabilities: Tensor
    valid: Tensor


@dataclass(frozen=True, eq=False)
class _Call:
    """What one call of the UNet adds: ID tokens (B, tokens, D) or None, and the facial tokens to capture or None."""

    id_tokens: Tensor | None
    facial: tuple[Tensor, Tensor] | None


class TrainedAttention:
    """The hooks on a UNet's attention layers; made by :func:`attached`."""

    def __init__(self, adapters: Adapters, captured: Collection[int]):
        """captured: adapter indices of the layers whose attention to the facial tokens is kept."""
        self._adapters = adapters
        self._captured = frozenset(captured)
        self._call = _Call(None, None)
        self._projections: dict[tuple[int, str], Tensor] = {}
        self._columns: dict[int, Columns] = {}
        self._records = False

    @contextmanager
    def call(
        self, *, id_tokens: Tensor | None, facial: tuple[Tensor, Tensor] | None = None
    ) -> Iterator[dict[int, Columns]]:
        """Run the UNet once inside this block.

        id_tokens: (B, tokens, D), None for no ID attention.
        facial: indices and validity (B, slots) of the facial tokens to capture; None to capture nothing.
        Yields what is captured, by adapter index; filled while the UNet runs.
        """
        self._call, self._columns, self._records = _Call(id_tokens, facial), {}, True
        try:
            yield self._columns
        finally:
            # The settings of the call stay for the backward pass, which may run layers again.
            self._records, self._columns = False, {}
            self._projections.clear()

    def hook(self, layer: AttentionLayer, module: nn.Module) -> Iterator[Any]:
        """Register everything one layer needs; yields the handles of the hooks."""
        targets = {name: module.get_submodule(name) for name in ("to_q", "to_k", "to_v")}
        targets["to_out"] = module.get_submodule("to_out.0")
        heads = int(module.heads)  # type: ignore[arg-type]
        yield targets["to_out"].register_forward_pre_hook(self._before_output(layer, heads))
        for name, target in targets.items():
            yield target.register_forward_hook(self._after_projection(layer, name))

    def _after_projection(self, layer: AttentionLayer, name: str) -> Callable:
        lora = self._adapters.lora(layer.index, name)
        is_kept = name == "to_q" and (layer.is_cross or layer.index in self._captured)
        is_kept = is_kept or (name == "to_k" and layer.index in self._captured)

        def add_lora(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            down, up = (weight.to(output.dtype) for weight in lora)
            output = output + functional.linear(functional.linear(inputs[0], down), up)
            if is_kept:
                self._projections[layer.index, name] = output
            return output

        return add_lora

    def _before_output(self, layer: AttentionLayer, heads: int) -> Callable:
        def add_identity(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            call = self._call
            q = self._projections.pop((layer.index, "to_q"), None)
            k = self._projections.pop((layer.index, "to_k"), None)
            if call.facial is not None and q is not None and k is not None:
                columns = facial_columns(q, k, *call.facial, heads=heads)
                if self._records:
                    self._columns[layer.index] = columns
            if not layer.is_cross or call.id_tokens is None or q is None:
                return None
            to_k, to_v = (weight.to(q.dtype) for weight in self._adapters.id_matrices(layer.index))
            tokens = call.id_tokens.to(q.dtype)
            attended = add_id_attention(
                inputs[0], q, functional.linear(tokens, to_k), functional.linear(tokens, to_v), heads=heads
            )
            return (attended, *inputs[1:])

        return add_identity


@contextmanager
def attached(
    unet_module: nn.Module,
    layers: Sequence[AttentionLayer],
    adapters: Adapters,
    captured: Collection[int] = (),
) -> Iterator[TrainedAttention]:
    """Let adapters act in a UNet for as long as the block lasts.

    unet_module: see :class:`.frozen.FrozenModels`.  captured: adapter indices, see :func:`captured_layers`.
    """
    attention = TrainedAttention(adapters, captured)
    with ExitStack() as hooks:
        for layer in layers:
            for handle in attention.hook(layer, unet_module.get_submodule(layer.weight_prefix)):
                hooks.callback(handle.remove)
        yield attention


def facial_columns(q: Tensor, k: Tensor, indices: Tensor, valid: Tensor, *, heads: int) -> Columns:
    """Attention of all positions to a few keys; the other keys only count in the softmax.

    q: (B, n, width).  k: (B, keys, width).  indices, valid: (B, slots).
    A key that the layer does not have makes its slot invalid: in the original's mode a token's index picks a
    pixel, and the smallest feature map has fewer pixels than a text has tokens (SPEC 7.1).
    """
    q, k = (x.unflatten(-1, (heads, -1)).transpose(1, 2).float() for x in (q, k))  # B N (h d) -> B h N d
    probabilities = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
    exists = indices < k.shape[2]
    at = (indices * exists)[:, None, None, :].expand(-1, heads, q.shape[2], -1)
    return Columns(probabilities.gather(-1, at), valid & exists)


def captured_layers(layers: Sequence[AttentionLayer], captured: Captured) -> list[int]:
    """The adapter indices of the layers that the localisation loss reads.

    Those of the middle blocks of the UNet, outermost left out: 5 of 7 blocks of SD1.5, 3 of 7 of SDXL, whose
    outermost blocks have no attention.  Source: SPEC 7.1, 7.3.
    """
    blocks = _INNER_BLOCKS[len({_block_of(layer) for layer in layers if _block_of(layer).startswith("down")})]
    return [
        layer.index
        for layer in layers
        if layer.is_cross == (captured == "cross") and _block_of(layer).startswith(blocks)
    ]


#: By the number of down blocks with attention: three in SD1.5, two in SDXL.
_INNER_BLOCKS: Mapping[int, tuple[str, ...]] = {
    3: ("down_blocks.1", "down_blocks.2", "mid_block", "up_blocks.1", "up_blocks.2"),
    2: ("down_blocks.2", "mid_block", "up_blocks.1"),
}


def _block_of(layer: AttentionLayer) -> str:
    """``down_blocks.1``, ``mid_block``."""
    return layer.processor.partition(".attentions")[0]
