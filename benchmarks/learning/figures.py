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

from .experiment import FULL, SHUFFLED, TRAINED, Experiment
from .measuring import batch_of, facial_words, with_identity
from .people import draw
from .portraits import People, person_of, view_of
from .sampling import sample

_BACKGROUND, _TEXT, _DIM, _GRID = (250, 250, 252), (30, 32, 38), (110, 116, 128), (222, 225, 232)
_BLUE, _ORANGE = (38, 98, 200), (214, 110, 28)
_CELL, _GAP = 112, 8


def write_figures(experiments: Sequence[Experiment]) -> None:
    """Write the pictures of the page into docs/images; the evidence of all experiments, the rest of the first."""
    first, folder = experiments[0], paths.ROOT / "docs" / "images"
    maps = [torch.load(first.folder / f"{name}_maps.pt", weights_only=True) for name in ("before", TRAINED)]
    people_picture(first).save(folder / "learning_people.jpg", quality=88)
    attention_picture(first, *maps).save(folder / "learning_attention.jpg", quality=88)
    evidence_picture(experiments).save(folder / "learning_evidence.png", optimize=True)
    if first.recipe is FULL:  # after fewer steps there is nothing to be seen in them yet
        sampled_picture(first, first.train(TRAINED)).save(folder / "learning_samples.jpg", quality=88)


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


def evidence_picture(experiments: Sequence[Experiment]) -> Image.Image:
    """Left the localisation loss over the steps, right what the right identity is worth to each held-out person."""
    panels = [_localisation_panel(experiments), _identity_panel(experiments)]
    picture = Image.new("RGB", (sum(one.width for one in panels), panels[0].height), _BACKGROUND)
    for number, panel in enumerate(panels):
        picture.paste(panel, (number * panels[0].width, 0))
    return picture


def _localisation_panel(experiments: Sequence[Experiment]) -> Image.Image:
    lines = [_column(one.folder / TRAINED / "steps.csv") for one in experiments]
    values = [value for line in lines for _, value in line]
    last, low, high = experiments[0].recipe.steps, min(-0.1, *values), max(0.05, *values)
    panel = _Panel("localisation loss while training", low, high, step=0.1)
    for line in lines:
        panel.pen.line([panel.place(step / last, value) for step, value in line], fill=_BLUE, width=2)
    panel.below("step 1", f"step {last}")
    return panel.picture


def _identity_panel(experiments: Sequence[Experiment]) -> Image.Image:
    """A dot for each person of each seed; a bar for the mean with three standard errors to either side."""
    found = {name: _worth(experiments, name) for name in (TRAINED, SHUFFLED)}
    reach = max(np.abs(np.quantile(values, (0.01, 0.99))).max() for values in found.values()) * 1.15
    panel = _Panel(
        "loss with a wrong identity, less that with the right one", -reach, reach, step=_round(reach / 2)
    )
    generator = np.random.default_rng(0)
    for number, (values, colour) in enumerate(zip(found.values(), (_BLUE, _ORANGE), strict=True)):
        middle = 0.27 + 0.46 * number
        for value in values.clip(-reach, reach):
            x, y = panel.place(middle + generator.uniform(-0.12, 0.12), float(value))
            panel.pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=tuple(c + (255 - c) // 2 for c in colour))
        mean, error = float(values.mean()), 3 * float(values.std(ddof=1)) / len(values) ** 0.5
        box = *panel.place(middle - 0.16, mean + error), *panel.place(middle + 0.16, mean - error)
        panel.pen.rectangle(box, outline=colour, width=3)
    panel.below("trained", "identities shuffled", (_BLUE, _ORANGE), (0.27, 0.73))
    return panel.picture


def _worth(experiments: Sequence[Experiment], training: str) -> np.ndarray:
    losses = [one.kept(training)["losses"] for one in experiments]
    return np.concatenate([np.subtract(one["wrong"], one["right"]) for one in losses])


class _Panel:
    """Axes, title and grid of a chart."""

    def __init__(self, title: str, low: float, high: float, *, step: float):
        self._low, self._high = low, high
        self.picture = Image.new("RGB", (412, 300), _BACKGROUND)
        self.pen = ImageDraw.Draw(self.picture)
        self.pen.text((14, 10), title, fill=_TEXT, font=_font(14))
        digits = max(1, -int(np.floor(np.log10(step))))
        for number in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1):
            self.pen.line([self.place(0, number * step), self.place(1, number * step)], fill=_GRID)
            place = 14, self.place(0, number * step)[1]
            self.pen.text(place, f"{number * step:+.{digits}f}", fill=_DIM, font=_font(13), anchor="lm")

    def place(self, across: float, value: float) -> tuple[float, float]:
        """Where a value lies; across: 0 left to 1 right."""
        return 72 + 322 * across, 40 + 222 * (self._high - value) / (self._high - self._low)

    def below(
        self,
        left: str,
        right: str,
        colours: Sequence[tuple] = (_DIM, _DIM),
        at: Sequence[float] = (0.06, 0.92),
    ) -> None:
        """Two words under the chart."""
        for text, colour, across in zip((left, right), colours, at, strict=True):
            self.pen.text((self.place(across, 0)[0], 282), text, fill=colour, font=_font(14), anchor="mm")


def _round(value: float) -> float:
    """The next smaller number with a single digit."""
    scale = 10.0 ** np.floor(np.log10(value))
    return float(np.floor(value / scale) * scale)


def _column(path: Path, name: str = "localisation_loss", smooth: int = 6) -> list[tuple[float, float]]:
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
