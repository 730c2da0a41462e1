"""Photograph the report of an evaluation for docs/evaluation.md.

    .venv/bin/python -m tools.pictures.evaluation_picture

No released model can be had here, so edited photos in the public domain stand in for drawn pictures, and the page
says so. Two real recognisers and a real detector judge them (tools/real_faces.py); the other networks are stand-ins.
"""

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from consistentid_core.evaluation.recognisers import FaceDetector

from .. import browser, judges, paths, real_faces
from ..console import CommandError, run_command, say
from ..standins import bisenet

PICTURE = paths.ROOT / "docs" / "images" / "evaluation.jpg"

_PHOTOS = paths.ROOT / "docs" / "training_example" / "photos"
_WINDOW = (1180, 3150)
#: The window is photographed at this part of its size.
_SCALE = 0.8
_PARSER_SEED = 2  # of the random parser's weights; with these it finds parts of a face in almost any picture


def _pixels(photo: Image.Image) -> Image.Image:
    return photo.resize((photo.width // 9, photo.height // 9)).resize(photo.size, Image.Resampling.NEAREST)


def _noisy(photo: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 45, (photo.height, photo.width, 3))
    return Image.fromarray((np.asarray(photo) + noise).clip(0, 255).astype(np.uint8))


#: Kind of prompt -> prompt -> what is done to the photo.
_EDITS: dict[str, dict[str, Callable[[Image.Image], Image.Image]]] = {
    "style": {
        "in black and white": lambda photo: ImageOps.autocontrast(photo.convert("L")).convert("RGB"),
        "as an oil painting": lambda photo: photo.filter(ImageFilter.ModeFilter(9)),
        "as a poster in few colours": lambda photo: ImageOps.posterize(photo, 2),
        "in large pixels": _pixels,
    },
    "light": {
        "at night": lambda photo: ImageEnhance.Brightness(photo).enhance(0.35),
        "in glaring light": lambda photo: ImageEnhance.Brightness(photo).enhance(1.7),
        "in old colours": lambda photo: ImageOps.colorize(photo.convert("L"), "#2b1a0c", "#ffe9c7"),
    },
    "camera": {
        "out of focus": lambda photo: photo.filter(ImageFilter.GaussianBlur(7)),
        "in a mirror": ImageOps.mirror,
        "on grainy film": _noisy,
        "from the side": lambda photo: photo.rotate(24, Image.Resampling.BICUBIC, fillcolor=(120, 130, 150)),
    },
}


def main() -> int:
    programs = browser.prepare()
    faces = real_faces.prepare(Path(sys.executable))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "edited photos in place of drawn pictures"
        folder.mkdir()
        _write_pictures(folder)
        page = _evaluate(folder, faces, Path(name) / "stand-in")
        _photograph(programs.chromium, page, Path(name) / "page.png")
    say(f"Written: {PICTURE} ({PICTURE.stat().st_size / 1000:.0f} kB)")
    return 0


def _write_pictures(folder: Path) -> None:
    """Every edit of two people; one picture of the wrong person and one of nobody, as models make them too."""
    people = {"Eileen Collins": "eileen_collins", "Grace Hopper": "grace_hopper"}
    photos = {
        person: Image.open(_PHOTOS / f"{stem}.jpg").convert("RGB").resize((512, 640))
        for person, stem in people.items()
    }
    rows = []
    for person, stem in people.items():
        references = {"reference": f"{stem}.png", "person": person}
        photos[person].save(folder / references["reference"])
        others = str(_PHOTOS / "eileen_collins_close.jpg") if stem == "eileen_collins" else ""
        for category, edits in _EDITS.items():
            for number, (prompt, edit) in enumerate(edits.items()):
                picture = f"{stem}_{category}_{number}.png"
                edit(photos[person]).save(folder / picture)
                entry = {"picture": picture, "prompt": f"a woman {prompt}", "category": category}
                rows.append(references | entry | {"others": others})
    wrong, nobody = rows[3], rows[-1]
    ImageEnhance.Color(photos["Grace Hopper"]).enhance(0.2).save(folder / wrong["picture"])
    Image.radial_gradient("L").resize((512, 640)).convert("RGB").save(folder / nobody["picture"])
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _evaluate(folder: Path, faces: Path, standins: Path) -> Path:
    """Score and report; returns the page."""
    from consistentid_core.evaluation.feature_store import FeatureStore
    from consistentid_core.evaluation.networks import Files, load_networks
    from consistentid_core.evaluation.pictures import collect
    from consistentid_core.evaluation.report import write_report
    from consistentid_core.evaluation.score import score

    standins.mkdir()
    comfyui = Path(os.environ.get("COMFYUI_PATH") or paths.COMFYUI)
    parser = standins / "face_parsing.safetensors"
    bisenet.write(parser, seed=_PARSER_SEED)
    networks = load_networks(
        Files(
            recognisers=(faces / "sface.onnx", faces / "fr_feature.onnx"),
            face_parser=parser,
            dino=judges.write_dino(standins),
            clips=(judges.write_clip(standins, comfyui / "comfy" / "sd1_tokenizer"),),
            lpips=judges.write_alexnet(standins),
        )
    )
    networks.detect, networks.detector_sha256 = _detector(), "yunet"
    result = score(collect(folder), networks, FeatureStore(None))
    return write_report(folder, result)


def _detector() -> FaceDetector:
    """The one of the tests with real faces."""
    sys.path.append(str(paths.ROOT / "tests" / "support"))
    from real_faces import detect

    return detect


def _photograph(chromium: str, page: Path, unscaled: Path) -> None:
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = ",".join(map(str, _WINDOW))
    command += [f"--window-size={size}", f"--screenshot={unscaled}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or not unscaled.is_file():
        raise CommandError(f"{chromium} took no picture: {done.stderr[-300:]}")
    with Image.open(unscaled) as photo:
        small = photo.convert("RGB").resize(
            [round(side * _SCALE) for side in photo.size], Image.Resampling.LANCZOS
        )
    small.save(PICTURE, quality=80, optimize=True)


if __name__ == "__main__":
    run_command(main)
