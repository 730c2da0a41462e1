"""Fitting an adapter to a model: its layers, and its LoRA as weight patches."""

import comfy.lora
import comfy.utils

from ..consistentid_core.attention import lora_weights
from ..consistentid_core.errors import ModelMismatchError
from ..consistentid_core.unet_layers import AttentionLayer, attention_layers
from .models import FAMILY_NAMES, ConsistentIDModel
from .roles import KEY


def fitting_layers(model, consistentid: ConsistentIDModel) -> list[AttentionLayer]:
    """The attention layers of a model, after checking that the adapter fits every one of them.

    Raises ModelMismatchError naming both families, or the first layers that do not fit.
    """
    unet_config = model.model.model_config.unet_config
    context_width = unet_config.get("context_dim")
    if context_width != consistentid.cross_attention_dim or "transformer_depth" not in unet_config:
        family = {768: "SD1.5", 1024: "SD2", 2048: "SDXL"}.get(context_width, type(model.model).__name__)
        raise ModelMismatchError(
            f"The model is {family} (context width {context_width}), but this ConsistentID adapter is made for "
            f"{FAMILY_NAMES[consistentid.family]} (context width {consistentid.cross_attention_dim}). "
            f"Load a {FAMILY_NAMES[consistentid.family]} checkpoint, or the ConsistentID file for the model's family."
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
    """Add the adapter's LoRA to a cloned model as ordinary weight patches.

    Several people of one adapter share its LoRA: where it is merged already, only the
    difference to the new strength is added.
    """
    merged: dict[object, float] = dict(model.get_attachment(KEY) or {})
    missing = strength - merged.get(consistentid.lora_key, 0.0)
    if missing == 0.0:
        return
    key_map = comfy.lora.model_lora_keys_unet(model.model, {})
    patches = comfy.lora.load_lora(lora_weights(consistentid.adapters, layers), key_map)
    applied = model.add_patches(patches, missing)
    if len(applied) != 4 * len(layers):
        raise ModelMismatchError(
            f"Only {len(applied)} of {4 * len(layers)} attention weights took the ConsistentID LoRA; "
            "this model names its layers in a way the host does not know. Use an ordinary SD1.5 or SDXL checkpoint."
        )
    merged[consistentid.lora_key] = strength
    model.set_attachments(KEY, merged)
