"""A workflow in the API format, filled in for one picture.

Filled are the texts ``{prompt}`` and ``{photo}`` where a workflow has them, so that any method can be
evaluated; in one of this pack's own workflows the places are found by their nodes.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import EvaluationError
from ..files.quoting import quoted

Workflow = dict[str, dict[str, Any]]

PROMPT, PHOTO = "{prompt}", "{photo}"
_ENCODERS = ("ConsistentIDFaceEncoder", "ConsistentIDSimple")
_APPLIERS = ("ConsistentIDApply", "ConsistentIDSimple")
_PHOTO_READERS = ("ConsistentIDEmbedding", "ConsistentIDSimple", "ConsistentIDFaceParser")
_SAVERS = ("SaveImage", "PreviewImage")
_SEEDS = ("seed", "noise_seed")
#: Many nodes have a width; the picture's is where its latent is made.
_OF_THE_LATENT = ("width", "height", "batch_size")


def read_workflow(path: Path) -> Workflow:
    """A workflow from a file. Raises EvaluationError if it is none in the API format."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EvaluationError(f"'{path}' cannot be read: {error.strerror}. Name a workflow.") from error
    except ValueError as error:
        raise EvaluationError(
            f"'{path.name}' is no JSON: {quoted(error)}. Export the workflow again."
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(node, dict) and "class_type" in node and isinstance(node.get("inputs"), dict)
        for node in content.values()
    ):
        raise EvaluationError(
            f"'{path.name}' is no workflow in the API format, in which each entry has class_type and inputs. In "
            "ComfyUI use Workflow > Export (API)."
        )
    return content


def fill(
    template: Workflow, *, photo: str, prompt: str, seed: int, settings: Mapping[str, Any] | None = None
) -> Workflow:
    """The workflow of one picture.

    photo: as Load Image takes it.  settings: values of inputs by their name (steps, cfg, width ...).
    Raises EvaluationError if there is no place for one of them.
    """
    workflow = copy.deepcopy(template)
    _place(workflow, PROMPT, prompt, _prompt_inputs(workflow))
    _place(workflow, PHOTO, photo, _photo_inputs(workflow))
    seeds = [place for name in _SEEDS for place in _inputs(workflow, name)]
    if not seeds:
        raise EvaluationError(
            "The workflow has no input called seed or noise_seed. Add a sampler that has one."
        )
    for node, name in seeds:
        node["inputs"][name] = seed
    for name, value in (settings or {}).items():
        places = list(_inputs(workflow, name))
        if not places:
            raise EvaluationError(
                f"The workflow has no input called {name} to set to {quoted(value)}. Leave the setting out, or give a "
                "workflow with such an input."
            )
        for node, _ in places:
            node["inputs"][name] = value
    for node, name in _inputs(workflow, "batch_size"):
        node["inputs"][name] = 1
    _show_instead_of_saving(workflow)
    return workflow


def output_node(workflow: Workflow) -> str:
    """The id of the node that has the picture. Raises EvaluationError if there are none or several."""
    for kind in _SAVERS:
        found = [key for key, node in workflow.items() if node["class_type"] == kind]
        if len(found) == 1:
            return found[0]
        if found:
            raise EvaluationError(
                f"The workflow has {len(found)} nodes of the kind {kind}. Leave the one that has the picture to judge."
            )
    raise EvaluationError(
        "The workflow has neither Save Image nor Preview Image. Add one for the picture to judge."
    )


def photo_node(workflow: Workflow, photo: str) -> str:
    """The id of the node that loads the photo of a filled workflow; empty if none does."""
    return next((key for key, node in workflow.items() if photo in node["inputs"].values()), "")


def without_identity(template: Workflow) -> Workflow:
    """The same workflow with ConsistentID taken out: the plain model with the same prompt and seed.

    Raises EvaluationError for a workflow without this pack's nodes.
    """
    workflow = copy.deepcopy(template)
    appliers = [key for key, node in workflow.items() if node["class_type"] in _APPLIERS]
    encoders = [key for key, node in workflow.items() if node["class_type"] in _ENCODERS]
    if not appliers or not encoders:
        raise EvaluationError(
            "The workflow has no Apply ConsistentID and Encode Facial Prompt to take out. Give the plain model's own "
            "workflow as --plain-workflow."
        )
    for key in encoders:
        inputs = workflow[key]["inputs"]
        first = 1 if workflow[key]["class_type"] == "ConsistentIDSimple" else 0
        for number, name in ((first, "prompt"), (first + 1, "negative_prompt")):
            plain = f"{key}_{name}"
            text = {"clip": _connected(workflow[key], "clip"), "text": inputs.get(name, "")}
            workflow[plain] = {"class_type": "CLIPTextEncode", "inputs": text}
            _relink(workflow, [key, number], [plain, 0])
    for key in appliers:
        _relink(workflow, [key, 0], _connected(workflow[key], "model"))
    needed = set(_upstream(workflow, output_node(workflow)))
    return {key: node for key, node in workflow.items() if key in needed}


