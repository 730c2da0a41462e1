"""ID cross-attention and LoRA as functions; no model, no host.

Every attention layer computes, with LoRA merged into its four matrices,
``attention(q, k_text, v_text) + weight * attention(q, k_id, v_id)``; the second term in
cross attention only.  Source: SPEC 1.2, 1.3, 4.
"""

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor
from torch.nn import functional

from ..errors import ModelMismatchError
from ..families import FAMILIES
from .unet_layers import AttentionLayer

#: attention(q, k, v, heads): (B, N, heads * dim) each, k and v of another N; returns the shape of q.
AttentionFunction = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def torch_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention on (B, N, heads * dim) tensors."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # B N (h d) -> B h N d
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def add_id_attention(
    text: Tensor,
    q: Tensor,
    k_id: Tensor,
    v_id: Tensor,
    *,
    heads: int,
    attention: AttentionFunction = torch_attention,
    shape_reading: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Add what the queries read from the ID tokens to what they read from the text.

    text: (B, N, width), the layer's attention to the text, before its output matrix.
    q: (B, N, width), with LoRA.
    k_id, v_id: (people, num_tokens, width) from :class:`~.id_key_values.IDKeyValueProjection`, where ``people``
    divides B: as many pictures in a row share each. The strength of the identity, 1 in the original, is a
    factor of ``v_id``.
    shape_reading: reading -> reading, for masks and limits the original does not have.
    """
    # Pictures of one person are read as one long picture: its keys and values are there once, not per picture.
    reading = attention(q.reshape(len(k_id), -1, q.shape[-1]), k_id, v_id, heads).reshape(q.shape)
    return text + (reading if shape_reading is None else shape_reading(reading))


def lora_delta(down: Tensor, up: Tensor, scale: float = 1.0) -> Tensor:
    """What a LoRA adds to a weight matrix.

    down: (rank, in).  up: (out, rank).  Returns ``scale * up @ down``, (out, in), float32.
    There is no alpha: the checkpoint stores none, and the original's factor is ``scale`` itself.
    """
    return scale * (up.float() @ down.float())


def lora_weights(adapters: Mapping[str, Tensor], layers: Sequence[AttentionLayer]) -> dict[str, Tensor]:
    """The LoRA tensors under diffusers names, as common LoRA loaders expect them.

    adapters: checkpoint group, "0.to_q_lora.up.weight"; its ID matrices are left out.
    layers: of the UNet the LoRA is meant for.
    Returns "<processor>.to_q_lora.up.weight" -> the same tensor.
    Raises ModelMismatchError if adapters and layers differ in number.
    """
    processors = {layer.index: layer.processor for layer in layers}
    _require_same_layers(adapters, layers)
    renamed = {}
    for key, tensor in adapters.items():
        index, name = key.split(".", 1)
        if "_lora." in name:
            renamed[f"{processors[int(index)]}.{name}"] = tensor
    return renamed


def _require_same_layers(adapters: Mapping[str, Tensor], layers: Sequence[AttentionLayer]) -> None:
    modules = {int(key.split(".", 1)[0]) for key in adapters}
    if modules != {layer.index for layer in layers}:
        known = " and ".join(f"{row.label} has {row.layer_count}" for row in FAMILIES.values())
        raise ModelMismatchError(
            f"The adapter has {len(modules)} attention layers, the model {len(layers)}; {known}. "
            "Use the ConsistentID file made for the model's family."
        )
