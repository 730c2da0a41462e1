"""Load a shipped workflow in the API format and fill in what depends on the machine."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from . import paths
from .model_files import ModelFile

Workflow = dict[str, dict[str, Any]]

#: Where each model's file name is entered: model key -> (node class, input).
_FILE_INPUTS = {
    "checkpoint": ("CheckpointLoaderSimple", "ckpt_name"),
    "clip_vision": ("CLIPVisionLoader", "clip_name"),
    "consistentid": ("ConsistentIDModelLoader", "model_name"),
    "face_parser": ("ConsistentIDFaceParserLoader", "model_name"),
}


def load(name: str) -> Workflow:
    """A workflow from ``workflows/``, by file name."""
    workflow: Workflow = json.loads((paths.WORKFLOWS / name).read_text("utf-8"))
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
    for key, (class_type, name) in _FILE_INPUTS.items():
        set_inputs(workflow, class_type, **{name: models[key].name})


def title(workflow: Workflow, node_id: str) -> str:
    """What a node is called on the canvas."""
    node = workflow[node_id]
    return str(node.get("_meta", {}).get("title", node["class_type"]))