def fill_plain(
    template: Workflow, *, prompt: str, seed: int, settings: Mapping[str, Any] | None = None
) -> Workflow:
    """:func:`fill` of a workflow without a person: the prompt goes where it is marked ``{prompt}``.

    Settings that only a workflow with a person has are passed over.
    """
    known = {name: value for name, value in (settings or {}).items() if any(_inputs(template, name))}
    # There is nobody in it, so the photo has no place; a marker that no input has keeps all as it is.
    marked = copy.deepcopy(template)
    marked["photo"] = {"class_type": "Note", "inputs": {"text": PHOTO}}
    filled = fill(marked, photo="", prompt=prompt, seed=seed, settings=known)
    del filled["photo"]
    return filled


def mark_prompt(template: Workflow) -> Workflow:
    """The workflow with ``{prompt}`` where the prompt goes."""
    workflow = copy.deepcopy(template)
    _place(workflow, PROMPT, PROMPT, _prompt_inputs(workflow))
    return workflow


Place = tuple[dict[str, Any], str]


def _place(workflow: Workflow, marker: str, value: str, found: list[Place]) -> None:
    marked = [
        (node, name)
        for node in workflow.values()
        for name, text in node["inputs"].items()
        if isinstance(text, str) and marker in text
    ]
    for node, name in marked:
        node["inputs"][name] = node["inputs"][name].replace(marker, value)
    if marked:
        return
    if len(found) != 1:
        raise EvaluationError(
            f"The workflow has {len(found)} places for {marker.strip('{}')}, expected one. Write {marker} into the "
            "input it belongs to."
        )
    node, name = found[0]
    node["inputs"][name] = value


def _prompt_inputs(workflow: Workflow) -> list[Place]:
    return [
        (node, "prompt")
        for node in workflow.values()
        if node["class_type"] in _ENCODERS and isinstance(node["inputs"].get("prompt"), str)
    ]


def _photo_inputs(workflow: Workflow) -> list[Place]:
    """The Load Image whose picture is recognised; nodes that shrink or mend the photo may lie between."""
    for kind in _PHOTO_READERS:
        loaders = {
            key
            for node in workflow.values()
            if node["class_type"] == kind and isinstance(node["inputs"].get("image"), list)
            for key in _upstream(workflow, str(node["inputs"]["image"][0]))
            if workflow[key]["class_type"] == "LoadImage"
        }
        if loaders:
            return [(workflow[key], "image") for key in sorted(loaders)]
    return []


def _inputs(workflow: Workflow, name: str) -> Iterator[Place]:
    """Where an input of this name has a value of its own."""
    for node in workflow.values():
        if name in node["inputs"] and not isinstance(node["inputs"][name], list):
            if name in _OF_THE_LATENT and "Latent" not in node["class_type"]:
                continue
            yield node, name


def _show_instead_of_saving(workflow: Workflow) -> None:
    """The picture is fetched; a second copy in the server's output folder would only fill its disk."""
    node = workflow[output_node(workflow)]
    node["inputs"] = {"images": _connected(node, "images")}
    node["class_type"] = "PreviewImage"


def _connected(node: Mapping[str, Any], name: str) -> Any:
    """What is connected to an input that a node cannot do without."""
    if name not in node["inputs"]:
        raise EvaluationError(
            f"A {node['class_type']} of the workflow has nothing connected to {name}. Connect it and export again."
        )
    return node["inputs"][name]


def _relink(workflow: Workflow, old: list[Any], new: list[Any]) -> None:
    for node in workflow.values():
        for name, value in node["inputs"].items():
            if value == old:
                node["inputs"][name] = new


def _upstream(workflow: Workflow, key: str) -> Iterator[str]:
    """A node and all it depends on."""
    seen, waiting = set(), [key]
    while waiting:
        key = waiting.pop()
        if key in seen or key not in workflow:
            continue
        seen.add(key)
        yield key
        links = (value for value in workflow[key]["inputs"].values() if isinstance(value, list) and value)
        waiting += [str(link[0]) for link in links]
