"""Start ComfyUI without its server, and the pack in it, for the training command.

Standard library and torch only until ComfyUI is found: this file is read by path, before the pack can be.
"""

import argparse
import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

#: The name under which the pack is loaded; any will do that ComfyUI does not use.
PACKAGE = "consistentid_pack"


def main(pack: Path, arguments: Sequence[str]) -> int:
    """Parse the command line, start the host, train; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m consistentid_core.training", description="Train ConsistentID on a set of portraits."
    )
    parser.add_argument("config", type=Path, help="YAML or JSON file with the settings of the run")
    parser.add_argument("--comfyui", type=Path, help="folder of ComfyUI; found by itself in custom_nodes")
    parser.add_argument(
        "--dry-run", action="store_true", help="write the first batch as pictures, train nothing"
    )
    options = parser.parse_args(arguments)
    # ComfyUI tells of everything it loads, through the root logger; here only its warnings are of interest.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger(PACKAGE).setLevel(logging.INFO)
    comfyui = options.comfyui or pack.parents[1]
    if not (comfyui / "comfy").is_dir():
        parser.error(f"no ComfyUI at '{comfyui}'; name its folder with --comfyui")
    start(comfyui)
    load_pack(pack)
    command = importlib.import_module(f"{PACKAGE}.nodes.training.command")
    return command.main(options.config, dry_run=options.dry_run)


def start(comfyui: Path) -> None:
    """Make ComfyUI's modules importable, with the settings it reads from its own command line."""
    # First: the pack's folder has a package `nodes`, and ComfyUI a module of that name.
    sys.path.insert(0, str(comfyui.resolve()))
    before = sys.argv
    sys.argv = ["main.py", *device_arguments()]
    try:
        importlib.import_module("comfy.options").enable_args_parsing()
        importlib.import_module("comfy.cli_args")
    finally:
        sys.argv = before


def device_arguments() -> list[str]:
    """What ComfyUI has to be told about the device: it finds cards of NVIDIA, AMD, Intel and Apple by itself."""
    import torch

    found = (getattr(torch, name, None) for name in ("cuda", "xpu", "mps", "npu", "mlu"))
    if any(one is not None and one.is_available() for one in found):
        return []
    return ["--directml"] if importlib.util.find_spec("torch_directml") else ["--cpu"]


def load_pack(pack: Path) -> None:
    """Load the pack the way ComfyUI does: by path, under another name."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, pack / "__init__.py", submodule_search_locations=[str(pack)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
