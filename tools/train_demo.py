"""From three photos to weights to a picture: build a set, check it, train on stand-ins, use the file on a real server.

Started by ``tools/demo.py --train`` with the environment's Python. Every model is a stand-in with random weights, a
narrow one where that is possible: what is shown is that all parts fit together, not that anything is learnt.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from . import paths, workflow
from .base_directory import BaseDirectory, base_directory
from .client import Client
from .console import CommandError, run_command, say, step
from .environment import Environment
from .model_files import ModelFile, Wanted, by_folder_type, recognise_nothing, resolve
from .portrait import LABEL_MAP, PHOTO, WORKFLOW, run_workflow, save_picture, shown
from .server import Server
from .standins import bisenet, catalogue

_EXAMPLE = paths.ROOT / "docs" / "training_example"
_TRAINING = "consistentid_train_api.json"

#: The set, and what the command and the node call their files.
_SET, _BY_COMMAND, _BY_NODE = "example_set", "by_command", "by_node"
TRAINED_PORTRAIT, LOSS_GRAPH, SAMPLE = "trained_portrait.png", "training_loss.png", "training_sample.png"

#: Pictures are small and steps few: a CPU does them in minutes.
_SIDE, _STEPS = 128, 3
_SETTINGS = {
    "precision": "fp32", "rank": 8, "ema_decay": 0, "warmup_steps": 0, "sample_steps": 2, "keep": 1,
    "drop_probability": 0, "sample_count": 1, "sample_prompts": ["a portrait of a person"],
}  # fmt: skip

_MODELS = {
    **{key: catalogue.NARROW[key] for key in (catalogue.CHECKPOINT, catalogue.CLIP_VISION, catalogue.INSIGHTFACE)},
    # Random weights that see parts of a face in almost any picture, unlike those of the other stand-in. In a folder of
    # their own: where the loaders look by themselves, one face parser is enough.
    catalogue.FACE_PARSER: Wanted(
        "BiSeNet face parser",
        catalogue.FULL[catalogue.FACE_PARSER].folder_types,
        recognise_nothing,
        "face_parsing/standin_face_parsing_sees_parts.pth",
        partial(bisenet.write, seed=2),
        "53 MB",
    ),
}  # fmt: skip


def main() -> int:
    started = time.monotonic()
    environment = Environment(Path(sys.executable), Path(os.environ["COMFYUI_PATH"]))
    say("1 of 5  Models")
    models = resolve(_MODELS, folders=[])
    with base_directory(by_folder_type(models.values())) as base:
        portraits = base.folder / "datasets" / _SET
        say("2 of 5  A training set from docs/training_example, and what training would use of it")
        _build_set(environment, portraits, models)
        say(f"3 of 5  {_STEPS} steps with the training command")
        _train(environment, base, portraits, models)
        say("4 of 5  The same with the node, in a real server")
        for picture in (base.input / PHOTO.name, base.input / LABEL_MAP.name):
            shutil.copy(paths.WORKFLOWS / "assets" / picture.name, picture)
        with Server(
            environment, base, log=paths.LOGS / "train-demo-server.log", arguments=["--cpu"]
        ) as server:
            client = Client(server.url)
            paths.OUTPUT.mkdir(exist_ok=True)
            _train_in_node(client, models)
            say("5 of 5  A portrait with the command's file, by Load ConsistentID Model in the same server")
            _draw(client, models)
    say("Made with STAND-INS (random weights): the pictures are noise, and nothing was learnt.")
    say(f"Done in {time.monotonic() - started:.0f} s. In {paths.OUTPUT}:")
    for name in (LOSS_GRAPH, SAMPLE, TRAINED_PORTRAIT):
        say(f"  {name}  {(paths.OUTPUT / name).stat().st_size / 1000:.1f} kB")
    return 0


def _build_set(environment: Environment, portraits: Path, models: Mapping[str, ModelFile]) -> None:
    parser = models[catalogue.FACE_PARSER]
    build = [
        "build", _EXAMPLE / "photos", portraits, "--captions", f"file:{_EXAMPLE / 'captions.json'}",
        "--face-parser", parser.folder / parser.name, "--insightface", models[catalogue.INSIGHTFACE].folder,
    ]  # fmt: skip
    _run("consistentid_core.data", *build)
    # 1: training would read less of some portraits, which is to be expected of parts found by chance.
    tokenizer = environment.comfyui / "comfy" / "sd1_tokenizer"
    _run("consistentid_core.data", "check", portraits, "--tokenizer", tokenizer, expected=(0, 1))


def _train(
    environment: Environment, base: BaseDirectory, portraits: Path, models: Mapping[str, ModelFile]
) -> None:
    run = base.folder / "run"
    checkpoint, vision = models[catalogue.CHECKPOINT], models[catalogue.CLIP_VISION]
    settings = {
        "checkpoint": str(checkpoint.folder / checkpoint.name),
        "clip_vision": str(vision.folder / vision.name),
        "data": str(portraits), "output": str(run), "steps": _STEPS, "resolution": _SIDE, "batch_size": 1, **_SETTINGS,
    }  # fmt: skip
    run.mkdir()
    (run / "run.yaml").write_text(json.dumps(settings), "utf-8")
    _run("consistentid_core.training", run / "run.yaml", "--comfyui", environment.comfyui)
    folder = base.folder / "models" / "consistentid"
    folder.mkdir(parents=True, exist_ok=True)
    (state,) = (run / "states").iterdir()
    shutil.move(state / "consistentid.safetensors", folder / f"{_BY_COMMAND}.safetensors")
    shutil.rmtree(run)  # two gigabytes of states


def _train_in_node(client: Client, models: Mapping[str, ModelFile]) -> None:
    prompt = workflow.load(_TRAINING)
    workflow.use_models(prompt, models)
    text = "".join(f"{name}: {value}\n" for name, value in _SETTINGS.items() if name != "precision")
    workflow.set_inputs(
        prompt, "ConsistentIDTrain", dataset=_SET, output_name=_BY_NODE, steps=_STEPS, resolution=_SIDE,
        accumulation=1, precision=_SETTINGS["precision"], settings=text,
    )  # fmt: skip
    run = run_workflow(client, prompt, [])
    save_picture(client, shown(prompt, run, "LossGraphNode", "images"), LOSS_GRAPH)
    save_picture(client, shown(prompt, run, "SaveImage", "images"), SAMPLE)


def _draw(client: Client, models: Mapping[str, ModelFile]) -> None:
    prompt = workflow.load(WORKFLOW)
    for class_type, name, key in (
        ("CheckpointLoaderSimple", "ckpt_name", catalogue.CHECKPOINT),
        ("CLIPVisionLoader", "clip_name", catalogue.CLIP_VISION),
        ("ConsistentIDFaceParserLoader", "model_name", catalogue.FACE_PARSER),
    ):
        workflow.set_inputs(prompt, class_type, **{name: models[key].name})
    _require_listed(client, f"{_BY_COMMAND}.safetensors", f"{_BY_NODE}.safetensors")
    workflow.set_inputs(prompt, "ConsistentIDModelLoader", model_name=f"{_BY_COMMAND}.safetensors")
    workflow.set_inputs(prompt, "LoadImage", image=PHOTO.name)
    workflow.set_inputs(prompt, "EmptyLatentImage", width=2 * _SIDE, height=2 * _SIDE)
    workflow.set_inputs(prompt, "KSampler", steps=4)
    workflow.use_label_map(prompt, LABEL_MAP.name)
    run = run_workflow(client, prompt, ["the model it was trained on"])
    save_picture(client, shown(prompt, run, "SaveImage", "images"), TRAINED_PORTRAIT)


def _require_listed(client: Client, *files: str) -> None:
    listed: Any = client.get("/models/consistentid")
    missing = [file for file in files if file not in listed]
    if missing:
        raise CommandError(f"The server does not list {', '.join(missing)}; it lists {', '.join(listed)}.")


def _run(module: str, *arguments: Path | str, expected: tuple[int, ...] = (0,)) -> None:
    """Run a command of the pack as a user does, and let it say what it says."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    shown_command = " ".join(["python", "-m", module, *(_short(one) for one in arguments)])
    with step(f"  {shown_command}"):
        done = subprocess.run(
            command, cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in done.stdout.splitlines():
            say(f"    {line}")
    if done.returncode not in expected:
        raise CommandError(f"{module} ended with {done.returncode}; what it said stands above.")


def _short(argument: Path | str) -> str:
    """Folders of this run by their last name, files of the repository by their place in it."""
    text = str(argument).replace(f"{paths.ROOT}{os.sep}", "")
    return Path(text).name if Path(text).is_absolute() or str(paths.RUNS.name) in Path(text).parts else text


if __name__ == "__main__":
    run_command(main)
