"""The model files the shipped workflows name, as the interface lists the ones that are missing.

An entry is shown only if a widget of its node has this very name as its value, so the loaders of the workflows
name files and do not say ``auto``. Of those that are shown a button is only for what the interface fetches: see
:data:`WITH_BUTTON`; of the others it tells address and folder.  Source: missingModelScan.ts and
missingModelDownload.ts of comfyui-frontend-package 1.47.12.
"""

from collections.abc import Iterable

from consistentid_core.files import catalogue
from consistentid_core.files.catalogue import ModelFile

from .graph import ModelLink, Node, Template

#: Extensions of the files that the interface fetches.
WITH_BUTTON = (".safetensors", ".sft", ".ckpt", ".pth", ".pt")

#: What reads InsightFace's files, which no widget names.
RECOGNISING = ("ConsistentIDCropFace", "ConsistentIDEmbedding", "ConsistentIDSimple")


def _link(file: ModelFile) -> ModelLink:
    return ModelLink(file.name, file.place, file.address, file.sha256)


def without_button(nodes: Iterable[Node]) -> list[str]:
    """What the nodes of a workflow need and the interface has no button for, as words of a sentence."""
    nodes = [node for node in nodes if not node.is_muted]
    names = {
        model.name: None for node in nodes for model in node.models if not model.name.endswith(WITH_BUTTON)
    }
    faces = ["InsightFace's two files"] if any(node.type in RECOGNISING for node in nodes) else []
    return [*(f"**{name}**" for name in names), *faces]


def note_of(template: Template) -> str:
    """A template's note; its first line names what has no download button, if there is any."""
    heading, rest = template.note.split("\n", 1)
    missing = " and ".join(without_button(template.nodes()))
    if not missing:
        return template.note
    return f"{heading}\nComfyUI has no download button for {missing}: see *Model files* below.\n\n{rest}"


CHECKPOINT_SD15 = _link(catalogue.CHECKPOINT_SD15)
CHECKPOINT_SDXL = _link(catalogue.CHECKPOINT_SDXL)
CLIP_VISION = _link(catalogue.CLIP_VISION)
CONSISTENTID_SD15 = _link(catalogue.CONSISTENTID_SD15)
CONSISTENTID_SDXL = _link(catalogue.CONSISTENTID_SDXL)
FACE_PARSER = _link(catalogue.FACE_PARSER)
CONTROLNET_POSE = _link(catalogue.CONTROLNET_POSE)
STYLE_LORA = _link(catalogue.STYLE_LORA)
VISION_LANGUAGE_MODEL = _link(catalogue.VISION_LANGUAGE_MODEL)
