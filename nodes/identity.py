"""Set Identity."""

import torch
from comfy_api.latest import io

from ..consistentid_core.faces.face_parts import FaceParts
from ..consistentid_core.identity.id_embedding import IDEmbedding
from .host.inputs import strength
from .models.consistentid import ConsistentIDModel
from .models.types import CATEGORY, ConsistentIDType, FacePartsType, IDEmbedType
from .person.keys_values import keys_values_of
from .sampling.shown import IDENTITY_KEY, Identity


class SetIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDSetIdentity",
            display_name="Set Identity",
            category=CATEGORY,
            description="Lets a conditioning show a person of its own, instead of the one of Apply ConsistentID. With "
            "masks or areas on the conditionings, several people share one picture. The model still needs "
            "Apply ConsistentID once, for the LoRA.",
            search_aliases=["several people", "two people", "regional identity", "face id", "identity"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="The positive conditioning of this person."),
                ConsistentIDType.Input(
                    "consistentid", tooltip="The same adapter as Apply ConsistentID uses."
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="CLIP ViT-H/14, from Load CLIP Vision. Not needed for a person from Load ID "
                    "Embedding, or for nobody.",
                ),
                IDEmbedType.Input(
                    "id_embed",
                    optional=True,
                    tooltip="Whose face, from ID Embedding. Unconnected: the conditioning shows nobody, for a "
                    "background without the person of Apply ConsistentID.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The photo of the person. Not needed if face_parts is connected.",
                ),
                FacePartsType.Input("face_parts", optional=True, tooltip="The parsed photo of the person."),
                strength(
                    "weight",
                    "Strength of this person's ID tokens, in place of the weight of Apply ConsistentID.",
                ),
            ],
            outputs=[io.Conditioning.Output("conditioning", tooltip="The conditioning with its person.")],
        )

    @classmethod
    def execute(
        cls,
        conditioning,
        consistentid: ConsistentIDModel,
        weight: float,
        clip_vision=None,
        id_embed: IDEmbedding | None = None,
        image: torch.Tensor | None = None,
        face_parts: FaceParts | None = None,
    ) -> io.NodeOutput:
        keys_values = None
        if id_embed is not None:
            keys_values = keys_values_of(consistentid, clip_vision, id_embed, image, face_parts)
        identity = Identity(consistentid.family, keys_values, weight)
        return io.NodeOutput(
            [[embeds, {**options, IDENTITY_KEY: identity}] for embeds, options in conditioning]
        )


NODES = [SetIdentity]
