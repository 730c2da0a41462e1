"""Which facial part is fused into which marked word.

The original pairs by rank: the k-th marked word with the k-th crop, whatever they are called.
So "ears" gets the eyes' crop and "eyes" the ears', and the weights were trained that way
(SPEC 6.1). Clean prompts name the region of every marker and are paired by name.
"""

from collections.abc import Sequence

#: No part is left for a word: the original fuses an all-zero picture, as in its padding (SPEC 2.5).
PADDING = None


def pair_by_rank(words: int, regions: Sequence[str]) -> tuple[str | None, ...]:
    """The region whose crop each marked word takes.

    words: how many words are marked, in text order.
    regions: regions of the parts in use, in crop order.
    """
    return tuple(regions[k] if k < len(regions) else PADDING for k in range(words))
