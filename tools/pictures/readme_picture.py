"""Photograph the portrait workflow for the README, with what its nodes show after a run.

    .venv/bin/python -m tools.pictures.readme_picture

The run has stand-ins as models: the parts come from the label map in workflows/assets and the frame of the
face from there too, as the released networks would find them; the portrait itself is left out.
"""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import browser, paths, workflow
from ..base_directory import base_directory
from ..client import Client
from ..console import CommandError, run_command, say
from ..environment import Environment
from ..model_files import by_folder_type, resolve
from ..server import Server
from ..standins import catalogue
from ..templates.make import put_placeholders
from ..templates.portraits import SD15

PICTURE = paths.ROOT / "docs" / "images" / "graph.png"

_SIDE, _STEPS = 64, 1
_WIDTH = 1200
_FACE_CLASSES = (1, 4, 5, 10, 11, 12, 13)


def main() -> int:
    environment = Environment(Path(sys.executable), Path(os.environ.get("COMFYUI_PATH") or paths.COMFYUI))
    models = resolve(catalogue.NARROW, folders=[])
    programs = browser.prepare()
    with base_directory(by_folder_type(models.values())) as base:
        put_placeholders(base, [SD15])
        shutil.copy(paths.WORKFLOWS / "assets" / "astronaut_labels.png", base.input)
        prompt = workflow.load(f"{SD15.name}_api.json")
        shown = {node["class_type"]: node_id for node_id, node in prompt.items()}
        workflow.use_models(prompt, models)
        workflow.set_inputs(prompt, "EmptyLatentImage", width=_SIDE, height=_SIDE)
        workflow.set_inputs(prompt, "KSampler", steps=_STEPS)
        workflow.use_label_map(prompt, "astronaut_labels.png")
        with Server(environment, base, log=paths.LOGS / "readme-server.log") as server:
            run = Client(server.url).run(prompt)
            if run.error is not None:
                raise CommandError(run.error["exception_message"])
            results = {
                shown["ConsistentIDFaceParser"]: run.outputs["parts_from_map"],
                shown["ConsistentIDEmbedding"]: _one_face(run.outputs[shown["ConsistentIDEmbedding"]]),
                shown["ConsistentIDFaceEncoder"]: run.outputs[shown["ConsistentIDFaceEncoder"]],
            }
            _save(_photograph(server.url, programs, results))
    say(f"{PICTURE.relative_to(paths.ROOT)}: {PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


def _one_face(result: dict[str, Any]) -> dict[str, Any]:
    labels = np.asarray(Image.open(paths.WORKFLOWS / "assets" / "astronaut_labels.png"))
    rows, columns = np.nonzero(np.isin(labels, _FACE_CLASSES))
    sides = zip((columns, rows, columns, rows), (np.min, np.min, np.max, np.max), strict=True)
    box = [float(of(values)) / len(labels) for values, of in sides]
    (photo,) = result["consistentid_faces"]
    return {"consistentid_faces": [{**photo, "faces": [{"box": box, "score": 0.88}], "chosen": 0}]}


def _photograph(url: str, programs: browser.Browser, results: dict[str, Any]) -> bytes:
    """A PNG of the canvas."""
    file = paths.HOST / "readme.png"
    options = {
        "url": url,
        "chromium": programs.chromium,
        "renderer": "classic",
        "screenshots": str(paths.OUTPUT),
    }
    job = {
        **options,
        "workflow": str(paths.WORKFLOWS / f"{SD15.name}.json"),
        "results": results,
        "file": str(file),
    }
    script = Path(__file__).with_suffix(".mjs")
    done = subprocess.run(
        [programs.node, str(script)], input=json.dumps(job), capture_output=True, encoding="utf-8"
    )
    if done.returncode != 0:
        raise CommandError(done.stderr.strip())
    content = file.read_bytes()
    file.unlink()
    return content


def _save(content: bytes) -> None:
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    height = round(picture.height * _WIDTH / picture.width)
    small = picture.resize((_WIDTH, height), Image.Resampling.LANCZOS)
    palette = _colours(np.asarray(small)).quantize(256, kmeans=2)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    small.quantize(palette=palette, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


def _colours(pixels: np.ndarray) -> Image.Image:
    """A picture to choose a palette from: less of the grey that fills the canvas, more of rare colours, as of links."""
    colours = pixels.reshape(-1, 3)
    colourfulness = np.ptp(colours.astype(int), axis=1)
    coloured, grey = colours[colourfulness > 24], colours[colourfulness <= 24]
    _, rare = np.unique(coloured // 24, axis=0, return_index=True)
    chosen = np.concatenate(
        [coloured, grey[:: max(1, 3 * len(grey) // len(coloured))], coloured[rare].repeat(60, axis=0)]
    )
    width = 500
    return Image.fromarray(chosen[: len(chosen) // width * width].reshape(-1, width, 3))


if __name__ == "__main__":
    run_command(main)
