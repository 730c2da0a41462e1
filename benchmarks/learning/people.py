"""People drawn by code: who somebody is, how one picture of them was taken, and the picture with its exact label map.

A person's traits are drawn once and their views anew for each picture, so whatever two pictures of one person share is
who they are. Everything follows from numbers: the same seed gives the same people on every machine.
"""

import colorsys
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from consistentid_core.regions import CLASSES

Colour = tuple[float, float, float]
Point = tuple[float, float]

#: Backgrounds by the word that a caption has for them; RGB, 0 to 1.
WALLS: dict[str, Colour] = {
    "blue": (0.25, 0.42, 0.70),
    "green": (0.33, 0.56, 0.38),
    "grey": (0.62, 0.63, 0.65),
    "red": (0.66, 0.30, 0.28),
    "yellow": (0.88, 0.77, 0.42),
}
LIGHTS = {"left": -1.0, "front": 0.0, "right": 1.0}

#: Pixels of the drawing for one of the picture, along each side.
_FINER = 4


@dataclass(frozen=True)
class Person:
    """What is the same in every picture of somebody. Colours in RGB, 0 to 1; sizes as shares of the usual ones."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    face_width: float
    jaw: float
    hair_length: float
    fringe: float
    eye_width: float
    eye_height: float
    eye_distance: float
    brow: float
    brow_tilt: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lip_height: float
    ear: float


@dataclass(frozen=True)
class View:
    """What differs between pictures of one person: where the head is, light, wall, clothes.

    x, y: of the head's middle, and scale: of the head, in shares of the picture.  roll: radians.  yaw: -1 to 1.
    wall: a word of :data:`WALLS`.  light: a word of :data:`LIGHTS`.  exposure: factor.  clothes: a colour.
    """

    x: float
    y: float
    scale: float
    roll: float
    yaw: float
    wall: str
    light: str
    exposure: float
    clothes: Colour

    @property
    def caption(self) -> str:
        """What can be said of the picture without saying who it shows."""
        return f"A person in front of a {self.wall} wall with light from the {self.light}. A portrait."


def draw_person(generator: np.random.Generator) -> Person:
    """Somebody new."""

    def between(low: float, high: float) -> float:
        return float(generator.uniform(low, high))

    tone = between(0, 1)
    light, dark = (0.97, 0.82, 0.72), (0.42, 0.27, 0.19)
    skin = tuple(a + (b - a) * tone + between(-0.03, 0.03) for a, b in zip(light, dark, strict=True))
    return Person(
        skin=skin,
        hair=colorsys.hsv_to_rgb(between(0, 1), between(0.1, 0.8), between(0.1, 0.9)),
        iris=colorsys.hsv_to_rgb(between(0, 1), between(0.5, 1), between(0.4, 0.9)),
        lips=colorsys.hsv_to_rgb(between(0.9, 1.05) % 1, between(0.4, 0.85), between(0.45, 0.9)),
        face_width=between(0.82, 1.12),
        jaw=between(0.7, 1.1),
        hair_length=between(0, 1),
        fringe=between(0, 1),
        eye_width=between(0.75, 1.3),
        eye_height=between(0.65, 1.4),
        eye_distance=between(0.88, 1.12),
        brow=between(0.5, 1.6),
        brow_tilt=between(-1, 1),
        nose_width=between(0.7, 1.5),
        nose_length=between(0.75, 1.25),
        mouth_width=between(0.65, 1.35),
        lip_height=between(0.6, 1.6),
        ear=between(0.7, 1.4),
    )


def draw_view(generator: np.random.Generator) -> View:
    """Another occasion."""

    def between(low: float, high: float) -> float:
        return float(generator.uniform(low, high))

    return View(
        x=between(0.45, 0.55),
        y=between(0.46, 0.54),
        scale=between(0.88, 1.06),
        roll=between(-0.12, 0.12),
        yaw=between(-1, 1),
        wall=str(generator.choice(list(WALLS))),
        light=str(generator.choice(list(LIGHTS))),
        exposure=between(0.8, 1.1),
        clothes=colorsys.hsv_to_rgb(between(0, 1), between(0.2, 0.7), between(0.3, 0.9)),
    )


def draw(person: Person, view: View, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture, uint8 RGB (side, side, 3), and its label map, uint8 (side, side)."""
    canvas = _Canvas(view, side)
    _draw_behind_face(canvas, person, view)
    _draw_face(canvas, person, view)
    return canvas.lit(), canvas.label_map()


