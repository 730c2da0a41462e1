"""A sweep of two settings as one picture: columns and rows with their values, each cell with its score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_BACKGROUND = (24, 25, 28)
_TEXT = (236, 236, 236)
_QUIET = (172, 174, 180)
_BEST = (64, 220, 120)
_BEST_TEXT = (0, 0, 0)
_PLATE = (0, 0, 0)

#: Values of one axis that a sweep may have; their product is how many pictures are made.
MOST_VALUES = 12
#: Values are larger than minus this and smaller than this.
FARTHEST = 1e6


@dataclass(frozen=True)
class Axis:
    """A setting and the value of it that each picture was made with."""

    name: str
    values: tuple[float, ...]

    @property
    def steps(self) -> tuple[float, ...]:
        """The different values, in the order in which they come."""
        return tuple(dict.fromkeys(self.values))


def read_values(text: str, name: str) -> tuple[float, ...]:
    """The numbers of a text such as ``0.3, 0.5, 0.7``; raises ValueError, naming the input, for anything else."""
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        values = tuple(map(float, words))
    except ValueError:
        values = ()
    if (
        not 1 <= len(values) <= MOST_VALUES
        or not all(abs(value) <= FARTHEST for value in values)
        or len(set(values)) < len(values)
    ):
        raise ValueError(
            f"'{text}' cannot be the values of {name}. Expected are 1 to {MOST_VALUES} different numbers with commas "
            "between them, such as 0.3, 0.5, 0.7."
        )
    return values


def cross(across: Sequence[float], down: Sequence[float]) -> tuple[list[float], list[float]]:
    """Every pair of two lists of values, row by row."""
    return [value for _ in down for value in across], [value for value in down for _ in across]


def draw_sheet(
    pictures: Sequence[np.ndarray],
    across: Axis,
    down: Axis,
    scores: Sequence[float] | None = None,
    side: int = 256,
) -> np.ndarray:
    """The pictures as a grid; the best score's cell is green.

    pictures: uint8 RGB (H, W, 3), of any size each.  across, down: as many values as pictures.
    scores: one for each picture, or as many as there were pictures in each cell's batch: their mean is shown.
    side: the longer side of a cell, in pixels.  Returns uint8 RGB (H, W, 3).
    Raises ValueError if the numbers do not fit, or two pictures have one cell.
    """
    places = _places(len(pictures), across, down)
    means = _cell_scores(scores, len(pictures))
    width, height = _cell_size(pictures, side)
    font, small = (
        ImageFont.load_default(size=max(12, side // 15)),
        ImageFont.load_default(size=max(10, side // 18)),
    )
    gap = max(2, side // 64)
    left, top = _heading_sizes(down, font, small, gap)
    columns, rows = len(across.steps), len(down.steps)
    sheet = Image.new(
        "RGB", (left + columns * (width + gap) + gap, top + rows * (height + gap) + gap), _BACKGROUND
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((left + gap, gap), across.name, fill=_QUIET, font=small)
    draw.text((gap, top - gap), down.name, fill=_QUIET, font=small, anchor="ls")
    for column, value in enumerate(across.steps):
        centre = left + gap + column * (width + gap) + width // 2
        draw.text((centre, top - gap), f"{value:g}", fill=_TEXT, font=font, anchor="ms")
    for row, value in enumerate(down.steps):
        centre = top + gap + row * (height + gap) + height // 2
        draw.text((left - gap, centre), f"{value:g}", fill=_TEXT, font=font, anchor="rm")
    best = None if means is None else max(range(len(means)), key=lambda number: means[number])
    for number, (picture, (column, row)) in enumerate(zip(pictures, places, strict=True)):
        x, y = left + gap + column * (width + gap), top + gap + row * (height + gap)
        fitted = Image.fromarray(picture)
        fitted = fitted.resize(_fit(fitted.size, (width, height)), Image.Resampling.LANCZOS)
        sheet.paste(fitted, (x + (width - fitted.width) // 2, y + (height - fitted.height) // 2))
        if means is not None:
            _draw_score(draw, (x, y + height), means[number], font, is_best=number == best)
        if number == best:
            draw.rectangle((x, y, x + width - 1, y + height - 1), outline=_BEST, width=gap)
    return np.asarray(sheet)


def _places(pictures: int, across: Axis, down: Axis) -> list[tuple[int, int]]:
    """The column and row of each picture."""
    if not pictures or len(across.values) != pictures or len(down.values) != pictures:
        raise ValueError(
            f"{pictures} pictures came with {len(across.values)} values of {across.name} and {len(down.values)} of "
            f"{down.name}; each picture needs one of both. Connect both values of the Sweep that the pictures are made "
            "with."
        )
    places = [
        (across.steps.index(x), down.steps.index(y)) for x, y in zip(across.values, down.values, strict=True)
    ]
    if len(set(places)) < pictures:
        raise ValueError(
            f"Two of {pictures} pictures have the same {across.name} and {down.name}, so they would lie on each other. "
            "Connect both values of one Sweep."
        )
    return places


def _cell_scores(scores: Sequence[float] | None, cells: int) -> list[float] | None:
    if scores is None:
        return None
    if not len(scores) or len(scores) % cells:
        raise ValueError(
            f"{len(scores)} scores came with {cells} pictures; each needs one. Connect the scores of the same pictures."
        )
    return [float(mean) for mean in np.asarray(scores, np.float64).reshape(cells, -1).mean(axis=1)]


def _cell_size(pictures: Sequence[np.ndarray], side: int) -> tuple[int, int]:
    """A cell that holds the largest picture, its longer side being ``side``."""
    width = max(picture.shape[1] for picture in pictures)
    height = max(picture.shape[0] for picture in pictures)
    return _fit((width, height), (side, side))


def _fit(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    factor = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _heading_sizes(
    down: Axis,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    small: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    gap: int,
) -> tuple[int, int]:
    """How much room the values take left of the cells and above them."""
    left = max(small.getbbox(down.name)[2], *(font.getbbox(f"{value:g}")[2] for value in down.steps))
    return round(left) + 3 * gap, round(font.getbbox("0")[3] + small.getbbox("0")[3]) + 4 * gap


def _draw_score(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    score: float,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    *,
    is_best: bool,
) -> None:
    """The score on a plate in the lower left corner of a cell."""
    left, top, right, bottom = draw.textbbox((0, 0), f"{score:.2f}", font=font)
    margin = (bottom - top) // 2
    width, height = right - left + 2 * margin, bottom - top + 2 * margin
    x, y = corner[0], corner[1] - height
    draw.rectangle((x, y, x + width, y + height - 1), fill=_BEST if is_best else _PLATE)
    text = _BEST_TEXT if is_best else _TEXT
    draw.text((x + margin - left, y + margin - top), f"{score:.2f}", fill=text, font=font)
