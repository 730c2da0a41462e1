"""The demo's work: run the shipped workflow on a real server and collect what it made.

Started by ``tools/demo.py`` with the environment's Python, because it needs aiohttp and torch.
"""

import io
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from . import paths, workflow
from .base_directory import base_directory
from .client import Client, Run, WorkflowRejected
from .console import CommandError, run_command, say
from .environment import Environment
from .model_files import ModelFile, by_folder_type, models_folders, resolve
from .progress import ProgressLines
from .server import Server
from .standins import catalogue

WORKFLOW, WORKFLOW_SDXL = "consistentid_sd15_api.json", "consistentid_sdxl_api.json"
PORTRAIT, PARTS, PROMPT = "portrait.png", "face_parts.png", "prompt.txt"
CROP_COUNT = 5

_ASSETS = paths.WORKFLOWS / "assets"
PHOTO, LABEL_MAP = _ASSETS / "astronaut.png", _ASSETS / "astronaut_labels.png"


@dataclass(frozen=True)
class Job:
    """What ``tools/demo.py`` was asked for."""

    size: tuple[int, int]
    steps: int
    seed: int
    photo: str | None
    label_map: str | None
    sdxl: bool
    gpu: bool


def main() -> int:
    job = Job(**json.loads(sys.argv[1]))
    environment = Environment(Path(sys.executable), Path(os.environ["COMFYUI_PATH"]))
    models = resolve(catalogue.SDXL if job.sdxl else catalogue.FULL, models_folders(environment.comfyui))
    if job.sdxl:
        require_pair(models[catalogue.CHECKPOINT], models[catalogue.CONSISTENTID])
    standins = [model.title for model in models.values() if model.is_standin]
    photo, label_map = _pictures(job, models)

    with base_directory(by_folder_type(models.values())) as base:
        shutil.copy(photo, base.input / photo.name)
        if label_map is not None:
            shutil.copy(label_map, base.input / _label_map_name(label_map))
        prompt = _workflow(job, models, photo, label_map)
        log = paths.LOGS / "demo-server.log"
        say(f"Starting the ComfyUI server (its output: {log.relative_to(paths.ROOT)})")
        with Server(environment, base, log=log, arguments=[] if job.gpu else ["--cpu"]) as server:
            client = Client(server.url)
            run = run_workflow(client, prompt, standins)
            _collect(client, prompt, run)
    _report(standins)
    return 0


def require_pair(checkpoint: ModelFile, consistentid: ModelFile) -> None:
    """The stand-ins for SDXL are narrow: they fit each other and no released file."""
    if checkpoint.is_standin != consistentid.is_standin:
        missing, found = sorted((checkpoint, consistentid), key=lambda model: not model.is_standin)
        raise CommandError(
            f"{found.title} is there and {missing.title} is not. Its stand-in is smaller and does not fit: "
            "put both released files into the models folder, or none."
        )


def _pictures(job: Job, models: Mapping[str, ModelFile]) -> tuple[Path, Path | None]:
    """The photo, and its label map if the face parser has no real weights to make one."""
    photo = Path(job.photo) if job.photo else PHOTO
    label_map = Path(job.label_map) if job.label_map else None
    if label_map is None and models[catalogue.FACE_PARSER].is_standin:
        if job.photo:
            raise CommandError(
                "Your own photo needs the face parser's weights (face_parsing.pth in models/consistentid) "
                "or its facial parts as --label-map."
            )
        label_map = LABEL_MAP
    return photo, label_map


def _label_map_name(label_map: Path) -> str:
    """In the input folder, where the photo may have the same name."""
    return f"labels_{label_map.name}"


