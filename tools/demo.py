"""Make a portrait with a real ComfyUI server and put what it made into output/.

    python tools/demo.py
    python tools/demo.py --size 512x768 --steps 30        slower, the size the original uses
    python tools/demo.py --photo me.jpg                   with the face parser's weights installed
    python tools/demo.py --sdxl                           the SDXL workflow instead of the SD1.5 one
    python tools/demo.py --evaluate                       2 people × 3 prompts drawn, scored and reported
    python tools/demo.py --train                          a set is built and trained on, and the file used

Needs nothing but Python 3.10 or newer; the first run installs about 6 GB into .venv and .host.
Model files that are not there are replaced by stand-ins: the portrait is then noise, and labelled so.
CONSISTENTID_MODELS names a models folder to use, COMFYUI_PATH a ComfyUI with its own environment.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import json
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.console import CommandError, run_command
from tools.environment import prepare

_SIZE_STEP = 64  # keeps every level of the UNet a whole number


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="256x256", help="width x height in pixels (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=8, help="sampling steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2024, help="(default: %(default)s)")
    parser.add_argument("--photo", type=Path, help="a picture of the person (default: a NASA portrait)")
    parser.add_argument("--label-map", type=Path, help="its facial parts, in the face parser's 19 classes")
    parser.add_argument("--sdxl", action="store_true", help="make the portrait with SDXL")
    parser.add_argument("--gpu", action="store_true", help="let ComfyUI use the graphics card")
    parser.add_argument("--evaluate", action="store_true", help="plan, draw, score and report a few pictures")
    parser.add_argument("--train", action="store_true", help="train a few steps on stand-ins, use the file")
    options = parser.parse_args()
    if options.train:
        return prepare().run(["-m", "tools.train_demo"])
    if options.evaluate:
        job = {"size": _size(options.size), "steps": options.steps, "seed": options.seed, "gpu": options.gpu}
        return prepare().run(["-m", "tools.evaluation_demo", json.dumps(job)])

    job = {
        "size": _size(options.size),
        "steps": options.steps,
        "seed": options.seed,
        "photo": _file("--photo", options.photo),
        "label_map": _file("--label-map", options.label_map),
        "sdxl": options.sdxl,
        "gpu": options.gpu,
    }
    # From here on aiohttp and torch are needed: the rest runs in the environment's Python.
    return prepare().run(["-m", "tools.portrait", json.dumps(job)])


def _file(option: str, path: Path | None) -> str | None:
    if path is None:
        return None
    if not path.is_file():
        raise CommandError(f"{option} {path} is not a file.")
    return str(path.resolve())


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise CommandError(f"--size {text} is not of the form 512x768.") from None
    if min(width, height) < _SIZE_STEP or width % _SIZE_STEP or height % _SIZE_STEP:
        raise CommandError(f"--size {text}: both sides must be multiples of {_SIZE_STEP}.")
    return width, height


if __name__ == "__main__":
    run_command(main)
