"""Nodes, groups and passages of notes that several of the shipped workflows have in common."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from consistentid_core.families import FAMILIES

from . import model_links
from .graph import BLUE, GREEN, ORANGE, PURPLE, Group, ModelLink, Node, node

PHOTO = "astronaut.png"

PROMPT = (
    "cinematic photo, a woman in a forest, adventuring, 50mm photograph, half-length portrait, film, bokeh, "
    "professional, 4k, highly detailed"
)
NEGATIVE_PROMPT = "monochrome, lowres, bad anatomy, worst quality, low quality, blurry, open mouth"

#: The picture's size for SD1.5.
WIDTH, HEIGHT = FAMILIES["sd15"].picture_size

#: Ends a sentence about a photo.
GOOD_PHOTO = (
    "choose your photo, the face large, frontal, sharp and near the middle (the one shown is in workflows/assets of "
    "this pack)"
)

#: Names are set in bold, not in code style: the darker theme of Nodes 2.0 shows code in a note as blue on blue.
MODEL_FILES = """
### Model files
ComfyUI lists what is missing, with a button for what it can fetch itself. All at once: run **python -m \
consistentid_core.files fetch sd15** in the pack's folder. Their folders below **models**:
- **checkpoints**: a photographic SD1.5 model
- **consistentid**: ConsistentID-v1.bin and face_parsing.pth from \
[JackAILab/ConsistentID](https://huggingface.co/JackAILab/ConsistentID)
- **clip_vision**: [CLIP ViT-H/14](https://huggingface.co/h94/IP-Adapter/tree/main/models/image_encoder) (2.5 GB), \
any file name
- **insightface/models/buffalo_l**: det_10g.onnx and w600k_r50.onnx of InsightFace's buffalo_l, *for non-commercial \
research only*
"""


def muted(node: Node) -> Node:
    """The same node, left for the user to switch on."""
    return replace(node, is_muted=True)


def unconnected(node: Node, *inputs: str) -> Node:
    """The same node with some of its inputs left open."""
    return replace(node, values={name: value for name, value in node.values.items() if name not in inputs})


def checkpoint(model: ModelLink = model_links.CHECKPOINT_SD15) -> Node:
    return node("checkpoint", "CheckpointLoaderSimple", models=[model], ckpt_name=model.name)


def clip_vision() -> Node:
    model = model_links.CLIP_VISION
    title = "Load CLIP Vision (ViT-H/14)"
    return node("clip_vision", "CLIPVisionLoader", title, models=[model], clip_name=model.name)


def consistentid(model: ModelLink = model_links.CONSISTENTID_SD15) -> Node:
    return node("consistentid", "ConsistentIDModelLoader", models=[model], model_name=model.name)


def face_parser() -> Node:
    model = model_links.FACE_PARSER
    return node("face_parser", "ConsistentIDFaceParserLoader", models=[model], model_name=model.name)


def models(*others: Node) -> Group:
    """The loaders of every SD1.5 workflow with separate nodes, and others below the checkpoint."""
    return Group("Models", BLUE, [[checkpoint(), *others, clip_vision(), consistentid(), face_parser()]])


def photo(key: str = "photo", title: str = "The person", file: str = PHOTO) -> Node:
    return node(key, "LoadImage", title, image=file, size=(0, 340))


def parse(key: str = "parts", image: str = "@photo.IMAGE", title: str | None = None, **values: Any) -> Node:
    face_parser = "@face_parser.face_parser"
    return node(key, "ConsistentIDFaceParser", title, face_parser=face_parser, image=image, **values)


def embed(key: str = "id_embed", image: str = "@photo.IMAGE", **values: Any) -> Node:
    return node(key, "ConsistentIDEmbedding", image=image, **values)


def person() -> Group:
    """One photo, its parts and its face-recognition vector."""
    return Group("The person", GREEN, [[photo(), embed()], [parse()]])


def encode(
    key: str = "encode",
    *,
    prompt: str = PROMPT,
    negative_prompt: str = NEGATIVE_PROMPT,
    parts: str = "@parts.face_parts",
    clip: str = "@checkpoint.CLIP",
    title: str | None = None,
    **values: Any,
) -> Node:
    return node(
        key, "ConsistentIDFaceEncoder", title, size=(400, 0),
        clip=clip, clip_vision="@clip_vision.CLIP_VISION", consistentid="@consistentid.consistentid",
        face_parts=parts, prompt=prompt, negative_prompt=negative_prompt, **values,
    )  # fmt: skip


def prompt(*before: Node, **values: Any) -> Group:
    """The prompt, and what it is made of above it."""
    return Group("Prompt", PURPLE, [[*before, encode(**values)]])


def apply(
    key: str = "apply",
    *,
    model: str = "@checkpoint.MODEL",
    id_embed: str = "@id_embed.id_embed",
    parts: str = "@parts.face_parts",
    **values: Any,
) -> Node:
    return node(
        key, "ConsistentIDApply",
        model=model, consistentid="@consistentid.consistentid", id_embed=id_embed,
        clip_vision="@clip_vision.CLIP_VISION", face_parts=parts, **values,
    )  # fmt: skip


def empty_latent(
    width: int = WIDTH, height: int = HEIGHT, title: str = "Size of the picture", **values: Any
) -> Node:
    return node("latent", "EmptyLatentImage", title, width=width, height=height, **values)


def where_the_face_goes(image: str) -> list[Node]:
    """The face of a picture that gets another one, and a mask somewhat larger than it."""
    return [
        parse("target_parts", image, "Parse Face: where it goes", pair="both"),
        node("mask", "GrowMask", mask="@target_parts.mask", expand=24),
    ]


def prompt_for_a_new_face() -> Group:
    """For a face painted into a picture: merged early, since the rest of the picture is there."""
    return prompt(
        prompt="photo of a woman, natural skin, sharp focus, professional, 4k, highly detailed",
        merge_percent=0.4,
    )


def masked_latent(image: str) -> list[Node]:
    """The picture to be painted anew where :func:`where_the_face_goes` says, with soft edges."""
    return [
        node("soft", "DifferentialDiffusion", model="@apply.model"),
        node("encoded", "VAEEncode", pixels=image, vae="@checkpoint.VAE"),
        node("latent", "SetLatentNoiseMask", samples="@encoded.LATENT", mask="@mask.MASK"),
    ]


def sample(
    *,
    model: str = "@apply.model",
    positive: str = "@encode.positive",
    negative: str = "@encode.negative",
    latent: str = "@latent.LATENT",
    **values: Any,
) -> Node:
    links = {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
    settings = {
        "seed": 2024,
        "steps": 30,
        "cfg": FAMILIES["sd15"].guidance,
        "sampler_name": "euler",
        "scheduler": "normal",
    }
    return node("sample", "KSampler", **links, **{**settings, "denoise": 1.0, **values})


def decode() -> Node:
    return node("decode", "VAEDecode", samples="@sample.LATENT", vae="@checkpoint.VAE")


def save(images: str = "@decode.IMAGE", title: str = "The portrait") -> Node:
    return node("save", "SaveImage", title, images=images, filename_prefix="ConsistentID", size=(400, 560))


def sampling(*nodes: Node, title: str = "The portrait") -> Group:
    """The sampler's own nodes in one column, the result in another.  title: of the result."""
    return Group("Portrait", ORANGE, [list(nodes), [decode(), save(title=title)]])


def portrait(*, before: Sequence[Node] = (), **values: Any) -> Group:
    """A picture from noise.  before: the sampler and after the identity.  values: of Apply ConsistentID."""
    return sampling(apply(**values), *before, empty_latent(), sample())
