"""The pictures of docs/learning.md: drawn people, where words look, what the small model makes, and the curves."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from consistentid_core.faces.face_parts import find_parts
from consistentid_core.faces.overlay import draw_overlay
from consistentid_core.training.attention import attached
from consistentid_core.training.modules import TrainedModules
from consistentid_core.training.step import with_nobody
from tools import paths

from .experiment import SHUFFLED, TRAINED, Experiment
from .measuring import batch_of, facial_words, with_identity
from .people import draw
from .portraits import People, person_of, view_of
from .sampling import sample

_BACKGROUND, _TEXT, _DIM, _GRID = (250, 250, 252), (30, 32, 38), (110, 116, 128), (222, 225, 232)
_BLUE, _ORANGE, _GREY = (38, 98, 200), (214, 110, 28), (140, 146, 158)
_CELL, _GAP = 112, 8


def write_figures(experiments: Sequence[Experiment]) -> None:
    """Write all of them into docs/images; the curves of all experiments, the rest of the first."""
    first = experiments[0]
    maps = [torch.load(first.folder / f"{name}_maps.pt", weights_only=True) for name in ("before", TRAINED)]
    curves = {
        label: [one.folder / training / "steps.csv" for one in experiments]
        for label, training in (("as it is", TRAINED), ("identities shuffled", SHUFFLED))
    }
    pictures = {
        "learning_people.png": people_picture(first),
        "learning_attention.png": attention_picture(first, *maps),
        "learning_samples.png": sampled_picture(first, first.train(TRAINED)),
        "learning_curves.png": curves_picture(curves),
    }
    for name, picture in pictures.items():
        picture.quantize(192, dither=Image.Dither.NONE).save(
            paths.ROOT / "docs" / "images" / name, optimize=True
        )


def people_picture(experiment: Experiment, count: int = 4) -> Image.Image:
    """Some of the people: two pictures of each, and the second with its parts in colour."""
    rows = [[_drawn(experiment.strangers, who, view) for who in range(count)] for view in (0, 1)]
    rows.append([_drawn(experiment.strangers, who, 1, coloured=True) for who in range(count)])
    return _grid(rows, left=["one picture", "another", "its label map"])


def attention_picture(
    experiment: Experiment, before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], who: int = 0
) -> Image.Image:
    """Where each facial word looks in the picture of one person, before training and after."""
    config = experiment.config(TRAINED)
    words = facial_words(experiment.strangers, who, experiment.world, config)
    plain = _drawn(experiment.strangers, who, 0)
    rows = [[plain, *(_heat(plain, maps[word][who].numpy()) for word in words)] for maps in (before, after)]
    return _grid(rows, left=["before", "after"], top=["", *(f"“{word}”" for word in words)])


def sampled_picture(experiment: Experiment, modules: TrainedModules, count: int = 6) -> Image.Image:
    """People the model never saw: who it is told of, and what it makes; beside it, what it makes of nobody."""
    config, world, people = experiment.config(TRAINED), experiment.world, experiment.strangers
    who = list(range(count))
    shown = batch_of(people, who, 1, world, config)
    first = batch_of(people, [who[0]] * count, 0, world, config)
    batch = with_identity(first, shown)
    nobody = with_nobody(batch, world)
    with attached(world.unet_module, world.layers, modules.adapters) as attention:
        made = sample(batch, nobody, modules, attention, world, guidance=1.5, seed=3)
        without = sample(nobody, nobody, modules, attention, world, guidance=1.0, seed=3)
    given = [_drawn(people, one, 1) for one in who]
    rows = [[*given], [_picture(one) for one in made], [_picture(one) for one in without]]
    return _grid(rows, left=["is told of", "makes", "of nobody"])


def curves_picture(runs: dict[str, Sequence[Path]]) -> Image.Image:
    """The localisation loss over the steps of several runs; runs: steps.csv by the label of their line."""
    width, height, left, bottom, top = 720, 260, 64, 40, 18
    picture = Image.new("RGB", (width, height), _BACKGROUND)
    pen, font = ImageDraw.Draw(picture), _font(15)
    lines = {label: [_column(path) for path in paths] for label, paths in runs.items()}
    last = max(step for several in lines.values() for line in several for step, _ in line)
    values = [value for several in lines.values() for line in several for _, value in line]
    low, high = min(-0.1, *values), max(0.05, *values)

    def place(step: float, value: float) -> tuple[float, float]:
        across = left + (width - left - 16) * step / last
        return across, top + (height - top - bottom) * (high - value) / (high - low)

    for value in np.arange(np.ceil(low * 10) / 10, high, 0.1):
        pen.line([place(0, value), place(last, value)], fill=_GRID)
        pen.text((8, place(0, value)[1] - 9), f"{value:+.1f}", fill=_DIM, font=font)
    for colour, (label, several) in zip((_BLUE, _ORANGE, _GREY), lines.items(), strict=False):
        for line in several:
            pen.line([place(*point) for point in line], fill=colour, width=2)
        anchor = left + 12, height - bottom - 22 * (1 + list(lines).index(label))
        pen.text(anchor, label, fill=colour, font=font)
    pen.text((width - 90, height - 28), f"step {last}", fill=_DIM, font=font)
    pen.text((left, height - 28), "step 1", fill=_DIM, font=font)
    return picture


def _column(path: Path, name: str = "localisation_loss", smooth: int = 5) -> list[tuple[float, float]]:
    """Step and value, each the mean of a few rows."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(int(row["step"]), float(row[name])) for row in csv.DictReader(file)]
    groups = [rows[start : start + smooth] for start in range(0, len(rows), smooth)]
    return [(float(np.mean([s for s, _ in one])), float(np.mean([v for _, v in one]))) for one in groups]


