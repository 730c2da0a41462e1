"""Corrections of facial parts with a brush: strokes on a photo, and the small file they are kept in.

The file holds strokes and not pixels: that is a few kilobytes where masks are hundreds, fits label maps of every
size, and can be taken back stroke by stroke after it was closed. It is JSON in UTF-8::

    {"format": "consistentid_brush", "version": 1, "photos": {<photo id>: {"width": 512, "height": 512, "strokes": [
        {"region": "nose", "adds": true, "radius": 0.02, "points": [0.5, 0.5, 0.51, 0.5]}]}}}

``radius`` is a share of the photo's longer side; ``points`` are x and y in turn, shares of its width and height.
A file can hold strokes of several photos, each found by the photo's own pixels (:func:`photo_id`).
"""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..errors import BrushError
from ..files.quoting import quoted
from ..regions import REGION_NAMES, region_named
from .face_parts import FacePart, FacePhoto, replace_parts

FORMAT = "consistentid_brush"
VERSION = 1

#: A busy correction of a face takes some 20 kB. What is beyond these bounds was not painted by hand.
MAX_BYTES = 1_000_000
MAX_PHOTOS = 64
MAX_STROKES = 2_000
MAX_POINTS = 20_000
MAX_RADIUS = 0.15

#: How far outside the photo a stroke may go, as a share of the photo: a brush slips over the edge.
_BEYOND = 0.5
#: The side of a mask made for a part that was not found, if no other mask of the photo says one: the parser's.
_MASK_SIDE = 512
#: Strokes are drawn round, with this many pixels on the photo's longer side, before they are stretched over a mask.
_CANVAS_SIDE = 1280
_UNTOUCHED, _ADDED, _ERASED = 0, 1, 2


@dataclass(frozen=True)
class Stroke:
    """One line of the brush.

    region: name of the :class:`~..regions.Region` whose mask it changes.  adds: it erases otherwise.
    radius: of the brush, a share of the photo's longer side.
    points: (x, y) each, shares of the photo's width and height; one point is a dab.
    """

    region: str
    adds: bool
    radius: float
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Correction:
    """What was painted on one photo.

    width, height: of the photo, in pixels.  strokes: in the order in which they were made.
    """

    width: int
    height: int
    strokes: tuple[Stroke, ...]


