"""ConsistentID (simple): the whole pack as one node."""

from functools import lru_cache

from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..consistentid_core.faces.face_crop import SMALL_FACE_SHARE
from ..consistentid_core.families import FAMILIES, Family
from ..consistentid_core.files.catalogue import FACE_PARSER
from ..consistentid_core.finding import adapters_of
from ..consistentid_core.networks.checkpoint import load_checkpoint
from ..consistentid_core.regions import REGION_NAMES
from .encode import DEFAULT_MERGE_PERCENT
from .host import folders, model_choice
from .host.inputs import percent, strength, weights_file
from .models.types import CATEGORY

AUTO, OFF = "auto", "off"


class ConsistentIDSimple(io.ComfyNode):
    """Expands into the separate nodes, so there is one implementation, and ComfyUI caches each step:
    a changed prompt parses, detects and encodes nothing again."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDSimple",
            display_name="ConsistentID (simple)",
            category=CATEGORY,
            description="A person from one photo, in one node: connect it between the checkpoint and the sampler. "
            "It runs the separate ConsistentID nodes with their defaults; use those for every other option.",
            search_aliases=[
                "face id",
                "identity",
                "same person",
                "portrait",
                "face swap",
                "ipadapter",
                "instantid",
                "pulid",
            ],
            enable_expand=True,
            inputs=[
                # Raw links: the inner nodes get the wires themselves, which keeps their results cached.
                io.Model.Input(
                    "model", raw_link=True, tooltip="An SD1.5 or SDXL model; it is cloned, not changed."
                ),
                io.Clip.Input("clip", raw_link=True, tooltip="The text encoder of the same checkpoint."),
                io.ClipVision.Input(
                    "clip_vision", raw_link=True, tooltip="CLIP ViT-H/14, from Load CLIP Vision."
                ),
                io.Image.Input(
                    "image", raw_link=True, tooltip="A photo of the person: face large, frontal and sharp."
                ),
                io.String.Input(
                    "prompt", multiline=True, dynamic_prompts=True, tooltip="What the picture shows."
                ),
                io.String.Input(
                    "negative_prompt",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="What it should not show.",
                ),
                weights_file(
                    "model_name",
                    *adapters_of(None),
                    tooltip="The ConsistentID weights. auto: the file for the model's family, found by what it holds. "
                    "Or a file in models/consistentid.",
                ),
                weights_file(
                    "face_parser",
                    FACE_PARSER,
                    tooltip="The BiSeNet face parser. auto: the file that fits, found by what it holds. Or for example "
                    "face_parsing.pth in models/consistentid.",
                ),
                strength(
                    "weight",
                    "Strength of the identity. 1 is the original.",
                ),
                percent(
                    "merge_percent",
                    DEFAULT_MERGE_PERCENT,
                    "From where on in sampling the facial parts act. Earlier: more likeness, less freedom.",
                ),
                *(
                    io.Boolean.Input(region, default=True, tooltip=f"Use the {region} of the photo.")
                    for region in REGION_NAMES
                ),
                io.Combo.Input(
                    "crop",
                    options=[AUTO, OFF],
                    default=OFF,
                    optional=True,
                    tooltip="auto: where the largest face is small in the photo, everything sees a cut-out around it, "
                    "as from Crop Face, and the preview says so. off: the photo as it is, as the original.",
                ),
                strength(
                    "lora_weight",
                    "Strength of the LoRA that belongs to the identity. 1 is the original; change it together with "
                    "weight.",
                    optional=True,
                ),
                percent(
                    "start_percent",
                    0.0,
                    "From where on in sampling the identity acts. Later: the prompt decides on the composition.",
                    optional=True,
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="The model with the identity, for the sampler."),
                io.Conditioning.Output("positive", tooltip="For the sampler's positive input."),
                io.Conditioning.Output("negative", tooltip="For the sampler's negative input."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, face_parser: str, **_):
        # The inner loaders are asked only if this node runs.
        return [
            model_choice.stamps(model_name, *adapters_of(None)),
            model_choice.stamps(face_parser, FACE_PARSER),
        ]

    @classmethod
    def execute(
        cls,
        model,
        clip,
        clip_vision,
        image,
        prompt: str,
        negative_prompt: str,
        model_name: str,
        face_parser: str,
        weight: float,
        merge_percent: float,
        crop: str = OFF,
        lora_weight: float = 1.0,
        start_percent: float = 0.0,
        **switches: bool,
    ) -> io.NodeOutput:
        family = family_of_choice(model_name)
        graph = GraphBuilder()
        if crop == AUTO:
            cut = graph.node("ConsistentIDCropFace", "crop", image=image, below_share=SMALL_FACE_SHARE)
            image = cut.out(0)
        # Only where the model has to decide: with each of its changes, all that follows is computed anew.
        of_model = {} if family else {"model": model}
        consistentid = graph.node(
            "ConsistentIDModelLoader", "consistentid", model_name=model_name, **of_model
        ).out(0)
        parser = graph.node("ConsistentIDFaceParserLoader", "parser", model_name=face_parser).out(0)
        parts = graph.node(
            "ConsistentIDFaceParser",
            "parts",
            face_parser=parser,
            image=image,
            # Several families: the adapter that is found knows its own.
            **(
                {"parse_size": str(FAMILIES[family].parse_size)} if family else {"consistentid": consistentid}
            ),
            **switches,
        ).out(0)
        id_embed = graph.node("ConsistentIDEmbedding", "id_embed", image=image).out(0)
        encoded = graph.node(
            "ConsistentIDFaceEncoder", "encoded",
            clip=clip, clip_vision=clip_vision, consistentid=consistentid, face_parts=parts,
            prompt=prompt, negative_prompt=negative_prompt, caption=FAMILIES[family].default_caption if family else "",
            mode="original", merge_percent=merge_percent,
        )  # fmt: skip
        applied = graph.node(
            "ConsistentIDApply", "applied",
            model=model, consistentid=consistentid, id_embed=id_embed, clip_vision=clip_vision, face_parts=parts,
            weight=weight, lora_weight=lora_weight, start_percent=start_percent, end_percent=1.0,
        )  # fmt: skip
        return io.NodeOutput(applied.out(0), encoded.out(0), encoded.out(1), expand=graph.finalize())


def family_of_choice(model_name: str) -> Family | None:
    """The family of a chosen adapter; None if ``auto`` finds files of several, and the model decides.

    Raises MissingModelError if there is none.
    """
    if model_name != model_choice.AUTO:
        return family_of(folders.file_stamp(model_name, folders.CONSISTENTID))
    families = model_choice.families(*adapters_of(None))
    if len(families) > 1:
        return None
    # Of one family: the loader takes the same, or says in the same words why it takes none.
    path = model_choice.find(model_name, *adapters_of(None))
    return family_of(folders.stamp(path))


@lru_cache(maxsize=8)
def family_of(stamp: tuple[str, int, int]) -> Family:
    """The model family of an adapter file, by its stamp; the tensors are mapped, not read."""
    return load_checkpoint(stamp[0], mapped=folders.maps_files()).family


NODES = [ConsistentIDSimple]
