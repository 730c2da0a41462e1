"""Draw the pack's icon and banner for the node registry, into docs/images.

    .venv/bin/python -m tools.pictures.pack_pictures

One face in the colours of its parts; on the banner it keeps its features in three other pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from consistentid_core.regions import REGIONS

from .. import paths
from ..console import run_command, say

FOLDER = paths.ROOT / "docs" / "images"
#: The registry takes squares of at most 400 pixels, and 21:9.
ICON, BANNER = 400, (1260, 540)

_FINER = 3  # drawn so many times larger, which smooths every edge
_PER_CURVE = 24

Colour = tuple[int, int, int]
Point = tuple[float, float]

PARTS: dict[str, Colour] = {region.name: region.colour for region in REGIONS}
NIGHT, DUSK = (13, 15, 30), (38, 40, 84)
_TOKEN = ((200, 205, 255), (122, 130, 250))
WHITE, DIM = (240, 242, 250), (158, 164, 196)


@dataclass(frozen=True)
class Style:
    """The colours of one portrait; a pair is a gradient from the upper left to the lower right."""

    ground: tuple[Colour, Colour]
    glow: Colour
    hair: tuple[Colour, Colour]
    face: tuple[Colour, Colour]
    eyes: Colour
    pupils: Colour
    ears: Colour
    nose: Colour
    mouth: Colour
    clothes: tuple[Colour, Colour]


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    _save(icon(), FOLDER / "icon.png")
    _save(banner(), FOLDER / "banner.jpg")
    return 0


def icon() -> Image.Image:
    """The face in the colours of its parts, on a rounded square."""
    sheet = Sheet((ICON, ICON))
    portrait(sheet, (0, 0, ICON, ICON), OWN, corner=84)
    return sheet.finished()


def banner() -> Image.Image:
    """The name; one photo's face, the words and tokens it becomes, and three pictures of the same person."""
    width, height = BANNER
    sheet = Sheet(BANNER)
    sheet.fill(_box((0, 0, width, height)), (DUSK, NIGHT))
    sheet.glow((300, 250), 330, (74, 78, 190), 0.5)
    sheet.glow((1010, 300), 380, (120, 60, 120), 0.28)

    sheet.text((64, 92), "ConsistentID", 74, WHITE, bold=True)
    sheet.text((68, 152), "portraits of one person, for ComfyUI", 27, DIM)

    left, top, side = 64, 206, 270
    portrait(sheet, (left, top, left + side, top + side), OWN, corner=44)
    words, tokens, pictures = 432, 572, 676
    for row, region in enumerate(REGIONS):
        y = top + 27 + 54 * row
        sheet.curve((words + 96, y), (pictures, 330), region.colour, fade=True)
    for number in range(4):
        y = top + 50 + 56 * number
        sheet.curve((tokens + 30, y), (pictures, 330), _TOKEN[1], fade=True)
        sheet.fill(_rounded((tokens, y - 15, tokens + 30, y + 15), 9), _TOKEN)
    for row, region in enumerate(REGIONS):
        y = top + 27 + 54 * row
        sheet.curve(_on_face(left, top, side, _ANCHORS[region.name]), (words - 14, y), region.colour)
        sheet.fill(_rounded((words - 12, y - 19, words + 96, y + 19), 19), (region.colour, region.colour))
        sheet.text((words + 42, y), region.name, 22, NIGHT, anchor="mm")
    below = top + side + 28
    for x, caption in ((left + side / 2, "one photo"), (words + 42, "words"), (tokens + 15, "ID tokens")):
        sheet.text((x, below), caption, 19, DIM, anchor="mm")

    boxes = [
        (pictures + 164 * place, y, pictures + 164 * place + 206, y + 240)
        for place, y in enumerate((208, 136, 64))
    ]
    for box, style in zip(boxes, (SKETCH, NEON, GOLD), strict=True):
        sheet.shadow(box, 34)
        portrait(sheet, box, style, corner=34)
    return sheet.finished()


