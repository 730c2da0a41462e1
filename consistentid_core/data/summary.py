"""Counts of a finished set: what is in it, what was put aside and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..regions import REGION_NAMES, region_of_part
from . import quarantine
from .folder_store import FolderStore
from .shard_store import INDEX, iterate_rows


@dataclass
class Summary:
    """portraits: how many.  parts: by region.  parts_per_portrait: 0 to 5.  reasons, notes: by text.

    caption_lengths: of the caption of the face, in characters.  face_heights: shares of the picture's height.
    faceless: portraits without a face vector known.  aside: name, reason, detail of everything that is not in the set.
    """

    portraits: int = 0
    parts: Counter[str] = field(default_factory=Counter)
    parts_per_portrait: Counter[int] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    caption_lengths: list[int] = field(default_factory=list)
    face_heights: list[float] = field(default_factory=list)
    faceless: int = 0
    aside: list[dict[str, Any]] = field(default_factory=list)


def summarise(root: Path) -> Summary:
    """Count a set of either form."""
    result = Summary()
    for entry in entries(root):
        regions = {region_of_part(part) for part in entry["parts"]}
        result.portraits += 1
        result.parts.update(regions)
        result.parts_per_portrait[len(regions)] += 1
        result.notes.update(entry["notes"])
        result.caption_lengths.append(len(entry["face_caption"]))
        result.faceless += entry["faces"] == 0
        if entry["face_height"]:
            result.face_heights.append(entry["face_height"])
    result.aside = list(quarantine.refusals(root))
    result.reasons.update(entry["reason"] for entry in result.aside)
    return result


def entries(root: Path) -> Iterable[Mapping[str, Any]]:
    """What is known of each portrait, under the names of a shard's table."""
    if (root / INDEX).is_file():
        yield from iterate_rows(root)
        return
    for _, record in FolderStore(root).records():
        yield vars(record)


def histogram(values: Iterable[float], edges: Iterable[float]) -> list[int]:
    """How many values lie from each edge up to the next; the last bin has no upper end."""
    limits = list(edges)
    counts = [0] * len(limits)
    for value in values:
        place = max((number for number, edge in enumerate(limits) if value >= edge), default=0)
        counts[place] += 1
    return counts


def regions_in_order(parts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts by region, in crop order, zeros included."""
    return [(name, parts.get(name, 0)) for name in REGION_NAMES]
