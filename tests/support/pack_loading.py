"""Load every pack of a base directory with ComfyUI's own loader, on a machine that has little.

    python pack_loading.py <ComfyUI> <base directory> <model paths file> <result file>

A process of its own for tests/server/test_install_paths.py: no git, no connection, and none of the
packages that ComfyUI itself can do without. The result is JSON: for each folder below custom_nodes
whether it loaded and its nodes, then what nodes say that need a missing package.
"""

import asyncio
import json
import logging
import os
import socket
import sys
from importlib.machinery import PathFinder
from pathlib import Path

#: Packages that come with our requirements and not with ComfyUI's.
OPTIONAL = ("cv2", "insightface", "onnxruntime")


class FinderWithoutOptional(PathFinder):
    """Finds no package that ComfyUI can do without."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in OPTIONAL else super().find_spec(name, path, target)


def refuse_connection(*arguments):
    raise AssertionError("A pack opened a connection while it was loaded.")


def main(comfyui: str, base: str, model_paths: str, result: str) -> None:
    os.environ["PATH"] = ""
    sys.meta_path[sys.meta_path.index(PathFinder)] = FinderWithoutOptional
    socket.socket.connect = refuse_connection
    sys.path.insert(0, comfyui)
    sys.argv = ["main.py", "--cpu", "--base-directory", base]
    import comfy.options

    comfy.options.enable_args_parsing()
    from utils.extra_config import load_extra_path_config

    import nodes

    load_extra_path_config(model_paths)
    logging.getLogger().setLevel(logging.INFO)
    report = {}
    for folder in sorted(Path(base, "custom_nodes").iterdir()):
        nodes.NODE_CLASS_MAPPINGS.clear()  # copies of one pack have the same node ids
        loaded = asyncio.run(nodes.load_custom_node(str(folder)))
        report[folder.name] = {"loaded": loaded, "nodes": describe(nodes.NODE_CLASS_MAPPINGS)}
        if "ConsistentIDEmbedding" in nodes.NODE_CLASS_MAPPINGS:
            ours = dict(nodes.NODE_CLASS_MAPPINGS)
    report = {"packs": report, "missing": {"insightface": say_what_is_missing(ours)}}
    # ComfyUI does not start without it, but a broken installation can.
    sys.modules["transformers"] = None
    report["missing"]["transformers"] = describe_a_face(ours)
    Path(result).write_text(json.dumps(report), "utf-8")


def describe(classes: dict) -> dict[str, str]:
    """Node id -> the module ComfyUI notes for it; each schema is made as for the interface."""
    return {name: node.RELATIVE_PYTHON_MODULE for name, node in classes.items() if node.INPUT_TYPES()}


def say_what_is_missing(classes: dict) -> str:
    import torch

    return error_of(lambda: classes["ConsistentIDEmbedding"].execute(torch.zeros(1, 64, 64, 3)))


def describe_a_face(classes: dict) -> str:
    import torch

    loader = classes["ConsistentIDCaptionerLoader"]
    captioner = loader.execute(loader.GET_SCHEMA().inputs[0].options[0]).args[0]
    caption = classes["ConsistentIDFaceCaptioner"]
    picture = torch.zeros(1, 64, 64, 3)
    return error_of(lambda: caption.execute("describe face", image=picture, captioner=captioner))


def error_of(call) -> str:
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


if __name__ == "__main__":
    main(*sys.argv[1:])