OWN = Style(
    ground=((66, 66, 150), (24, 25, 58)),
    glow=(128, 120, 255),
    hair=((44, 40, 88), (20, 19, 46)),
    face=((150, 160, 255), PARTS["face"]),
    eyes=PARTS["eyes"],
    pupils=(24, 24, 52),
    ears=PARTS["ears"],
    nose=PARTS["nose"],
    mouth=PARTS["mouth"],
    clothes=((98, 84, 196), (58, 48, 130)),
)
SKETCH = Style(
    ground=((250, 245, 234), (226, 214, 194)),
    glow=(255, 255, 255),
    hair=((92, 84, 78), (50, 46, 44)),
    face=((255, 250, 240), (222, 208, 190)),
    eyes=(255, 255, 255),
    pupils=(50, 46, 44),
    ears=(228, 214, 196),
    nose=(196, 178, 158),
    mouth=(150, 118, 106),
    clothes=((128, 118, 110), (84, 78, 74)),
)
NEON = Style(
    ground=((64, 16, 92), (10, 18, 56)),
    glow=(255, 60, 170),
    hair=((26, 14, 60), (12, 8, 34)),
    face=((255, 138, 190), (104, 70, 214)),
    eyes=(190, 255, 250),
    pupils=(16, 20, 60),
    ears=(222, 96, 186),
    nose=(255, 176, 150),
    mouth=(255, 52, 120),
    clothes=((30, 190, 210), (26, 70, 150)),
)
GOLD = Style(
    ground=((240, 178, 92), (146, 62, 48)),
    glow=(255, 226, 150),
    hair=((92, 46, 30), (48, 22, 18)),
    face=((255, 214, 168), (206, 132, 92)),
    eyes=(255, 250, 238),
    pupils=(70, 40, 28),
    ears=(222, 150, 108),
    nose=(190, 112, 78),
    mouth=(178, 60, 58),
    clothes=((34, 84, 96), (18, 46, 62)),
)

# --- the face: outlines in a square from 0 to 100, as cubic curves ----------------------------------------

_SHOULDERS = [
    ((-6, 104), (2, 84), (24, 82), (40, 77)),
    ((40, 77), (41, 71), (59, 71), (60, 77)),
    ((60, 77), (76, 82), (98, 84), (106, 104)),
]
_NECK = [
    ((41, 62), (42, 70), (42, 74), (38, 79)),
    ((38, 79), (44, 88), (56, 88), (62, 79)),
    ((62, 79), (58, 74), (58, 70), (59, 62)),
]
_HAIR = [
    ((24, 58), (14, 30), (24, 9), (47, 9)),
    ((47, 9), (56, 6), (72, 11), (75, 24)),
    ((75, 24), (81, 34), (80, 46), (76, 58)),
    ((76, 58), (60, 66), (40, 66), (24, 58)),
]
_FACE = [
    ((27.5, 38), (28, 18), (72, 18), (72.5, 38)),
    ((72.5, 38), (73.5, 56), (66, 72), (50, 74)),
    ((50, 74), (34, 72), (26.5, 56), (27.5, 38)),
]
_FRINGE = [
    ((26.5, 42), (22, 20), (36, 11), (52, 13)),
    ((52, 13), (68, 12), (78, 22), (73.5, 42)),
    ((73.5, 42), (73, 36), (70.5, 30), (64, 25)),
    ((64, 25), (54, 31), (40, 31), (33, 26)),
    ((33, 26), (28.5, 30), (27, 36), (26.5, 42)),
]
_EAR = [((27.2, 41), (20.5, 37), (20.5, 47), (24, 52)), ((24, 52), (26, 54.5), (28.5, 53), (28.8, 50))]
_EYE = [((33, 43.6), (35.5, 38.8), (42.5, 38.6), (45, 44)), ((45, 44), (42, 47.2), (36, 47), (33, 43.6))]
_BROW = [
    ((31.5, 37.2), (35, 33.2), (41.5, 33), (45.8, 35.8)),
    ((45.8, 35.8), (41.5, 35), (35.5, 35.4), (31.5, 37.2)),
]
_NOSE = [
    ((48.6, 42), (48.2, 49), (44.2, 53), (44.6, 55.6)),
    ((44.6, 55.6), (46, 58.4), (54, 58.4), (55.4, 55.6)),
    ((55.4, 55.6), (55.8, 53), (51.8, 49), (51.4, 42)),
    ((51.4, 42), (50.6, 41), (49.4, 41), (48.6, 42)),
]
_LID = [
    ((31.9, 43.2), (35, 37.9), (42.6, 37.6), (45.6, 43.8)),
    ((45.6, 43.8), (42.3, 39.2), (36, 39.6), (31.9, 43.2)),
]
_UPPER_LIP = [
    ((40, 62.6), (44, 62.4), (46.5, 61.2), (48, 61.2)),
    ((48, 61.2), (49.2, 61.8), (50.8, 61.8), (52, 61.2)),
    ((52, 61.2), (53.5, 61.2), (56, 62.4), (60, 62.6)),
    ((60, 62.6), (55, 65.6), (45, 65.6), (40, 62.6)),
]
_LOWER_LIP = [
    ((40, 62.6), (45, 65.2), (55, 65.2), (60, 62.6)),
    ((60, 62.6), (56.5, 70.6), (43.5, 70.6), (40, 62.6)),
]

