"""Null levels of every likeness of a run: what it would be between photos, strangers and without any identity."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .metrics.null_levels import OTHER_PERSON, SAME_PERSON, NullLevel, level_of_pairs

ITSELF = "reference with itself"
NO_IDENTITY = "plain model, no identity"
#: Pairs of a level: more change nothing.
MOST_PAIRS = 2000
_SEED = 0

#: What two pictures are compared by; NaN where they cannot be.
Compare = Callable[[Any, Any], float]


def levels_of(
    compare: Compare,
    references: Sequence[Any],
    others: Sequence[Sequence[Any]],
    plain: Sequence[Any],
) -> list[NullLevel]:
    """The levels that can be measured, lowest meaning last.

    references: features of one photo of each person.  others: of each person's other photos.
    plain: of pictures that show nobody.
    """
    same = [(a, b) for a, several in zip(references, others, strict=True) for b in several]
    strangers = [
        (references[first], references[second])
        for first, second in _some(_pairs(len(references)), len(references) * (len(references) - 1) // 2)
    ]
    nobody = [
        (plain[number % len(plain)], references[number // len(plain)])
        for number in _sample(len(plain) * len(references))
    ]
    found = [_level(ITSELF, compare, [(one, one) for one in references[:MOST_PAIRS]])]
    found += [
        _level(name, compare, pairs)
        for name, pairs in (
            (SAME_PERSON, same[:MOST_PAIRS]),
            (OTHER_PERSON, strangers),
            (NO_IDENTITY, nobody),
        )
    ]
    return [level for level in found if level is not None]


def _level(name: str, compare: Compare, pairs: Sequence[tuple[Any, Any]]) -> NullLevel | None:
    scores = np.array([compare(a, b) for a, b in pairs])
    return level_of_pairs(name, scores) if len(scores) and not np.isnan(scores).all() else None


def _pairs(people: int) -> Callable[[int], tuple[int, int]]:
    """The pair of a number, counting all pairs of different people row by row."""

    def pair(number: int) -> tuple[int, int]:
        first = 0
        while number >= people - 1 - first:
            number -= people - 1 - first
            first += 1
        return first, first + 1 + number

    return pair


def _some(pair: Callable[[int], tuple[int, int]], count: int) -> list[tuple[int, int]]:
    return [pair(number) for number in _sample(count)]


def _sample(count: int) -> list[int]:
    if count <= MOST_PAIRS:
        return list(range(count))
    return sorted(np.random.default_rng(_SEED).choice(count, MOST_PAIRS, replace=False).tolist())