def _draw_behind_face(canvas: "_Canvas", person: Person, view: View) -> None:
    width = 0.27 * person.face_width
    length = 0.05 + 0.42 * person.hair_length
    canvas.ellipse(0, -0.06, width + 0.07, 0.42, person.hair, "Hair")
    canvas.polygon(
        [(-width - 0.065, -0.06), (width + 0.065, -0.06), (width + 0.075, length), (-width - 0.075, length)],
        person.hair,
        "Hair",
    )
    neck = [(-0.1, 0.2), (0.1, 0.2), (0.12, 0.58), (-0.12, 0.58)]
    canvas.polygon(neck, _darker(person.skin, 0.8), "Neck")
    canvas.ellipse(0, 0.88, 0.5, 0.42, view.clothes, "Cloth")
    for side, name in ((-1, "Left_Ear"), (1, "Right_Ear")):
        # The ear on the side that the head is turned to disappears behind the cheek.
        x = side * (width + 0.028 * person.ear) - 0.045 * view.yaw
        canvas.ellipse(x, 0.03, 0.05 * person.ear, 0.088 * person.ear, _darker(person.skin, 0.9), name)
        canvas.ellipse(x, 0.035, 0.024 * person.ear, 0.05 * person.ear, _darker(person.skin, 0.68), name)


def _draw_face(canvas: "_Canvas", person: Person, view: View) -> None:
    width, turn = 0.27 * person.face_width, 0.055 * view.yaw
    outline = []
    for angle in np.linspace(0, 2 * math.pi, 64, endpoint=False):
        x, y = math.cos(angle), math.sin(angle)
        narrow = 1 - (1 - 0.86 * person.jaw) * max(0.0, y) ** 1.5 * 0.8
        outline.append((width * x * narrow, 0.36 * y))
    canvas.polygon(outline, person.skin, "Face")
    white = (0.96, 0.96, 0.95)
    for side, eye, brow in ((-1, "Left_Eye", "Left_Eyebrow"), (1, "Right_Eye", "Right_Eyebrow")):
        x, y = side * 0.122 * person.eye_distance * person.face_width + turn, -0.04
        wide, high = 0.072 * person.eye_width, 0.04 * person.eye_height
        canvas.polygon(_almond(x, y, wide * 1.1, high * 1.25), _darker(person.skin, 0.55), eye)
        canvas.polygon(_almond(x, y, wide, high), white, eye)
        canvas.ellipse(x + 0.2 * turn, y, min(high * 1.05, wide * 0.8), high * 0.98, person.iris, eye)
        canvas.ellipse(x + 0.2 * turn, y, high * 0.45, high * 0.45, (0.05, 0.05, 0.05), eye)
        thick, tilt = 0.014 * person.brow, 0.016 * person.brow_tilt
        canvas.polygon(
            [
                (x - side * wide, y - 0.085 + tilt - thick),
                (x + side * wide * 1.15, y - 0.085 - tilt - thick),
                (x + side * wide * 1.15, y - 0.085 - tilt + thick),
                (x - side * wide, y - 0.085 + tilt + thick),
            ],
            _darker(person.hair, 0.6),
            brow,
        )
    _draw_nose_and_mouth(canvas, person, turn)
    fringe = 0.13 + 0.1 * person.fringe
    top = [(0.99 * width * math.cos(a), 0.37 * math.sin(a)) for a in np.linspace(math.pi, 2 * math.pi, 33)]
    top = [point for point in top if point[1] <= -0.36 + fringe]
    canvas.polygon(top, person.hair, "Hair")