#: Where a line to the word of a part begins.
_ANCHORS: dict[str, Point] = {
    "face": (68, 36),
    "eyes": (66.2, 43.6),
    "ears": (76, 47),
    "nose": (53, 54),
    "mouth": (57, 65),
}


def portrait(sheet: "Sheet", box: Sequence[float], style: Style, *, corner: float) -> None:
    """The face in a rounded frame; in one higher than wide there is more above it."""
    left, _, right, bottom = box
    side = right - left
    frame = sheet.mask(_rounded(box, corner))

    def placed(outline: Sequence[Sequence[Point]], mirrored: bool = False) -> list[Point]:
        points = [(100 - x, y) if mirrored else (x, y) for x, y in _points(outline)]
        return [_on_face(left, bottom - side, side, point) for point in points]

    def fill(
        outline: Sequence[Sequence[Point]], colours: tuple[Colour, Colour], mirrored: bool = False
    ) -> None:
        sheet.fill(placed(outline, mirrored), colours, within=frame)

    sheet.fill(_box(box), style.ground, within=frame)
    sheet.glow((left + side / 2, bottom - side * 0.56), side * 0.6, style.glow, 0.75, within=frame)
    fill(_SHOULDERS, style.clothes)
    fill(_HAIR, style.hair)
    fill(_NECK, (_mix(style.face[1], style.hair[1], 0.15), _mix(style.face[1], style.hair[1], 0.4)))
    for mirrored in (False, True):
        fill(_EAR, (_mix(style.ears, WHITE, 0.2), style.ears), mirrored)
    sheet.soft(placed(_FACE), _mix(style.hair[1], NIGHT, 0.4), side * 0.02, within=frame)
    fill(_FACE, style.face)
    sheet.fill(placed(_FRINGE), style.hair, within=frame, over=placed(_HAIR))
    for mirrored in (False, True):
        fill(_BROW, style.hair, mirrored)
        fill(_EYE, (_mix(style.eyes, WHITE, 0.35), style.eyes), mirrored)
        inside = sheet.mask(placed(_EYE, mirrored))
        x = 60.8 if mirrored else 39.2
        sheet.fill(placed(_disc((x, 43.1), 3.1)), (style.pupils, style.pupils), within=inside)
        fill(_disc((x + 1.1, 42.1), 0.9), (WHITE, WHITE))
        sheet.fill(placed(_LID, mirrored), style.hair, within=frame)
    fill(_NOSE, (_mix(style.nose, WHITE, 0.22), style.nose))
    fill(_LOWER_LIP, (_mix(style.mouth, WHITE, 0.22), style.mouth))
    fill(_UPPER_LIP, (style.mouth, _mix(style.mouth, NIGHT, 0.2)))


# --- drawing ----------------------------------------------------------------------------------------------


