"""The base models ConsistentID exists for: everything that differs between them, one row each.

A family travels as its key (``sd15``, ``sdxl``): in a checkpoint, on sockets, in stored golden data. Whoever
needs to know what the key means reads the row, and nobody compares keys to find out.
Source: SPEC 1 (checkpoints), 2.3 (parse sizes), 3.1 and 3.2 (text), 4 (shortcut), 5 and 8 (sampling).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Family = Literal["sd15", "sdxl"]


@dataclass(frozen=True)
class FamilyTraits:
    """One row: what a base model family is, and what the original does differently for it.

    label: how users call it.
    context_width: width of a prompt row and of an ID token.  layer_count: attention layers, self and cross.
    text_encoders: the host's names of its encoders, in the order of their columns in a prompt row.
    has_picture_sizes: its conditioning notes the size of the picture.
    shortcut: the ID projection adds the resampled tokens to the projected face instead of replacing it.
    lead: what stands before ``Detail:`` in the original's prompt.  separator: the same in a clean prompt.
    describes_from_start: the steps before the merge point read the description of the face, too.
    default_caption: the fixed sentence about a face, for when nothing describes it.
    parse_size: side in pixels of the square the face parser sees.
    picture_size: width and height in pixels, guidance: CFG; what the original's demo makes pictures with.
    """

    key: Family
    label: str
    context_width: int
    layer_count: int
    text_encoders: tuple[str, ...]
    has_picture_sizes: bool
    shortcut: bool
    lead: str
    separator: str
    describes_from_start: bool
    default_caption: str
    parse_size: int
    picture_size: tuple[int, int]
    guidance: float


_ROWS = (
    FamilyTraits(
        key="sd15",
        label="SD1.5",
        context_width=768,
        layer_count=32,
        text_encoders=("l",),
        has_picture_sizes=False,
        shortcut=False,
        lead="",
        separator=", ",
        describes_from_start=True,
        default_caption="The person has one face, one nose, two eyes, two ears, and one mouth.",
        parse_size=512,
        picture_size=(512, 768),
        guidance=5.0,
    ),
    FamilyTraits(
        key="sdxl",
        label="SDXL",
        context_width=2048,
        layer_count=140,
        text_encoders=("l", "g"),
        has_picture_sizes=True,
        shortcut=True,
        lead="; ",
        separator="; ",
        describes_from_start=False,
        default_caption="The person has one face, one nose, two eyes, two ears, and a mouth.",
        parse_size=1280,
        picture_size=(864, 1152),
        guidance=7.5,
    ),
)

#: The rows by key, the family that ConsistentID was published for first.
FAMILIES: dict[Family, FamilyTraits] = {row.key: row for row in _ROWS}


def family_of_adapter(context_width: int, layer_count: int) -> Family | None:
    """The family an adapter is made for, or None if neither its width nor its number of layers is known.

    The width decides; models whose width is not the family's (made small for tests) are told by their layers.
    """
    by_width = {row.context_width: row.key for row in _ROWS}
    by_layers = {row.layer_count: row.key for row in _ROWS}
    return by_width.get(context_width) or by_layers.get(layer_count)


def family_of_encoders(text_encoders: Collection[str]) -> Family | None:
    """The family that has exactly these text encoders, or None."""
    found = (row.key for row in _ROWS if sorted(row.text_encoders) == sorted(text_encoders))
    return next(found, None)
