"""Encode Facial Prompt."""

from comfy_api.latest import io

from ..consistentid_core.faces.face_parts import FaceParts
from ..consistentid_core.families import FAMILIES
from ..consistentid_core.text.prompt import MODES
from .host.inputs import percent
from .host.older import SHOWN_ON_CACHED_RUNS
from .models.consistentid import ConsistentIDModel
from .models.types import CATEGORY, ConsistentIDType, FacePartsType
from .previews.prompt_view import describe
from .prompt.conditioning import Conditioning
from .prompt.facial_prompt import encode_facial_prompt

#: The original's 30 of 50 steps; on a linear schedule step 31 of 50 would be 0.62.
DEFAULT_MERGE_PERCENT = 0.6

PROMPT_INPUTS = [
    io.String.Input(
        "prompt",
        multiline=True,
        dynamic_prompts=True,
        tooltip="What the picture shows. Weights (word:1.2) and embedding:name work.",
    ),
    io.String.Input(
        "negative_prompt",
        multiline=True,
        dynamic_prompts=True,
        tooltip="What the picture should not show.",
    ),
    io.String.Input(
        "caption",
        multiline=True,
        default=FAMILIES["sd15"].default_caption,
        tooltip="A description of the face, appended to the prompt. Its words face, ears, eyes, nose and mouth carry "
        "the parts of the face. Type it, or connect Caption Face or any node that gives text. Empty: the original's "
        "fixed sentence for the adapter's family; the default here is the one for SD1.5.",
    ),
    io.Combo.Input(
        "mode",
        options=list(MODES),
        tooltip="original: the very text and pairing the weights were made with: at most 77 tokens, crops paired with "
        "words by rank (so 'ears' carries the eyes and 'eyes' the ears). clean: each word carries the part it names, "
        "absent words are ignored, long prompts keep everything.",
    ),
    percent(
        "merge_percent",
        DEFAULT_MERGE_PERCENT,
        "From where on in sampling the words carry the parts of the face. Earlier: more likeness, less freedom "
        "for the prompt. The original's step k of N is (k+1)/N on a linear schedule (normal, simple, sgm_uniform); "
        "karras, exponential and beta reach the same noise a few steps earlier or later.",
    ),
]


class EncodeFacialPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDFaceEncoder",
            display_name="Encode Facial Prompt",
            category=CATEGORY,
            description="Encodes a prompt whose words for the parts of a face carry the looks of those parts. "
            "Use both outputs: the negative belongs to the positive.",
            search_aliases=["face encoder", "facial encoder", "clip text encode", "identity prompt"],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Clip.Input(
                    "clip", tooltip="The text encoder of the checkpoint. Clip skip and LoRAs on it work."
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="CLIP ViT-H/14, from Load CLIP Vision. Not needed for a person from Load ID Embedding.",
                ),
                ConsistentIDType.Input("consistentid", tooltip="The adapter, from Load ConsistentID Model."),
                FacePartsType.Input("face_parts", tooltip="The parts of the face, from Parse Face."),
                *PROMPT_INPUTS,
                io.Conditioning.Input(
                    "size_from",
                    optional=True,
                    tooltip="SDXL only: a conditioning whose picture sizes are taken over, from CLIPTextEncodeSDXL. "
                    "Unconnected: the size of the picture.",
                ),
            ],
            outputs=[
                io.Conditioning.Output("positive", tooltip="For the sampler's positive input."),
                io.Conditioning.Output(
                    "negative",
                    tooltip="For the sampler's negative input: the negative prompt with 'no part' in the same rows.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip,
        consistentid: ConsistentIDModel,
        face_parts: FaceParts,
        prompt: str,
        negative_prompt: str,
        caption: str,
        mode: str,
        merge_percent: float,
        clip_vision=None,
        size_from: Conditioning | None = None,
    ) -> io.NodeOutput:
        encoded = encode_facial_prompt(
            clip, clip_vision, consistentid, face_parts,
            prompt=prompt, negative_prompt=negative_prompt, caption=caption, mode=mode, merge_percent=merge_percent,
            size_from=size_from,
        )  # fmt: skip
        return io.NodeOutput(encoded.positive, encoded.negative, ui=describe(encoded, face_parts))


NODES = [EncodeFacialPrompt]