class Sheet:
    """A picture in the making, addressed in final pixels."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._picture = Image.new("RGBA", (size[0] * _FINER, size[1] * _FINER))

    def mask(self, points: Sequence[Point]) -> Image.Image:
        """What lies inside an outline."""
        mask = Image.new("L", self._picture.size)
        ImageDraw.Draw(mask).polygon([(x * _FINER, y * _FINER) for x, y in points], fill=255)
        return mask

    def fill(
        self,
        points: Sequence[Point],
        colours: tuple[Colour, Colour],
        *,
        within: Image.Image | None = None,
        over: Sequence[Point] = (),
    ) -> None:
        """Fill an outline with a gradient from its upper left to its lower right, or across another outline."""
        xs, ys = zip(*(over or points), strict=True)
        box = tuple(round(value * _FINER) for value in (min(xs), min(ys), max(xs), max(ys)))
        size = (box[2] - box[0] + 2, box[3] - box[1] + 2)  # an edge may be rounded away
        slope = np.add.outer(np.linspace(0, 0.7, size[1]), np.linspace(0, 0.3, size[0]))[..., None]
        blended = np.array(colours[0]) * (1 - slope) + np.array(colours[1]) * slope
        layer = Image.new("RGB", self._picture.size)
        layer.paste(Image.fromarray(blended.round().astype(np.uint8)), box[:2])
        self._lay(layer, self.mask(points), within)

    def soft(self, points: Sequence[Point], colour: Colour, radius: float, *, within: Image.Image) -> None:
        """A shadow below an outline."""
        mask = self.mask([(x, y + radius) for x, y in points]).filter(
            ImageFilter.GaussianBlur(radius * _FINER)
        )
        self._lay(
            Image.new("RGB", self._picture.size, colour), mask.point(lambda value: value * 6 // 10), within
        )

    def shadow(self, box: Sequence[float], corner: float) -> None:
        """What a frame throws on the ground."""
        everything = Image.new("L", self._picture.size, 255)
        left, top, right, bottom = box
        self.soft(_rounded((left - 2, top, right + 2, bottom + 4), corner), (4, 4, 12), 12, within=everything)

    def glow(
        self,
        centre: Point,
        radius: float,
        colour: Colour,
        strength: float,
        *,
        within: Image.Image | None = None,
    ) -> None:
        """Light around a point."""
        width, height = self._size
        y, x = np.mgrid[0:height, 0:width]
        distance = np.hypot(x - centre[0], y - centre[1]) / radius
        light = np.clip(1 - distance, 0, 1) ** 1.6 * strength * 255
        mask = Image.fromarray(light.astype(np.uint8)).resize(self._picture.size, Image.Resampling.BILINEAR)
        self._lay(Image.new("RGB", self._picture.size, colour), mask, within)

    def curve(self, start: Point, end: Point, colour: Colour, *, fade: bool = False) -> None:
        """A line from left to right that leaves and arrives level, with a dot where it begins."""
        bend = (end[0] - start[0]) * 0.55
        points = _points([(start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end)])
        mask = Image.new("L", self._picture.size)
        draw = ImageDraw.Draw(mask)
        line = [(x * _FINER, y * _FINER) for x, y in points]
        draw.line(
            line, fill=110 if fade else 235, width=round(_FINER * (1.6 if fade else 2.6)), joint="curve"
        )
        if not fade:
            x, y = line[0]
            draw.ellipse((x - 4 * _FINER, y - 4 * _FINER, x + 4 * _FINER, y + 4 * _FINER), fill=255)
        self._lay(Image.new("RGB", self._picture.size, colour), mask, None)

    def text(
        self, place: Point, text: str, size: float, colour: Colour, *, anchor: str = "lm", bold: bool = False
    ) -> None:
        draw = ImageDraw.Draw(self._picture)
        font = ImageFont.load_default(size * _FINER)
        place = (place[0] * _FINER, place[1] * _FINER)
        draw.text(place, text, (*colour, 255), font, anchor, stroke_width=round(_FINER * 0.8) if bold else 0)

    def finished(self) -> Image.Image:
        return self._picture.resize(self._size, Image.Resampling.LANCZOS)

    def _lay(self, layer: Image.Image, mask: Image.Image, within: Image.Image | None) -> None:
        if within is not None:
            mask = ImageChops.multiply(mask, within)
        opaque = layer.convert("RGBA")
        opaque.putalpha(mask)
        self._picture.alpha_composite(opaque)


def _points(curves: Sequence[Sequence[Point]]) -> list[Point]:
    """Points along cubic curves, each given by its two ends with two handles between."""
    steps = np.linspace(0, 1, _PER_CURVE)[:, None]
    found: list[Point] = []
    for curve in curves:
        a, b, c, d = np.array(curve, dtype=float)
        along = (
            a * (1 - steps) ** 3
            + 3 * b * steps * (1 - steps) ** 2
            + 3 * c * steps**2 * (1 - steps)
            + d * steps**3
        )
        found += [(float(x), float(y)) for x, y in along]
    return found


def _disc(centre: Point, radius: float) -> list[list[Point]]:
    """A circle as curves."""
    x, y = centre
    handle = radius * 4 / 3
    return [
        [(x - radius, y), (x - radius, y - handle), (x + radius, y - handle), (x + radius, y)],
        [(x + radius, y), (x + radius, y + handle), (x - radius, y + handle), (x - radius, y)],
    ]


def _on_face(left: float, top: float, side: float, point: Point) -> Point:
    return left + point[0] * side / 100, top + point[1] * side / 100


def _box(box: Sequence[float]) -> list[Point]:
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _rounded(box: Sequence[float], corner: float) -> list[Point]:
    left, top, right, bottom = box
    quarter = np.linspace(0, np.pi / 2, 20)
    centres = [
        (right - corner, bottom - corner, 0.0),
        (left + corner, bottom - corner, np.pi / 2),
        (left + corner, top + corner, np.pi),
        (right - corner, top + corner, 1.5 * np.pi),
    ]
    return [
        (float(x + corner * np.cos(turn + angle)), float(y + corner * np.sin(turn + angle)))
        for x, y, turn in centres
        for angle in quarter
    ]


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _save(picture: Image.Image, path: Path) -> None:
    if path.suffix == ".jpg":
        picture.convert("RGB").save(path, quality=90, optimize=True, progressive=True)
    else:
        picture.save(path, optimize=True)
    say(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    run_command(main)
