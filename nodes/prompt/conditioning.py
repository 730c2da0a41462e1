"""CONDITIONING as ComfyUI's nodes pass it around: ranges, batches, sizes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...consistentid_core.errors import ModelMismatchError
from ...consistentid_core.families import FAMILIES, Family

#: CONDITIONING: a list of [embeds (1, 77 * chunks, D), options]; or (people, 77 * chunks, D), one per latent.
Conditioning = list[list]

#: A step of a linear schedule often falls on the merge point itself, up to rounding; so the ranges meet just before
#: it. They share their bound: with a gap, a step inside it would have no positive at all.
EPSILON = 1e-5

#: What SDXL's text nodes note in a conditioning about the size of the picture.
SIZE_KEYS = ("width", "height", "crop_w", "crop_h", "target_width", "target_height")


def switch(before: Conditioning, after: Conditioning, percent: float) -> Conditioning:
    """One conditioning up to a point in sampling (0..1), another from there."""
    if percent <= 0:
        return after
    if percent >= 1:
        return before
    point = percent - EPSILON
    return _with_range(before, 0.0, point) + _with_range(after, point, 1.0)


def _with_range(conditioning: Conditioning, start: float, end: float) -> Conditioning:
    return with_options(conditioning, {"start_percent": start, "end_percent": end})


def with_options(conditioning: Conditioning, more: Mapping[str, Any]) -> Conditioning:
    """A copy whose entries have these options too."""
    return [[embeds, {**options, **more}] for embeds, options in conditioning]


def sizes_of(conditioning: Conditioning, family: Family) -> dict[str, int]:
    """The sizes that SDXL's text nodes note in a conditioning, in pixels.

    Raises ModelMismatchError for another family, ValueError for a conditioning without sizes or of several.
    """
    if not FAMILIES[family].has_picture_sizes:
        raise ModelMismatchError(
            f"size_from is connected, but {FAMILIES[family].label} models do not know picture sizes; SDXL "
            "ones do. Disconnect size_from."
        )
    noted = [{key: options[key] for key in SIZE_KEYS if key in options} for _, options in conditioning]
    different = [sizes for i, sizes in enumerate(noted) if sizes and sizes not in noted[:i]]
    if not different:
        raise ValueError(
            f"The conditioning connected to size_from has no sizes ({', '.join(SIZE_KEYS)}). Connect "
            "CLIPTextEncodeSDXL, or disconnect size_from: ComfyUI then takes the size of the picture."
        )
    if len(different) > 1:
        raise ValueError(
            f"The conditioning connected to size_from has {len(different)} different sizes: "
            f"{' and '.join(map(str, different))}. Connect a CLIPTextEncodeSDXL of its own."
        )
    return different[0]


def in_one_batch(people: Sequence[Conditioning]) -> Conditioning:
    """The conditionings of several people as one, with a row in the batch for each.

    ComfyUI gives the first row to the first latent, and so on. Shorter texts are repeated to the common length,
    as it does where it puts texts of several lengths together.
    """
    if len(people) == 1:
        return people[0]
    result = []
    for entries in zip(*people, strict=True):
        length = math.lcm(*(embeds.shape[1] for embeds, _ in entries))
        options = dict(entries[0][1])
        if options.get("pooled_output") is not None:
            options["pooled_output"] = torch.cat([own["pooled_output"] for _, own in entries])
        rows = [embeds.repeat(1, length // embeds.shape[1], 1) for embeds, _ in entries]
        result.append([torch.cat(rows), options])
    return result
