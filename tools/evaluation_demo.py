"""The demo's evaluation: two people, three prompts, from the plan to the report, on a real server.

Started by ``tools/demo.py --evaluate`` with the environment's Python. Networks that are not there are replaced by
stand-ins, which the report says in large letters.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from . import judges, paths, real_faces, workflow
from .base_directory import base_directory
from .console import CommandError, run_command, say, step
from .environment import Environment
from .model_files import ModelFile, Wanted, by_folder_type, models_folders, resolve
from .portrait import WORKFLOW
from .server import Server
from .standins import catalogue

FOLDER = paths.OUTPUT / "evaluation"
PEOPLE, RUN = FOLDER / "people", FOLDER / "run"

_PHOTOS = paths.ROOT / "docs" / "training_example" / "photos"
#: Person -> their photos, the reference first.
_PEOPLE = {
    "Eileen Collins": ("eileen_collins.jpg", "eileen_collins_close.jpg"),
    "Grace Hopper": ("grace_hopper.jpg",),
}
_PROMPTS = """# clothing
{person} in a knitted Nordic sweater
# background
{person} on a wooden pier by a calm lake
# style
{person}, a watercolour portrait
"""
_STEPS = 4  # stand-ins draw noise, which takes no more


def main() -> int:
    job = json.loads(sys.argv[1])
    environment = Environment(Path(sys.executable), Path(os.environ["COMFYUI_PATH"]))
    models = _models(models_folders(environment.comfyui))
    standins = [model.title for model in models.values() if model.is_standin]
    shutil.rmtree(FOLDER, ignore_errors=True)
    _write_inputs(models)
    steps = min(job["steps"], _STEPS) if standins else job["steps"]
    width, height = job["size"]
    settings = [f"width={width}", f"height={height}", f"steps={steps}"]
    plan = ["plan", PEOPLE, RUN, "--workflow", FOLDER / "workflow.json", "--protocol", "own"]
    _evaluate(*plan, "--prompts", FOLDER / "prompts.txt", "--seed", job["seed"], "--set", *settings)

    with base_directory(by_folder_type(models.values())) as base:
        log = paths.LOGS / "evaluation-server.log"
        say(f"Starting the ComfyUI server (its output: {log.relative_to(paths.ROOT)})")
        with Server(environment, base, log=log, arguments=[] if job["gpu"] else ["--cpu"]) as server:
            _evaluate("run", RUN, "--server", server.url)
    _evaluate("score", RUN, *_networks(environment, models))
    _evaluate("report", RUN)
    if standins:
        say(f"Drawn with STAND-INS (random weights), so it is noise: {', '.join(standins)}")
    say(f"Open {RUN / 'report.html'}")
    return 0


def _models(folders: list[Path]) -> dict[str, ModelFile]:
    """The released models if they are there; else stand-ins, which are narrow, since noise is all they draw."""
    pair = (catalogue.CHECKPOINT, catalogue.CONSISTENTID)
    are_there = all(_is_there(catalogue.FULL[key], folders) for key in pair)
    chosen = catalogue.FULL if are_there else catalogue.NARROW
    wanted = {key: value for key, value in chosen.items() if key != catalogue.CAPTIONER}
    return resolve(wanted, folders)


def _is_there(model: Wanted, folders: list[Path]) -> bool:
    places = (folder / kind for folder in folders for kind in model.folder_types)
    return any(place.is_dir() and model.recognise(place) for place in places)


def _write_inputs(models: Mapping[str, ModelFile]) -> None:
    """A user's folder of people, list of prompts and workflow."""
    for person, photos in _PEOPLE.items():
        folder = PEOPLE / person
        folder.mkdir(parents=True)
        for number, photo in enumerate(photos):
            name = "reference.jpg" if number == 0 else photo
            shutil.copy(_PHOTOS / photo, folder / name)
        (folder / "person.json").write_text(json.dumps({"word": "a woman"}), "utf-8")
    (FOLDER / "prompts.txt").write_text(_PROMPTS, "utf-8")
    template = workflow.load(WORKFLOW)
    workflow.use_models(template, models)
    (FOLDER / "workflow.json").write_text(json.dumps(template), "utf-8")


def _networks(environment: Environment, models: Mapping[str, ModelFile]) -> list[str | Path]:
    """The options of ``score``: what is there, and stand-ins for the others."""
    folder = FOLDER / "stand-ins"
    folder.mkdir()
    faces, parser = models[catalogue.INSIGHTFACE], models[catalogue.FACE_PARSER]
    with step("Making stand-ins of the networks that judge (120 MB)"):
        options: list[str | Path] = [
            *("--insightface", _insightface_root(faces.folder / faces.name)),
            *("--face-parser", parser.folder / parser.name),
            *("--recogniser", judges.write_recogniser(folder)),
            *("--dino", judges.write_dino(folder)),
            *("--clip", judges.write_clip(folder, environment.comfyui / "comfy" / "sd1_tokenizer")),
            *("--inception", judges.write_inception(folder)),
            *("--lpips", judges.write_alexnet(folder)),
        ]
    if (real_faces.FOLDER / "sface.onnx").is_file():  # there if the tests ever ran
        options += ["--recogniser", real_faces.FOLDER / "sface.onnx"]
    return options


def _insightface_root(buffalo: Path) -> Path:
    """The InsightFace folder that ``buffalo_l`` or one of its files lies in."""
    parents = (buffalo, *buffalo.parents)
    return next(folder.parent.parent for folder in parents if folder.name == "buffalo_l")


def _evaluate(*arguments: object) -> None:
    """One command, as a user would type it."""
    from consistentid_core.evaluation.__main__ import main as evaluate

    typed = [str(argument) for argument in arguments]
    say(f"python -m consistentid_core.evaluation {typed[0]}")
    if evaluate(typed) != 0:
        raise CommandError(f"The command {typed[0]} did not do all its work; it says why above.")


if __name__ == "__main__":
    run_command(main)
