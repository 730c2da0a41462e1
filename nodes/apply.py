"""The node that gives a model its identity."""

import comfy.patcher_extension
import torch
from comfy_api.latest import io

from ..consistentid_core.faces.face_parts import FaceParts
from ..consistentid_core.identity.id_embedding import IDEmbedding
from ..consistentid_core.networks.leak_control import LeakControl
from .host.inputs import percent, strength
from .models.consistentid import ConsistentIDModel
from .models.types import CATEGORY, ConsistentIDType, FacePartsType, IDEmbedType, LeakControlType
from .person.keys_values import identity_and_nobody
from .sampling.id_patch import MAX_PEOPLE, IDAttentionPatch
from .sampling.lora import fitting_layers, merge_lora
from .sampling.roles import KEY
from .sampling.spatial_mask import check_mask


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
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="CLIP ViT-H/14, from Load CLIP Vision. Not needed for a person from Load ID Embedding.",
                ),
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
                strength(
                    "weight",
                    "Strength of the ID tokens. 1 is the original; 0 leaves only the LoRA.",
                ),
                strength(
                    "lora_weight",
                    "Strength of the LoRA, merged into the model's weights. 1 is the original. "
                    "It was trained together with the ID tokens: lower both rather than one.",
                ),
                percent(
                    "start_percent",
                    0.0,
                    "Where in sampling the ID tokens begin to act. 0 is the original; "
                    "0.2 gives the prompt more say in the composition.",
                ),
                percent(
                    "end_percent",
                    1.0,
                    "Where in sampling the ID tokens stop acting. 1 is the original.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where in the picture this person appears; stretched over the picture. One Apply per "
                    "person, each with a mask, puts several people side by side. Unconnected: everywhere.",
                ),
                LeakControlType.Input(
                    "leak_control",
                    optional=True,
                    tooltip="From Leak Control: weight curves, rescaling, a mask of the picture's own. Unconnected: "
                    "as the original.",
                ),
            ],
            outputs=[io.Model.Output("model", tooltip="The model with the identity.")],
        )

    @classmethod
    def execute(
        cls,
        model,
        consistentid: ConsistentIDModel,
        id_embed: IDEmbedding,
        weight: float,
        lora_weight: float,
        start_percent: float,
        end_percent: float,
        clip_vision=None,
        image: torch.Tensor | None = None,
        face_parts: FaceParts | None = None,
        mask: torch.Tensor | None = None,
        leak_control: LeakControl | None = None,
    ) -> io.NodeOutput:
        _require_range(start_percent, end_percent)
        layers = fitting_layers(model, consistentid)
        others = people_in(model)
        identity, nobody = identity_and_nobody(consistentid, clip_vision, id_embed, image, face_parts)
        patched = model.clone()
        merge_lora(patched, consistentid, layers, lora_weight)
        IDAttentionPatch(
            family=consistentid.family,
            blocks={layer.index: layer.block for layer in layers if layer.is_cross},
            identity=identity,
            no_identity=nobody,
            weight=weight,
            percents=None if start_percent <= 0 and end_percent >= 1 else (start_percent, end_percent),
            mask=None if mask is None else check_mask(mask),
            leak_control=leak_control or LeakControl(),
            is_first=not others,
        ).install(patched)
        return io.NodeOutput(patched)


def _require_range(start_percent: float, end_percent: float) -> None:
    if start_percent >= end_percent:
        raise ValueError(
            f"start_percent {start_percent:g} is not below end_percent {end_percent:g}: the person would act at no "
            "step. Raise end_percent or lower start_percent; for the LoRA alone set weight to 0."
        )


def people_in(model) -> int:
    """How many identities a model carries already; raises ValueError if there is no room for another."""
    people = len(model.get_wrappers(comfy.patcher_extension.WrappersMP.APPLY_MODEL, KEY))
    if people >= MAX_PEOPLE:
        raise ValueError(
            f"This model already carries {people} people, and {MAX_PEOPLE} is the most. Remove one Apply ConsistentID, "
            "or give each person a conditioning of its own with Set Identity."
        )
    return people


NODES = [ApplyConsistentID]
