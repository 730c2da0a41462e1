"""Draw which faces were found in a photo and which one was taken."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .face_analysis import Face

_CHOSEN_COLOUR = (64, 220, 120)
_OTHER_COLOUR = (200, 200, 200)
_TEXT_COLOUR = (0, 0, 0)


def draw_faces(
    photo: np.ndarray, faces: Sequence[Face], chosen: int | None, *, longest_side: int = 1024
) -> np.ndarray:
    """The photo with a numbered box around each face; the chosen one is green and shows its key points.

    photo: uint8 RGB (H, W, 3).
    faces: numbered from 0 in the order given.
    longest_side: larger photos are shrunk to this many pixels.
    Returns uint8 RGB of the photo's shape or smaller.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, longest_side / max(height, width))
    picture = Image.fromarray(photo)
    if scale < 1.0:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)

    draw = ImageDraw.Draw(picture)
    line = max(2, round(max(picture.size) / 320))
    font = ImageFont.load_default(size=8 * line)
    # The chosen face last, so that no other box covers it.
    for number in sorted(range(len(faces)), key=lambda number: number == chosen):
        face, colour = faces[number], _CHOSEN_COLOUR if number == chosen else _OTHER_COLOUR
        left, top, right, bottom = (value * scale for value in face.box)
        draw.rectangle((left, top, right, bottom), outline=colour, width=line)
        _draw_tag(draw, (left, top), f"{number}  {face.score:.2f}", colour, font)
        if number == chosen:
            for x, y in face.points * scale:
                draw.ellipse((x - line, y - line, x + line, y + line), fill=colour)
    return np.asarray(picture)


def _draw_tag(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Text on a plate that stands on a corner, moved down where the picture ends."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    margin = (bottom - top) / 3
    width, height = right - left + 2 * margin, bottom - top + 2 * margin
    x, y = max(corner[0], 0.0), max(corner[1] - height, 0.0)
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    draw.text((x + margin - left, y + margin - top), text, fill=_TEXT_COLOUR, font=font)
