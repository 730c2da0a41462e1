"""Load a shipped workflow in the API format and fill in what depends on the machine."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from . import paths
from .model_files import ModelFile

Workflow = dict[str, dict[str, Any]]

#: Where the name of a model's file is entered: node class, input, key of the model.
_FILE_INPUTS = (
    ("CheckpointLoaderSimple", "ckpt_name", "checkpoint"),
    ("CLIPVisionLoader", "clip_name", "clip_vision"),
    ("ConsistentIDModelLoader", "model_name", "consistentid"),
    ("ConsistentIDFaceParserLoader", "model_name", "face_parser"),
    ("ConsistentIDSimple", "model_name", "consistentid"),
    ("ConsistentIDSimple", "face_parser", "face_parser"),
    ("ConsistentIDCaptionerLoader", "model_name", "captioner"),
    ("ControlNetLoader", "control_net_name", "controlnet"),
    ("LoraLoader", "lora_name", "style_lora"),
)

#: The inputs of Parse Face that Face Parts from Label Map has not, or gets from elsewhere.
_OF_THE_PARSER = ("face_parser", "image", "parse_size")


def load(name: str) -> Workflow:
    """A workflow from ``workflows/api/``, by file name."""
    workflow: Workflow = json.loads((paths.API_WORKFLOWS / name).read_text("utf-8"))
    return workflow


def nodes_of(workflow: Workflow, class_type: str) -> Iterator[str]:
    """The ids of the nodes of one class."""
    return (node_id for node_id, node in workflow.items() if node["class_type"] == class_type)


def set_inputs(workflow: Workflow, class_type: str, **inputs: object) -> None:
    """Set inputs of every node of one class; at least one must exist."""
    nodes = list(nodes_of(workflow, class_type))
    if not nodes:
        raise KeyError(f"The workflow has no {class_type}.")
    for node_id in nodes:
        workflow[node_id]["inputs"].update(inputs)


def use_models(workflow: Workflow, models: Mapping[str, ModelFile]) -> None:
    """Enter the names of the model files that are there."""
    for class_type, name, key in _FILE_INPUTS:
        for node_id in nodes_of(workflow, class_type):
            workflow[node_id]["inputs"][name] = models[key].name


def show_parts(workflow: Workflow) -> None:
    """Show the parts the parser finds; in the interface the parser's own node does."""
    (parser,) = nodes_of(workflow, "ConsistentIDFaceParser")
    _add(workflow, "parts", "PreviewImage", "Parts of the face", images=[parser, 2])


def use_label_map(workflow: Workflow, file: str) -> None:
    """Take the facial parts from a label map in the input folder and show them.

    The parser still runs, and what it finds is shown too.
    """
    (parser,) = nodes_of(workflow, "ConsistentIDFaceParser")
    inputs = workflow[parser]["inputs"]
    same = {name: value for name, value in inputs.items() if name not in _OF_THE_PARSER}
    for node in workflow.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and value[0] == parser:
                node["inputs"][name] = ["parts_from_map", value[1]]
    _add(workflow, "label_map", "LoadImage", "Label map of the face", image=file)
    _add(
        workflow,
        "parts_from_map",
        "ConsistentIDFacePartsFromMap",
        "Face Parts from Label Map",
        image=inputs["image"],
        label_map=["label_map", 0],
        **same,
    )
    _add(workflow, "parts", "PreviewImage", "Parts of the face", images=["parts_from_map", 2])
    _add(workflow, "parsed_parts", "PreviewImage", "Parts the parser finds", images=[parser, 2])


def add_captioner(workflow: Workflow, folder: str, *, max_new_tokens: int, into_prompt: bool) -> None:
    """Let a vision language model describe the face.

    folder: of the model, as listed.  into_prompt: use the words as the caption of the prompt.
    """
    (captioner,) = nodes_of(workflow, "ConsistentIDFaceCaptioner")
    image = workflow[captioner]["inputs"]["image"]
    _add(workflow, "captioner", "ConsistentIDCaptionerLoader", "Load Face Captioner", model_name=folder)
    described = {"mode": "describe face", "captioner": ["captioner", 0], "max_new_tokens": max_new_tokens}
    if into_prompt:
        workflow[captioner]["inputs"].update(described)
        caption = captioner
    else:
        caption = "description"
        _add(workflow, caption, "ConsistentIDFaceCaptioner", "Describe the face", image=image, **described)
    _add(workflow, "shown_caption", "PreviewAny", "What the captioner says", source=[caption, 0])


def _add(workflow: Workflow, node_id: str, class_type: str, title: str, **inputs: object) -> None:
    workflow[node_id] = {"class_type": class_type, "_meta": {"title": title}, "inputs": inputs}


def title(workflow: Workflow, node_id: str) -> str:
    """What a node is called on the canvas."""
    node = workflow[node_id]
    return str(node.get("_meta", {}).get("title", node["class_type"]))
