"""The node that gives a model its identity."""

import comfy.lora
import comfy.utils
import torch
from comfy_api.latest import io

from ..consistentid_core.attention import lora_weights
from ..consistentid_core.clip_pixels import clip_pixel_values
from ..consistentid_core.errors import ModelMismatchError
from ..consistentid_core.face_parts import FaceParts
from ..consistentid_core.id_embedding import IDEmbedding
from ..consistentid_core.unet_layers import AttentionLayer, attention_layers
from .clip_features import encode_pixels
from .facial_features import photo_features
from .model_patch import BlockKeysValues, IDAttentionPatch
from .models import FAMILY_NAMES, ConsistentIDModel, KeysValues
from .pictures import to_pictures
from .roles import KEY
from .types import CATEGORY, ConsistentIDType, FacePartsType, IDEmbedType


class ApplyConsistentID(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDApply",
            display_name="Apply ConsistentID",
            category=CATEGORY,
            description="Patches a model so that it draws the person: LoRA on every attention layer, and ID tokens "
            "that every cross-attention layer reads beside the text. Works with any sampler and next to other patches.",
            search_aliases=[
                "face id",
                "identity",
                "ipadapter",
                "ip adapter faceid",
                "portrait",
                "same person",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="An SD1.5 or SDXL model. It is cloned; the input stays as it is."
                ),
                ConsistentIDType.Input("consistentid", tooltip="The adapter, from Load ConsistentID Model."),
                IDEmbedType.Input("id_embed", tooltip="Whose face, from ID Embedding."),
                io.ClipVision.Input("clip_vision", tooltip="CLIP ViT-H/14, from Load CLIP Vision."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The photo of the person; of several photos the features are averaged. "
                    "Not needed if face_parts is connected.",
                ),
                FacePartsType.Input(
                    "face_parts",
                    optional=True,
                    tooltip="The parsed photo. Connect the same parts as to Encode Facial Prompt: photo and parts "
                    "then go through CLIP in one pass. A connected image takes the place of the parsed photo.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=-1.0,
                    max=3.0,
                    step=0.05,
                    tooltip="Strength of the ID tokens. 1 is the original; 0 leaves only the LoRA.",
                ),  # fmt: skip
                io.Float.Input(
                    "lora_weight",
                    default=1.0,
                    min=-1.0,
                    max=3.0,
                    step=0.05,
                    tooltip="Strength of the LoRA, merged into the model's weights. 1 is the original. "
                    "It was trained together with the ID tokens: lower both rather than one.",
                ),  # fmt: skip
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where in sampling the ID tokens begin to act. 0 is the original; "
                    "0.2 gives the prompt more say in the composition.",
                ),  # fmt: skip
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where in sampling the ID tokens stop acting. 1 is the original.",
                ),  # fmt: skip
            ],
            outputs=[io.Model.Output("model", tooltip="The model with the identity.")],
        )

    @classmethod
    def execute(
        cls,
        model,
        consistentid: ConsistentIDModel,
        id_embed: IDEmbedding,
        clip_vision,
        weight: float,
        lora_weight: float,
        start_percent: float,
        end_percent: float,
        image=None,
        face_parts: FaceParts | None = None,
    ) -> io.NodeOutput:
        layers = fitting_layers(model, consistentid)
        features = features_of_person(clip_vision, image, face_parts)
        patched = model.clone()
        merge_lora(patched, consistentid, layers, lora_weight)
        sampling = model.get_model_object("model_sampling")
        IDAttentionPatch(
            identity=by_block(consistentid.keys_values(id_embed.vector, features), layers),
            no_identity=by_block(consistentid.no_identity_keys_values(clip_vision), layers),
            weight=weight,
            sigma_start=sampling.percent_to_sigma(start_percent),
            sigma_end=sampling.percent_to_sigma(end_percent),
            always=start_percent <= 0 and end_percent >= 1,
        ).install(patched)
        return io.NodeOutput(patched)


def features_of_person(clip_vision, image: torch.Tensor | None, face_parts: FaceParts | None) -> torch.Tensor:
    """CLIP features of the photo that shows the person, averaged over several. Returns (1, 257, 1280)."""
    if image is not None:
        features = encode_pixels(clip_vision, clip_pixel_values(to_pictures(image)))
    elif face_parts is not None:
        features = photo_features(clip_vision, face_parts)
    else:
        raise ValueError(
            "Apply ConsistentID has no photo: connect image (the photo of the person) or face_parts (from Parse Face)."
        )
    return features.mean(0, keepdim=True)


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


def by_block(keys_values: KeysValues, layers: list[AttentionLayer]) -> BlockKeysValues:
    """The same keys and values under the host's block names."""
    return {layer.block: keys_values[layer.index] for layer in layers if layer.is_cross}


NODES = [ApplyConsistentID]
