"""Which facial part is fused into which marked word.

The original pairs by rank: the k-th marked word with the k-th crop, whatever they are called.
So "ears" gets the eyes' crop and "eyes" the ears', and the weights were trained that way
(SPEC 6.1). Clean prompts name the region of every marker and are paired by name.
"""

import re
from collections.abc import Collection, Sequence
from typing import Literal

from ..errors import PromptError
from ..regions import region_of_word
from .markers import MARKER

#: How parts and words find each other: as the mode of the prompt says (``original`` by rank,
#: ``clean`` by name), or one way whatever the mode.
Pairing = Literal["as the mode says", "by rank", "by name"]
AS_MODE: Pairing = "as the mode says"
BY_RANK: Pairing = "by rank"
BY_NAME: Pairing = "by name"
PAIRINGS: tuple[Pairing, ...] = (AS_MODE, BY_RANK, BY_NAME)

#: No part is left for a word: the original fuses an all-zero picture, as in its padding (SPEC 2.5).
PADDING = None

_WORD = re.compile(r"[^\s()]+")


def pair_by_rank(words: int, regions: Sequence[str]) -> tuple[str | None, ...]:
    """The region whose crop each marked word takes.

    words: how many words are marked, in text order.
    regions: regions of the parts in use, in crop order.
    """
    return tuple(regions[k] if k < len(regions) else PADDING for k in range(words))


def pair_by_name(words: Sequence[str], regions: Collection[str]) -> tuple[str, ...]:
    """The region that each marked word names.

    words: the marked words, in text order.
    regions: regions of the parts in use.
    Raises PromptError for a word that names none of them: someone marked it by hand.
    """
    paired = []
    for word in words:
        region = region_of_word(word)
        if region is None or region not in regions:
            raise PromptError(
                f"The word '{word}' is marked with '{MARKER}' but names no part at hand "
                f"({', '.join(regions) or 'there is none'}), so nothing can be paired with it by name. "
                f"Remove '{MARKER}' behind it, or pair by rank."
            )
        paired.append(region)
    return tuple(paired)


def marked_words(text: str) -> tuple[str, ...]:
    """The words of a prompt that carry a part, in text order.

    Markers in a row share the word before the first of them; a marker before any word has ``""``.
    """
    pieces = text.split(MARKER)[:-1]
    words = []
    for number, piece in enumerate(pieces):
        tokens = _WORD.findall(piece)
        if tokens:
            words.append(tokens[-1])
        elif number == 0:
            words.append("")
    return tuple(words)