def _drawn(people: People, who: int, which: int, *, coloured: bool = False) -> Image.Image:
    """A picture of a person, drawn larger than it is trained on."""
    number = people.numbers[who]
    person, view = person_of(people.seed, number), view_of(people.seed, number, which)
    picture, labels = draw(person, view, _CELL)
    if coloured:
        picture = draw_overlay(picture, find_parts(labels))
    return Image.fromarray(picture)


def _heat(picture: Image.Image, attention: np.ndarray) -> Image.Image:
    """A picture, dark where a word does not look and bright where it looks most."""
    scaled = (attention / attention.max() * 255).astype(np.uint8)
    mask = Image.fromarray(scaled).resize(picture.size, Image.Resampling.BICUBIC)
    dark = Image.blend(
        picture.convert("L").convert("RGB"), Image.new("RGB", picture.size, (12, 16, 48)), 0.72
    )
    glow = Image.blend(picture, Image.new("RGB", picture.size, (255, 196, 40)), 0.55)
    return Image.composite(glow, dark, mask)


def _picture(pixels: torch.Tensor) -> Image.Image:
    array = (pixels.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return Image.fromarray(array).resize((_CELL, _CELL), Image.Resampling.BICUBIC)


def _grid(
    rows: Sequence[Sequence[Image.Image]], *, left: Sequence[str], top: Sequence[str] = ()
) -> Image.Image:
    font, margin, head = _font(15), 104, 28 if top else _GAP
    width = margin + len(rows[0]) * (_CELL + _GAP)
    picture = Image.new("RGB", (width, head + len(rows) * (_CELL + _GAP)), _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for column, text in enumerate(top):
        x = margin + column * (_CELL + _GAP) + _CELL / 2
        pen.text((x, head / 2), text, fill=_TEXT, font=font, anchor="mm")
    for number, (row, text) in enumerate(zip(rows, left, strict=True)):
        y = head + number * (_CELL + _GAP)
        pen.text((margin - 10, y + _CELL / 2), text, fill=_TEXT, font=font, anchor="rm")
        for column, one in enumerate(row):
            picture.paste(one, (margin + column * (_CELL + _GAP), y))
    return picture


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
