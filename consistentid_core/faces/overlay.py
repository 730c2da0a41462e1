"""Facial parts drawn over their photo: translucent colours with a bright outline.

For people to look at; nothing is computed from it.
"""

from collections.abc import Collection

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from ..regions import region_named
from .crops import fit_mask
from .face_parts import FacePart

#: How much of the photo a part's colour covers. Less for the face, which lies below the
#: others and would otherwise hide the person.
FILL_OPACITY = 0.45
OPACITY_BELOW = 0.33
OUTLINE_OPACITY = 0.95
#: How far the outline's colour is moved from the part's towards white.
OUTLINE_WHITENESS = 0.4
#: How dark the photo becomes around the parts: 1 would be black.
DIMMING = 0.38

#: The layer of colours is drawn no larger than this and then stretched: nobody sees the
#: difference, and a picture of 8000 pixels takes no longer than one of 2000.
MAX_LAYER_SIDE = 2048


def draw_overlay(image: np.ndarray, parts: Collection[FacePart]) -> np.ndarray:
    """Colour the parts on a photo and step its surroundings back.

    image: uint8 RGB (H, W, 3).  parts: the later ones lie on top.
    Returns uint8 (H, W, 3); a copy of the photo if there is no part.
    """
    photo = Image.fromarray(image)
    if parts:
        shrink = max(1.0, max(photo.size) / MAX_LAYER_SIDE)
        layer = _layer(parts, (round(photo.width / shrink) or 1, round(photo.height / shrink) or 1))
        photo = Image.alpha_composite(photo.convert("RGBA"), layer.resize(photo.size)).convert("RGB")
    return np.array(photo)


def _layer(parts: Collection[FacePart], size: tuple[int, int]) -> Image.Image:
    """What is laid over the photo, RGBA of the given (width, height)."""
    line_width = max(0.9, max(size) / 700)
    shapes = [_shape(part.mask, size, line_width) for part in parts]
    union = shapes[0]
    for shape in shapes[1:]:
        union = ImageChops.lighter(union, shape)
    layer = _coloured((0, 0, 0), ImageChops.invert(union), DIMMING)

    for index, part in enumerate(parts):
        # The face's mask covers eyes, nose and mouth: only the topmost colour is laid on.
        fill = shapes[index]
        for above in shapes[index + 1 :]:
            fill = ImageChops.subtract(fill, above)
        region = region_named(part.region)
        opacity = OPACITY_BELOW if region.lies_below else FILL_OPACITY
        layer.alpha_composite(_coloured(region.colour, fill, opacity))
    for shape, part in zip(shapes, parts, strict=True):
        red, green, blue = (_towards_white(value) for value in region_named(part.region).colour)
        layer.alpha_composite(_coloured((red, green, blue), _outline(shape), OUTLINE_OPACITY))
    return layer


def _shape(mask: np.ndarray, size: tuple[int, int], line_width: float) -> Image.Image:
    """A mask at the layer's size, its pixel steps rounded off, its edge as soft as a line is wide."""
    width, height = size
    shape = Image.fromarray(fit_mask(mask, np.empty((height, width, 0))))
    enlarged = max(width / mask.shape[1], height / mask.shape[0])
    if enlarged > 1:
        rounded = shape.filter(ImageFilter.GaussianBlur(0.7 * enlarged))
        shape = rounded.point(
            [min(255, max(0, round((value - 128) * enlarged + 128))) for value in range(256)]
        )
    return shape.filter(ImageFilter.GaussianBlur(line_width))


def _outline(shape: Image.Image) -> Image.Image:
    """A line along the half-way height of a soft edge, itself with soft sides."""
    return shape.point([round(255 * max(0.0, 1 - ((value / 255 - 0.5) / 0.34) ** 2)) for value in range(256)])


def _coloured(colour: tuple[int, int, int], shape: Image.Image, opacity: float) -> Image.Image:
    layer = Image.new("RGBA", shape.size, colour)
    layer.putalpha(shape.point([round(value * opacity) for value in range(256)]))
    return layer


def _towards_white(value: int) -> int:
    return round(value + (255 - value) * OUTLINE_WHITENESS)
