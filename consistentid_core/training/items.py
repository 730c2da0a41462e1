"""From a portrait to what one training step needs of it: a square, masks, CLIP pixels and a text.

Source: SPEC 7.1, "Data item"; the masks lie where the square was cut, at its scale.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.portrait import Portrait
from ..faces.clip_pixels import CLIP_SIZE, clip_pixel_values
from ..faces.crops import crop_part
from ..faces.face_parts import FacePart, choose_parts, find_parts
from ..families import FAMILIES, Family
from ..regions import BACKGROUND, class_masks
from ..text.caption import align_caption_by_name
from ..text.pairing import BY_NAME
from ..text.training_text import framed_text, training_text
from .config import TrainingConfig
from .draws import SampleDraws
from .losses import FACIAL_SLOTS


@dataclass(frozen=True, eq=False)
class Item:
    """One sample of a step; tensors in float32 on the CPU.

    pixels: (3, S, S) in [0, 1].  foreground: (S, S), 1 = person.
    part_masks: (5, S, S), and part_pixels: (n, 3, 224, 224), n <= 5, both in the order of ``parts``.
    clip_pixels: (3, 224, 224) of the whole picture, zeros if dropped.
    text: with markers, the k-th for the k-th part.  parts: their names.
    id_vector: (512,).  sizes: (6,) of SDXL, see :meth:`.frozen.FrozenModels.unet`.
    """

    key: str
    pixels: Tensor
    foreground: Tensor
    part_masks: Tensor
    part_pixels: Tensor
    clip_pixels: Tensor
    text: str
    parts: tuple[str, ...]
    id_vector: Tensor
    sizes: Tensor


def prepare_item(
    sample: Portrait,
    draws: SampleDraws,
    config: TrainingConfig,
    *,
    family: Family,
    count_tokens: Callable[[str], int],
) -> Item:
    """Everything of a sample that needs no network."""
    side = config.resolution
    parts = choose_parts(find_parts(sample.label_map), config.regions)
    text, parts = _text_and_parts(sample, parts, draws, config, family, count_tokens)
    height, width = sample.picture.shape[:2]
    box = square_box(height, width, draws.crop if config.crop == "random" else 0.5)

    def square_mask(mask: np.ndarray) -> np.ndarray:
        return cut_square(mask, _scaled(box, width, height, mask), side)

    masks = np.zeros((FACIAL_SLOTS, side, side), np.uint8)
    for row, part in zip(masks, parts, strict=False):
        row[:] = square_mask(part.mask)
    foreground = square_mask(_foreground(sample.label_map, filled=config.foreground == "filled"))
    pixels = cut_square(sample.picture, box, side)
    whole = (
        torch.zeros(3, CLIP_SIZE, CLIP_SIZE) if draws.is_dropped else clip_pixel_values([sample.picture])[0]
    )
    top, left = _offsets(box, min(height, width), side)
    return Item(
        key=sample.key,
        pixels=_to_unit(pixels).permute(2, 0, 1).contiguous(),  # HWC -> CHW
        foreground=_to_unit(foreground),
        part_masks=_to_unit(masks),
        part_pixels=clip_pixel_values(crop_part(sample.picture, part.mask) for part in parts),
        clip_pixels=whole,
        text=text,
        parts=tuple(part.name for part in parts),
        id_vector=torch.from_numpy(sample.id_vector.copy()),
        sizes=torch.tensor([height, width, top, left, side, side], dtype=torch.float32),
    )


def as_picture(pixels: Tensor) -> Image.Image:
    """The pixels (3, S, S) of a sample, in [0, 1], to look at."""
    return Image.fromarray((pixels.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))  # CHW -> HWC


def _text_and_parts(
    sample: Portrait,
    parts: Sequence[FacePart],
    draws: SampleDraws,
    config: TrainingConfig,
    family: Family,
    count_tokens: Callable[[str], int],
) -> tuple[str, tuple[FacePart, ...]]:
    """The text of a sample, and the parts of its markers in the same order."""
    face_caption = FAMILIES[family].default_caption if config.captions == "fixed" else sample.face_caption
    by_name = {part.name: part for part in parts}
    if config.pairing == BY_NAME:
        aligned = align_caption_by_name(face_caption, tuple(by_name))
        by_region = {part.region: part for part in parts}
        text = "" if draws.is_dropped else framed_text(sample.general_caption, aligned.text, count_tokens)
        return text, tuple(by_region[region] for region in aligned.regions or ())
    framed = training_text(
        sample.general_caption, face_caption, tuple(by_name),
        count_tokens=count_tokens, dropped=draws.is_dropped,
    )  # fmt: skip
    return framed.text, tuple(by_name[name] for name in framed.parts)


Box = tuple[float, float, float, float]


def square_box(height: int, width: int, place: float) -> Box:
    """The largest square of a picture: left, top, right, bottom in pixels.

    place: 0 for the left or upper end of the longer side, 0.5 for its middle, 1 for the other end.
    """
    side = min(height, width)
    left, top = round((width - side) * place), round((height - side) * place)
    return left, top, left + side, top + side


def cut_square(picture: np.ndarray, box: Box, side: int) -> np.ndarray:
    """The part of a picture inside a box at another size; uint8, bilinear, antialiased when it shrinks."""
    cut = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR, box=box)
    return np.asarray(cut)


def _scaled(box: Box, width: int, height: int, mask: np.ndarray) -> Box:
    """The box in a mask that is stretched over a picture of width x height."""
    x, y = mask.shape[1] / width, mask.shape[0] / height
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def _offsets(box: Box, short_side: int, side: int) -> tuple[int, int]:
    """Top and left of the square in the picture as it was resized for training, as SDXL is told them."""
    scale = side / short_side
    return round(box[1] * scale), round(box[0] * scale)


def _foreground(label_map: np.ndarray, *, filled: bool) -> np.ndarray:
    """0 or 255 where the person is; all of a picture without background."""
    if filled:
        person = class_masks(label_map).get("WithoutBackground", np.ones_like(label_map, bool))
    else:
        person = label_map != BACKGROUND
    return np.where(person, np.uint8(255), np.uint8(0))


def _to_unit(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32) / 255)
