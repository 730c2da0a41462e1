"""From queueing a workflow to the end of its first step, on a real server; beside a workflow without the pack.

A server for each of the two, because ComfyUI keeps the results of the last workflow only.
"""

import copy
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import paths
from tools import workflow as workflows
from tools.base_directory import BaseDirectory, base_directory
from tools.client import Client, Event
from tools.console import CommandError
from tools.environment import Environment
from tools.model_files import ModelFile, by_folder_type
from tools.server import Server
from tools.standins import catalogue

from ..job import Job
from ..rows import Row, ratio, seconds

_ASSETS = paths.WORKFLOWS / "assets"
_PHOTO, _LABELS = "photo_{}.png", "labels.png"
_WORKFLOWS = {"sd15": "consistentid_sd15_api.json", "sdxl": "consistentid_sdxl_api.json"}

#: What is changed from one run to the next -> what the row says. The plain workflow has no photo.
CHANGES = {
    "first": "the first run of the server",
    "photo": "a new photo",
    "prompt": "a changed prompt",
    "seed": "another seed",
}


def measure(job: Job) -> dict[str, Row]:
    wanted = catalogue.SDXL if job.family == "sdxl" else catalogue.FULL
    models = job.models({key: wanted[key] for key in wanted if key != catalogue.CAPTIONER})
    ours = _portrait(job, models)
    with base_directory(by_folder_type(models.values())) as base:
        _write_photos(base, job.rounds)
        with _server(job, base) as client:
            taken = _run_all(client, ours, job.rounds, ("photo", "prompt", "seed"))
        with _server(job, base) as client:
            plain = _run_all(client, without_identity(ours), job.rounds, ("prompt", "seed"))
    rows = {}
    for change, what in CHANGES.items():
        rows[change] = seconds(f"{what}: with identity", taken[change])
        if change in plain:
            rows[f"{change}_plain"] = seconds(f"{what}: plain", plain[change])
            rows[f"{change}_ratio"] = ratio(f"{what}: with identity ÷ plain", taken[change], plain[change])
    return rows


def _portrait(job: Job, models: dict[str, ModelFile]) -> workflows.Workflow:
    """The shipped workflow with one step, its latents kept instead of the picture."""
    prompt = workflows.load(_WORKFLOWS[job.family])
    workflows.use_models(prompt, models)
    workflows.set_inputs(prompt, "LoadImage", image=_PHOTO.format(0))
    workflows.set_inputs(prompt, "EmptyLatentImage", width=job.size, height=job.size)
    workflows.set_inputs(prompt, "KSampler", steps=1)
    if models[catalogue.FACE_PARSER].is_standin:  # it sees no parts
        workflows.use_label_map(prompt, _LABELS)
    for class_type in ("SaveImage", "VAEDecode"):
        for node_id in list(workflows.nodes_of(prompt, class_type)):
            del prompt[node_id]
    (sampler,) = workflows.nodes_of(prompt, "KSampler")
    prompt["latents"] = {
        "class_type": "SaveLatent",
        "inputs": {"samples": [sampler, 0], "filename_prefix": "latents"},
    }
    return prompt


def without_identity(portrait: workflows.Workflow) -> workflows.Workflow:
    """The same checkpoint, texts, latents and sampler, without a person."""
    keep = ("CheckpointLoaderSimple", "EmptyLatentImage", "KSampler", "SaveLatent")
    plain = copy.deepcopy({key: node for key, node in portrait.items() if node["class_type"] in keep})
    (checkpoint,) = workflows.nodes_of(plain, "CheckpointLoaderSimple")
    (encoder,) = workflows.nodes_of(portrait, "ConsistentIDFaceEncoder")
    texts = portrait[encoder]["inputs"]
    for key, text in (("positive", texts["prompt"]), ("negative", texts["negative_prompt"])):
        plain[key] = {"class_type": "CLIPTextEncode", "inputs": {"clip": [checkpoint, 1], "text": text}}
        workflows.set_inputs(plain, "KSampler", **{key: [key, 0]})
    workflows.set_inputs(plain, "KSampler", model=[checkpoint, 0])
    return plain


def _write_photos(base: BaseDirectory, rounds: int) -> None:
    """The portrait, a little darker for each number, and its label map."""
    from PIL import Image

    with Image.open(_ASSETS / "astronaut.png") as picture:
        for number in range(rounds + 1):
            darker = picture.convert("RGB").point(lambda value, number=number: max(0, value - number))
            darker.save(base.input / _PHOTO.format(number))
    shutil.copy(_ASSETS / "astronaut_labels.png", base.input / _LABELS)


@contextmanager
def _server(job: Job, base: BaseDirectory) -> Iterator[Client]:
    environment = Environment(Path(sys.executable), Path(os.environ["COMFYUI_PATH"]))
    arguments = ["--cpu"] if job.device == "cpu" else ["--force-fp16"]
    with Server(environment, base, log=paths.LOGS / "benchmark-server.log", arguments=arguments) as server:
        yield Client(server.url)


def _run_all(
    client: Client, prompt: workflows.Workflow, rounds: int, changes: tuple[str, ...]
) -> dict[str, list[float]]:
    """Seconds until the first step is done: of the first run, then of each change in turn, round after round."""
    taken = defaultdict(list, first=[_time_of_first_step(client, prompt)])
    for number in range(1, rounds + 1):
        for change in changes:
            change_workflow(prompt, change, number)
            taken[change].append(_time_of_first_step(client, prompt))
    return dict(taken)


def change_workflow(prompt: workflows.Workflow, change: str, number: int) -> None:
    """Change a workflow in place, so that the nodes behind the change run again and no others."""
    if change == "photo":
        photos = [key for key in workflows.nodes_of(prompt, "LoadImage") if key != "label_map"]
        for key in photos:
            prompt[key]["inputs"]["image"] = _PHOTO.format(number)
    elif change == "prompt":
        for key in workflows.nodes_of(prompt, "ConsistentIDFaceEncoder"):
            prompt[key]["inputs"]["prompt"] += f", {number}"
        if "positive" in prompt:  # the negative stays: ComfyUI does not encode it anew
            prompt["positive"]["inputs"]["text"] += f", {number}"
    else:
        workflows.set_inputs(prompt, "KSampler", seed=number)


def _time_of_first_step(client: Client, prompt: workflows.Workflow) -> float:
    started = time.perf_counter()
    steps: list[float] = []
    (sampler,) = workflows.nodes_of(prompt, "KSampler")
    run = client.run(prompt, on_event=_note_steps(sampler, steps))
    if run.error is not None or not steps:
        raise CommandError(f"The workflow did not reach its first step: {run.error}")
    return steps[0] - started


def _note_steps(sampler: str, steps: list[float]) -> Callable[[Event], None]:
    def note(event: Event) -> None:
        if event.type == "progress" and event.data["node"] == sampler:
            steps.append(time.perf_counter())

    return note