def photo_id(image: np.ndarray) -> str:
    """Names a photo by its size and pixels, 32 hexadecimal digits.  image: uint8 RGB (H, W, 3)."""
    digest = blake2b(repr(image.shape).encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.hexdigest()


def read_corrections(data: bytes) -> dict[str, Correction]:
    """The corrections in a file, by the ids of their photos.

    Raises BrushError, saying what is wrong, for anything but a whole file of this format and version within the bounds
    above; the message goes on behind the file's name.
    """
    if len(data) > MAX_BYTES:
        raise BrushError(f"is larger than {MAX_BYTES:,} bytes, so it was not painted by hand")
    try:
        # Neither NaN nor Infinity, which JSON does not have; numbers of any length, which Python would choke on.
        content = json.loads(data, parse_constant=_refuse, parse_int=_whole)
    except (ValueError, RecursionError):
        raise BrushError("is damaged, cut short or something else than a file of brush strokes") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BrushError("is no file of brush strokes")
    if content.get("version") != VERSION:
        found = quoted(content.get("version"))
        raise BrushError(f"has version {found} of the file format; this pack reads version {VERSION}")
    try:
        corrections = {str(key): _correction(value) for key, value in dict(content["photos"]).items()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise BrushError(f"does not hold what a file of brush strokes does: {quoted(error, 200)}") from None
    strokes = [stroke for correction in corrections.values() for stroke in correction.strokes]
    for what, count, most in (
        ("photos", len(corrections), MAX_PHOTOS),
        ("strokes", len(strokes), MAX_STROKES),
        ("points", sum(len(stroke.points) for stroke in strokes), MAX_POINTS),
    ):
        if count > most:
            raise BrushError(f"holds {count:,} {what}, more than the {most:,} that are drawn")
    return corrections


def to_bytes(corrections: Mapping[str, Correction]) -> bytes:
    """The contents of a file, as :func:`read_corrections` reads it."""
    photos = {
        key: {
            "width": correction.width,
            "height": correction.height,
            "strokes": [
                {
                    "region": stroke.region,
                    "adds": stroke.adds,
                    "radius": stroke.radius,
                    "points": [value for point in stroke.points for value in point],
                }
                for stroke in correction.strokes
            ],
        }
        for key, correction in corrections.items()
    }
    content = {"format": FORMAT, "version": VERSION, "photos": photos}
    return json.dumps(content, separators=(",", ":")).encode()


def correct_photo(photo: FacePhoto, strokes: Sequence[Stroke]) -> FacePhoto:
    """The photo with the strokes laid over its parts; the very photo if there are none."""
    if not strokes:
        return photo
    return FacePhoto(photo.image, correct_parts(photo.parts, strokes, photo.image.shape[:2]), photo.label_map)


def correct_parts(
    parts: Collection[FacePart], strokes: Sequence[Stroke], size: tuple[int, int]
) -> tuple[FacePart, ...]:
    """Facial parts with strokes laid over their masks, in crop order.

    strokes: the later ones over the earlier.  size: height and width of the photo.
    Parts without a stroke are the very same. A part that was not found begins with an empty mask; one of which
    nothing is left is not found. Where no stroke goes, a mask stays as it is; holes are not closed, since an
    eraser may have made them.
    """
    before = {part.region: part for part in parts}
    first = next(iter(before.values()), None)
    shape = first.mask.shape if first else (_MASK_SIDE, _MASK_SIDE)
    after: dict[str, FacePart] = dict(before)
    for region in REGION_NAMES:
        own = [stroke for stroke in strokes if stroke.region == region]
        if not own:
            continue
        part = before.get(region) or FacePart(region_named(region).united, region, np.zeros(shape, np.uint8))
        mask = brushed(part.mask, own, size)
        if mask.any():
            after[region] = FacePart(part.name, region, mask)
        else:
            after.pop(region, None)
    return replace_parts((), tuple(after.values()))


def brushed(mask: np.ndarray, strokes: Sequence[Stroke], size: tuple[int, int]) -> np.ndarray:
    """A mask with strokes laid over it, uint8 (h, w), 0 or 255 where they go.

    mask: uint8 (h, w), stretched over a photo.  size: height and width of that photo, which a brush is round on.
    """
    height, width = size
    scale = _CANVAS_SIDE / max(height, width)
    across, down = (max(1, round(side * scale)) for side in (width, height))
    canvas = Image.new("L", (across, down), _UNTOUCHED)
    draw = ImageDraw.Draw(canvas)
    for stroke in strokes:
        _draw(draw, stroke, across, down)
    touched = np.asarray(canvas.resize(mask.shape[::-1], Image.Resampling.NEAREST))
    return np.select([touched == _ADDED, touched == _ERASED], [np.uint8(255), np.uint8(0)], mask)


def _draw(draw: ImageDraw.ImageDraw, stroke: Stroke, across: int, down: int) -> None:
    """A line with round ends and corners."""
    value = _ADDED if stroke.adds else _ERASED
    radius = max(0.5, stroke.radius * max(across, down))
    # A pixel's middle lies half a pixel behind its number.
    points = [(x * across - 0.5, y * down - 0.5) for x, y in stroke.points]
    for (x, y), (next_x, next_y) in zip(points, points[1:], strict=False):
        length = math.hypot(next_x - x, next_y - y)
        if length > 0:
            # Across the line, half a width to each side.
            aside_x, aside_y = (y - next_y) / length * radius, (next_x - x) / length * radius
            draw.polygon(
                [
                    (x + aside_x, y + aside_y),
                    (next_x + aside_x, next_y + aside_y),
                    (next_x - aside_x, next_y - aside_y),
                    (x - aside_x, y - aside_y),
                ],
                fill=value,
            )
    for x, y in points:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value)


def _correction(value: Any) -> Correction:
    width, height = value["width"], value["height"]
    if not (type(width) is type(height) is int and min(width, height) > 0):
        raise ValueError(f"'{quoted(width)}' and '{quoted(height)}' are no size of a photo")
    return Correction(width, height, tuple(_stroke(stroke) for stroke in value["strokes"]))


def _stroke(value: Any) -> Stroke:
    region = value["region"]
    if region not in REGION_NAMES:
        raise ValueError(f"'{quoted(region)}' is no part of the face")
    if type(value["adds"]) is not bool:
        raise ValueError(f"'{quoted(value['adds'])}' says neither to add nor to erase")
    numbers = [_number(number, -_BEYOND, 1 + _BEYOND) for number in value["points"]]
    if not numbers or len(numbers) % 2:
        raise ValueError(f"a stroke has {len(numbers)} numbers as points")
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return Stroke(region, value["adds"], _number(value["radius"], 0.0, MAX_RADIUS), points)


def _number(value: Any, low: float, high: float) -> float:
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"'{quoted(value)}' is no number from {low:g} to {high:g}")
    return float(value)


def _whole(text: str) -> int:
    if len(text) > 18:
        raise ValueError(f"a number has {len(text)} digits")
    return int(text)


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is not part of JSON")
