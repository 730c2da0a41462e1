"""Diversity: how different the faces drawn of one person look, by LPIPS. Low means the same face again and again.

Source: EVALUATION 2.
"""

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np

#: Pairs of one person: more say no more.
MOST_PAIRS = 100
_SEED = 0


def pairs_to_compare(
    people: Mapping[Hashable, Sequence[str]], most: int = MOST_PAIRS
) -> list[tuple[Hashable, str, str]]:
    """Pairs of pictures of one person, at most ``most`` of each, the same every time.

    people: contents of pictures by person.  Returns (person, content, content), each pair in one order.
    """
    found: list[tuple[Hashable, str, str]] = []
    for person, pictures in people.items():
        pairs = list(combinations(sorted(set(pictures)), 2))
        if len(pairs) > most:
            chosen = np.random.default_rng(_SEED).choice(len(pairs), most, replace=False)
            pairs = [pairs[number] for number in sorted(chosen)]
        found += [(person, *pair) for pair in pairs]
    return found
