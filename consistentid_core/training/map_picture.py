"""A portrait with the attention of its facial words laid over it, one picture per word, to look at."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from ..regions import REGIONS, Region, region_of_part
from .attention_maps import WordAttention, Words
from .items import Item, as_picture

#: In pixels: side of a picture, between and around pictures, of the line below them, of the heading.
_SIDE, _GAP, _LABEL, _HEAD = 256, 12, 58, 44

_PAPER, _INK, _FAINT = (250, 250, 248), (32, 34, 38), (134, 138, 146)

#: How much of the colours of a portrait is left below a map, so that the map's colour is seen.
_SATURATION, _BRIGHTNESS = 0.25, 0.55


def draw_maps(item: Item, words: Words, heading: str, who: str) -> Image.Image:
    """The square of a sample, then one picture for each of the five regions.

    who: what the portrait is to the run, written below it.

    In each the attention of the region's word in the region's colour, as strong as it is compared with its own
    maximum; a line around the part; and below, how many times as much attention falls inside it as outside.
    """
    count = 1 + len(REGIONS)
    size = (count * (_SIDE + _GAP) + _GAP, _HEAD + _SIDE + _LABEL)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, 13), heading, font=ImageFont.load_default(17), fill=_INK)
    photo = as_picture(item.pixels).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    masks = {
        region_of_part(part): mask for part, mask in zip(item.parts, item.part_masks.numpy(), strict=False)
    }
    _place(sheet, 0, photo, "portrait", who, _INK)
    for number, region in enumerate(REGIONS, 1):
        word, mask = words.get(region.name), masks.get(region.name)
        if word is None or mask is None:
            missing = "no word carries it" if mask is not None else "not in this text"
            _place(sheet, number, _dimmed(photo, 0.9), region.label.lower(), missing, _FAINT)
        else:
            note = f"inside / outside: {word.ratio:.2f}"
            _place(sheet, number, _overlay(photo, word, mask, region), region.label.lower(), note, _INK)
    return sheet


def _place(
    sheet: Image.Image, number: int, picture: Image.Image, title: str, note: str, ink: tuple[int, int, int]
) -> None:
    left = _GAP + number * (_SIDE + _GAP)
    sheet.paste(picture, (left, _HEAD))
    pen = ImageDraw.Draw(sheet)
    swatch = [region.colour for region in REGIONS if region.label.lower() == title]
    start = left
    if swatch:
        pen.rounded_rectangle((left, _HEAD + _SIDE + 11, left + 12, _HEAD + _SIDE + 23), 3, fill=swatch[0])
        start += 19
    pen.text((start, _HEAD + _SIDE + 6), title, font=ImageFont.load_default(17), fill=ink)
    pen.text((left, _HEAD + _SIDE + 31), note, font=ImageFont.load_default(14), fill=_FAINT)


def _dimmed(photo: Image.Image, brightness: float) -> Image.Image:
    grey = photo.convert("L").convert("RGB")
    return Image.blend(Image.new("RGB", photo.size), Image.blend(grey, photo, _SATURATION), brightness)


def _overlay(photo: Image.Image, word: WordAttention, mask: np.ndarray, region: Region) -> Image.Image:
    strength = word.map.numpy().astype(np.float32)
    strength = strength / max(float(strength.max()), 1e-12)
    # Interpolated before it becomes 8 bits, or the steps would show.
    smooth = Image.fromarray(strength, "F").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(smooth), 0, 1)[..., None]
    below = np.asarray(_dimmed(photo, _BRIGHTNESS), np.float32)
    colour = np.array(region.colour, np.float32)
    # The strongest places shine: towards the part's colour, and at the very top a little towards white.
    shining = colour + (255 - colour) * 0.35 * np.clip(share - 0.6, 0, 1) / 0.4
    picture = (1 - 0.85 * share) * below + 0.85 * share * shining
    shown = Image.fromarray(picture.round().clip(0, 255).astype(np.uint8))
    shown.paste(Image.new("RGB", shown.size, (255, 255, 255)), mask=_outline(mask))
    return shown


def _outline(mask: np.ndarray) -> Image.Image:
    """A line just outside a mask (S, S) in [0, 1], as a mask of the picture's size: the part itself stays free."""
    fine = 2 * _SIDE
    shape = Image.fromarray((mask * 255).round().astype(np.uint8)).resize(
        (fine, fine), Image.Resampling.BILINEAR
    )
    shape = shape.filter(ImageFilter.GaussianBlur(1.2))
    line = ImageChops.subtract(shape.filter(ImageFilter.MaxFilter(7)), shape)
    return line.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