def _draw_nose_and_mouth(canvas: "_Canvas", person: Person, turn: float) -> None:
    x, wide, bottom = 1.25 * turn, 0.05 * person.nose_width, 0.03 + 0.075 * person.nose_length
    shade = _darker(person.skin, 0.84)
    canvas.polygon(
        [(x - 0.3 * wide, -0.03), (x + 0.3 * wide, -0.03), (x + wide, bottom), (x - wide, bottom)],
        shade,
        "Nose",
    )
    canvas.ellipse(x, bottom, wide, 0.028, shade, "Nose")
    for side in (-1, 1):
        canvas.ellipse(
            x + side * 0.5 * wide, bottom + 0.008, 0.2 * wide, 0.009, _darker(person.skin, 0.4), "Nose"
        )
    x, y, wide, high = turn, 0.205, 0.095 * person.mouth_width, 0.03 * person.lip_height
    canvas.polygon(_half(x, y, wide, high, -1), person.lips, "Upper_Lip")
    canvas.polygon(_half(x, y, wide, high * 1.2, 1), _darker(person.lips, 0.85), "Lower_Lip")


def _almond(x: float, y: float, wide: float, high: float) -> list[Point]:
    return [
        (x + wide * math.cos(a), y + high * math.copysign(abs(math.sin(a)) ** 1.2, math.sin(a)))
        for a in np.linspace(0, 2 * math.pi, 32, endpoint=False)
    ]


def _half(x: float, y: float, wide: float, high: float, side: int) -> list[Point]:
    return [
        (x + wide * math.cos(a), y + side * high * math.sin(a) ** 0.8)
        for a in np.linspace(0.0, math.pi, 24).clip(0, math.pi - 1e-9)
    ]


def _darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return red * factor, green * factor, blue * factor


class _Canvas:
    """Draws shapes into a picture and into its label map; lengths are shares of the picture, 0 the head's middle."""

    def __init__(self, view: View, side: int):
        self._view, self._side = view, side
        large = side * _FINER
        self._picture = Image.new("RGB", (large, large), _to_rgb(WALLS[view.wall]))
        self._map = Image.new("L", (large, large), CLASSES.index("Background"))
        self._pens = ImageDraw.Draw(self._picture), ImageDraw.Draw(self._map)

    def polygon(self, points: Sequence[Point], colour: Colour, part: str) -> None:
        """Fill a polygon; part: its class in the label map."""
        if len(points) < 3:
            return
        placed = [self._place(*point) for point in points]
        colour_pen, class_pen = self._pens
        colour_pen.polygon(placed, fill=_to_rgb(colour))
        class_pen.polygon(placed, fill=CLASSES.index(part))

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, part: str) -> None:
        """Fill an ellipse around (x, y)."""
        angles: Iterable[float] = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        self.polygon([(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles], colour, part)

    def lit(self) -> np.ndarray:
        """The picture in the light of its view."""
        small = self._picture.resize((self._side, self._side), Image.Resampling.BOX)
        across = np.linspace(-1, 1, self._side)[None, :, None]
        light = self._view.exposure * (1 + 0.22 * LIGHTS[self._view.light] * across)
        return (np.asarray(small) * light).clip(0, 255).astype(np.uint8)

    def label_map(self) -> np.ndarray:
        """Class ids of the pixels' middles."""
        return np.asarray(self._map.resize((self._side, self._side), Image.Resampling.NEAREST))

    def _place(self, x: float, y: float) -> Point:
        view, large = self._view, self._side * _FINER
        cos, sin = math.cos(view.roll), math.sin(view.roll)
        return (
            (view.x + view.scale * (cos * x - sin * y)) * large,
            (view.y + view.scale * (sin * x + cos * y)) * large,
        )


def _to_rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * min(1.0, max(0.0, one))) for one in colour)
    return red, green, blue
