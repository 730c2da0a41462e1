"""Tests against a real ComfyUI server that has the pack installed as a user would have it.

One server for the whole session, on loopback. Its models are stand-ins: a narrow base model
and an adapter that fits it, everything else in full size (tools/standins/catalogue.py).
"""

import copy
import os
import sys
from pathlib import Path

import pytest
from PIL import Image
from server_host import SIZE, STEPS, WIDE_CONSISTENTID, Host, first, keep

from tools import paths
from tools import workflow as workflows
from tools.base_directory import base_directory
from tools.client import Client
from tools.environment import Environment
from tools.model_files import ModelFile, by_folder_type, resolve
from tools.server import Server
from tools.standins import catalogue
from tools.workflow import Workflow

ASSETS = paths.WORKFLOWS / "assets"


@pytest.fixture(scope="session")
def host():
    environment = Environment(Path(sys.executable), Path(os.environ.get("COMFYUI_PATH") or paths.COMFYUI))
    wanted = {**catalogue.NARROW, WIDE_CONSISTENTID: catalogue.FULL[catalogue.CONSISTENTID]}
    models = resolve(wanted, folders=[])
    # By default results of nodes that the next workflow lacks are forgotten, photo and all.
    arguments = ["--cpu", "--cache-lru", "100"]
    with base_directory(by_folder_type(models.values())) as base:
        _make_pictures(base.input)
        _make_bad_files(base.folder / "models" / "consistentid", models[catalogue.CONSISTENTID])
        with Server(environment, base, log=paths.LOGS / "test-server.log", arguments=arguments) as server:
            yield Host(server, Client(server.url), base, models)


@pytest.fixture
def workflow(host) -> Workflow:
    """The shipped portrait workflow with the session's files, small and short."""
    prompt = workflows.load("consistentid_sd15_api.json")
    workflows.use_models(prompt, host.models)
    workflows.set_inputs(prompt, "LoadImage", image="astronaut.png")
    workflows.set_inputs(prompt, "EmptyLatentImage", width=SIZE, height=SIZE)
    workflows.set_inputs(prompt, "KSampler", steps=STEPS)
    workflows.use_label_map(prompt, "astronaut_labels.png")
    return prompt


@pytest.fixture
def plain_workflow(workflow) -> Workflow:
    """The same base model, prompts, seed and size, without anything of ours."""
    kept = keep(workflow, "CheckpointLoaderSimple", "EmptyLatentImage", "KSampler", "VAEDecode", "SaveImage")
    plain = copy.deepcopy(kept)
    loader = first(plain, "CheckpointLoaderSimple")
    prompts = workflow[first(workflow, "ConsistentIDFaceEncoder")]["inputs"]
    for name, text in (("positive", prompts["prompt"]), ("negative", prompts["negative_prompt"])):
        plain[name] = {"class_type": "CLIPTextEncode", "inputs": {"clip": [loader, 1], "text": text}}
    workflows.set_inputs(
        plain, "KSampler", model=[loader, 0], positive=["positive", 0], negative=["negative", 0]
    )
    return plain


def _make_pictures(folder: Path) -> None:
    photo, label_map = Image.open(ASSETS / "astronaut.png"), Image.open(ASSETS / "astronaut_labels.png")
    photo.save(folder / "astronaut.png")
    label_map.save(folder / "astronaut_labels.png")
    photo.convert("RGBA").save(folder / "rgba.png")
    photo.resize((7680, 4320)).save(folder / "8k.jpg")
    Image.new("RGB", (400, 300), "grey").save(folder / "nobody.png")
    Image.new("RGB", (1, 1), "red").save(folder / "one_pixel.png")
    Image.new("L", (400, 300), 0).save(folder / "only_background.png")


def _make_bad_files(folder: Path, whole: ModelFile) -> None:
    """Files a user could take for the adapter."""
    folder.mkdir()
    with open(whole.folder / whole.name, "rb") as file:
        (folder / "truncated.bin").write_bytes(file.read(1_000_000))
    (folder / "not_a_model.bin").write_text("<html>404 Not Found</html>")
