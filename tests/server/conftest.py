"""Tests against a real ComfyUI server that has the pack installed as a user would have it.

The pack is unpacked from the archive of ``tools/pack.py``, next to another pack. One server for the
whole session, on loopback. Its models are stand-ins: a narrow base model and an adapter that fits it,
everything else in full size (tools/standins/catalogue.py).
"""

import copy
import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from portrait_data import store_portraits
from server_host import (
    PACK_IMPORT_SECONDS,
    SDXL_CHECKPOINT,
    SDXL_CONSISTENTID,
    SET,
    SIZE,
    STEPS,
    WIDE_CONSISTENTID,
    Host,
    first,
    keep,
)

from tools import pack, paths
from tools import workflow as workflows
from tools.base_directory import base_directory
from tools.client import Client
from tools.environment import Environment
from tools.model_files import ModelFile, by_folder_type, resolve
from tools.server import Server
from tools.standins import catalogue
from tools.workflow import Workflow

ASSETS = paths.WORKFLOWS / "assets"

NEIGHBOUR = Path(__file__).resolve().parents[1] / "support" / "neighbour_pack"

#: A name a user could give the pack's folder.
PACK_NAME = "ConsistentID für später"


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    archive = pack.build(tmp_path_factory.mktemp("archive"), allow_dirty=True)
    environment = Environment(Path(sys.executable), Path(os.environ.get("COMFYUI_PATH") or paths.COMFYUI))
    wanted = {
        **catalogue.NARROW,
        **catalogue.OTHERS,
        WIDE_CONSISTENTID: catalogue.FULL[catalogue.CONSISTENTID],
        SDXL_CHECKPOINT: catalogue.SDXL[catalogue.CHECKPOINT],
        SDXL_CONSISTENTID: catalogue.SDXL[catalogue.CONSISTENTID],
    }
    models = resolve(wanted, folders=[])
    # By default results of nodes that the next workflow lacks are forgotten, photo and all.
    arguments = ["--cpu", "--cache-lru", "100"]
    folders = by_folder_type(models.values())
    with base_directory(folders, archive=archive, pack_name=PACK_NAME) as base:
        shutil.copytree(NEIGHBOUR, base.folder / "custom_nodes" / "neighbour")
        _make_pictures(base.input)
        store_portraits(base.folder / "datasets" / SET, 3)
        _make_bad_files(base.folder / "models" / "consistentid", models[catalogue.CONSISTENTID])
        log = paths.LOGS / f"test-server-{environment.comfyui.name}.log"  # two versions may run at once
        with Server(environment, base, log=log, arguments=arguments) as server:
            yield Host(server, Client(server.url), base, models)


@pytest.fixture
def workflow(host) -> Workflow:
    """The shipped portrait workflow with the session's files, small and short."""
    return _small("consistentid_sd15_api.json", host.models)


@pytest.fixture
def sdxl_workflow(host) -> Workflow:
    """The shipped portrait workflow for SDXL with the session's files, small and short."""
    sdxl = {catalogue.CHECKPOINT: SDXL_CHECKPOINT, catalogue.CONSISTENTID: SDXL_CONSISTENTID}
    models = {**host.models, **{key: host.models[other] for key, other in sdxl.items()}}
    return _small("consistentid_sdxl_api.json", models)


@pytest.fixture
def batch_workflow(host) -> Workflow:
    """The shipped workflow for a picture of each person with the session's files, small and short."""
    return _small("consistentid_one_each_api.json", host.models)


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


def pytest_terminal_summary(terminalreporter, config):
    if seconds := config.stash.get(PACK_IMPORT_SECONDS, None):
        terminalreporter.write_line(f"The server imported the pack in {seconds} s.")


def _small(name: str, models: dict[str, ModelFile]) -> Workflow:
    prompt = workflows.load(name)
    workflows.use_models(prompt, models)
    workflows.set_inputs(prompt, "LoadImage", image="astronaut.png")
    workflows.set_inputs(prompt, "EmptyLatentImage", width=SIZE, height=SIZE)
    workflows.set_inputs(prompt, "KSampler", steps=STEPS)
    workflows.use_label_map(prompt, "astronaut_labels.png")
    return prompt


def _make_pictures(folder: Path) -> None:
    photo = Image.open(ASSETS / "astronaut.png")
    for file in ("astronaut.png", "astronaut_labels.png", "pose.png"):
        shutil.copy(ASSETS / file, folder)
    photo.convert("RGBA").save(folder / "rgba.png")
    ImageOps.invert(photo.convert("RGB")).save(folder / "negative.png")
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
