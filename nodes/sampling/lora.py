"""Fitting an adapter to a model: its layers, and its LoRA as weight patches."""

from collections import defaultdict
from collections.abc import Iterable

import comfy.lora
import comfy.utils
import torch
from comfy.weight_adapter import LoRAAdapter

from ...consistentid_core.errors import ModelMismatchError
from ...consistentid_core.families import FAMILIES
from ...consistentid_core.networks.attention import lora_weights
from ...consistentid_core.networks.unet_layers import AttentionLayer, attention_layers
from ..models.consistentid import ConsistentIDModel


def fitting_layers(model, consistentid: ConsistentIDModel) -> list[AttentionLayer]:
    """The attention layers of a model, after checking that the adapter fits every one of them.

    Raises ModelMismatchError naming both families, or the first layers that do not fit.
    """
    unet_config = model.model.model_config.unet_config
    context_width = unet_config.get("context_dim")
    if context_width != consistentid.cross_attention_dim or "transformer_depth" not in unet_config:
        made_for = FAMILIES[consistentid.family]
        known = {row.context_width: row.label for row in FAMILIES.values()} | {1024: "SD2"}
        family = known.get(context_width, type(model.model).__name__)
        raise ModelMismatchError(
            f"The model is {family} (context width {context_width}), but this ConsistentID adapter is made for "
            f"{made_for.label} (context width {consistentid.cross_attention_dim}). "
            f"Load a {made_for.label} checkpoint, or the ConsistentID file for the model's family."
        )
    layers = attention_layers(unet_config)
    misfits = [text for layer in layers for text in _misfits(model.model, consistentid, layer)]
    found = {int(key.split(".", 1)[0]) for key in consistentid.adapters}
    if len(layers) != len(found):
        misfits.insert(0, f"the model has {len(layers)} attention layers, the adapter {len(found)}")
    if misfits:
        more = f"; and {len(misfits) - 6} more" if len(misfits) > 6 else ""
        raise ModelMismatchError(
            f"This ConsistentID adapter does not fit the model: {'; '.join(misfits[:6])}{more}. "
            "Adapter and model must have the same layer widths; use them as released for one model family."
        )
    return layers


def _misfits(model, consistentid: ConsistentIDModel, layer: AttentionLayer) -> list[str]:
    misfits = []
    for name, target in (("to_q", "to_q"), ("to_k", "to_k"), ("to_v", "to_v"), ("to_out", "to_out.0")):
        up = consistentid.adapters.get(f"{layer.index}.{name}_lora.up.weight")
        down = consistentid.adapters.get(f"{layer.index}.{name}_lora.down.weight")
        if up is None or down is None:
            misfits.append(f"layer {layer.index} ({layer.weight_prefix}) has no {name} LoRA")
            continue
        weight = comfy.utils.get_attr(model.diffusion_model, f"{layer.weight_prefix}.{target}.weight")
        if (up.shape[0], down.shape[1]) != tuple(weight.shape):
            misfits.append(
                f"layer {layer.index} ({layer.weight_prefix}.{target}) is {tuple(weight.shape)} in the model and "
                f"{(up.shape[0], down.shape[1])} in the adapter"
            )
    return misfits


def merge_lora(model, consistentid: ConsistentIDModel, layers: list[AttentionLayer], strength: float) -> None:
    """Bring the adapter's LoRA in a cloned model to a strength, as ordinary weight patches.

    Several people of one adapter share its LoRA: where a weight has it already, only the difference is added.
    """
    key_map = comfy.lora.model_lora_keys_unet(model.model, {})
    patches = comfy.lora.load_lora(lora_weights(consistentid.adapters, layers), key_map)
    if len(patches) != 4 * len(layers):
        raise ModelMismatchError(
            f"Only {len(patches)} of {4 * len(layers)} attention weights took the ConsistentID LoRA; "
            "this model names its layers in a way the host does not know. Use an ordinary SD1.5 or SDXL checkpoint."
        )
    by_difference = defaultdict(dict)
    for key, lora in patches.items():
        by_difference[strength - _strength_of(lora, model.patches.get(key, ()))][key] = lora
    by_difference.pop(0.0, None)
    for difference, some in by_difference.items():
        model.add_patches(some, difference)


def _strength_of(lora: LoRAAdapter, patches: Iterable[tuple]) -> float:
    """How strongly a LoRA is in the patches of a weight, counted as the host applies them, one after another.

    Read off the model and not noted down, because nodes that merge models change it, block by block even.
    """
    strength = 0.0
    for factor, value, kept, *_ in patches:
        strength *= kept
        if isinstance(value, list):  # The weight of another model, and its own patches.
            strength += factor * _strength_of(lora, value[1:])
        elif isinstance(value, LoRAAdapter) and all(map(_is_same, value.weights[:2], lora.weights[:2])):
            strength += factor
    return strength


def _is_same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same, of one loaded file or of two."""
    return one is other or (
        one.dtype == other.dtype and one.device == other.device and torch.equal(one, other)
    )