def _workflow(
    job: Job, models: Mapping[str, ModelFile], photo: Path, label_map: Path | None
) -> workflow.Workflow:
    prompt = workflow.load(WORKFLOW_SDXL if job.sdxl else WORKFLOW)
    workflow.use_models(prompt, models)
    workflow.set_inputs(prompt, "LoadImage", image=photo.name)
    workflow.set_inputs(prompt, "EmptyLatentImage", width=job.size[0], height=job.size[1])
    workflow.set_inputs(prompt, "KSampler", steps=job.steps, seed=job.seed)
    if label_map is None:
        workflow.show_parts(prompt)
    else:
        say(f"Facial parts: from the label map {label_map.name}")
        workflow.use_label_map(prompt, _label_map_name(label_map))
    captioner = models[catalogue.CAPTIONER]
    if captioner.is_standin:  # its words are random: run it, but do not let it write the prompt
        workflow.add_captioner(prompt, captioner.name, max_new_tokens=16, into_prompt=False)
    elif job.gpu:
        workflow.add_captioner(prompt, captioner.name, max_new_tokens=512, into_prompt=True)
    else:
        say("Caption: the fixed sentence, because LLaVA takes very long without a graphics card (--gpu)")
    return prompt


def run_workflow(client: Client, prompt: workflow.Workflow, standins: list[str]) -> Run:
    """Run a workflow and show how it goes. standins: noted in the pictures it saves."""
    say("Running the workflow")
    # SaveImage writes each entry into the picture's metadata.
    extra_data = {"extra_pnginfo": {"consistentid_standins": standins}}
    try:
        run = client.run(prompt, on_event=ProgressLines(prompt), extra_data=extra_data)
    except WorkflowRejected as rejected:
        raise CommandError(f"ComfyUI does not accept the workflow: {rejected}") from None
    if run.error is not None:
        node = workflow.title(prompt, run.error["node_id"])
        raise CommandError(f"{node}: {run.error['exception_message'].strip()}")
    return run


def _collect(client: Client, prompt: workflow.Workflow, run: Run) -> None:
    """Write everything the workflow made into ``output/``; raises CommandError if a part is missing."""
    paths.OUTPUT.mkdir(exist_ok=True)
    for old in (PORTRAIT, PARTS, PROMPT, "crop_*.png"):
        for path in paths.OUTPUT.glob(old):
            path.unlink()

    save_picture(client, shown(prompt, run, "SaveImage", "images"), PORTRAIT)
    save_picture(client, shown(prompt, run, "PreviewImage", "images"), PARTS)
    crops = shown(prompt, run, "ConsistentIDFaceEncoder", "consistentid_crops")
    if len(crops) != CROP_COUNT:
        raise CommandError(f"The workflow made {len(crops)} crops of facial parts, expected {CROP_COUNT}.")
    for number, crop in enumerate(crops, start=1):
        save_picture(client, [crop], f"crop_{number}_{crop['region']}.png")
    texts = shown(prompt, run, "ConsistentIDFaceEncoder", "consistentid_prompt")
    if not texts or not texts[0]["words"]:
        raise CommandError("The workflow gave no aligned prompt with part words.")
    (paths.OUTPUT / PROMPT).write_text(_describe(texts[0]), "utf-8")


def shown(prompt: workflow.Workflow, run: Run, class_type: str, key: str) -> list[dict[str, Any]]:
    """What the first node of a class shows under a key; empty if it shows nothing."""
    node_id = next(workflow.nodes_of(prompt, class_type))
    found: list[dict[str, Any]] = run.outputs.get(node_id, {}).get(key, [])
    return found


def save_picture(client: Client, pictures: list[dict[str, str]], name: str) -> None:
    """Write the first picture into ``output/``; raises CommandError if there is none."""
    if not pictures:
        raise CommandError(f"The workflow made no {name}.")
    content = client.view({key: pictures[0][key] for key in ("filename", "subfolder", "type")})
    Image.open(io.BytesIO(content)).verify()
    (paths.OUTPUT / name).write_bytes(content)


def _describe(prompt: dict[str, Any]) -> str:
    lines = [
        "Aligned prompt",
        "",
        prompt["text"],
        "",
        "Part words: the word, its token, the crop it carries",
        "",
    ]
    lines += [f"{word['word']:<8}{word['position']:>4}  {word['region']}" for word in prompt["words"]]
    return "\n".join(lines) + "\n"


def _report(standins: list[str]) -> None:
    if standins:
        say(f"Made with STAND-INS (random weights), so it is noise or no likeness: {', '.join(standins)}")
    say(f"In {paths.OUTPUT}:")
    for path in sorted(paths.OUTPUT.iterdir()):
        say(f"  {path.name}  {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    run_command(main)
