"""The form of a figure, and the arithmetic behind it; needs nothing but Python."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: One figure as it is kept: ``what`` is measured, its ``unit``, its ``value``, and for one of several rounds
#: the ``quartiles`` around that median. ``share``: of the whole that its group names.
Row = dict[str, Any]

RATIO, SECONDS, COUNT, BYTES = "ratio", "seconds", "count", "bytes"


def ratio(what: str, values: Sequence[float], base: Sequence[float]) -> Row:
    """How many times as much as the base, round by round: what slows a machine down slows down both."""
    return {"what": what, "unit": RATIO, **spread([a / b for a, b in zip(values, base, strict=True)])}


def seconds(what: str, values: Sequence[float], whole: Sequence[float] | None = None) -> Row:
    """whole: the time of the same rounds that this is a share of."""
    row = {"what": what, "unit": SECONDS, **spread(values)}
    if whole is not None:
        row["share"] = spread([a / b for a, b in zip(values, whole, strict=True)])["value"]
    return row


def count(what: str, value: int) -> Row:
    return {"what": what, "unit": COUNT, "value": value}


def size(what: str, value: int) -> Row:
    """value: in bytes."""
    return {"what": what, "unit": BYTES, "value": value}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """The median with the quartiles around it."""
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return {"value": round(median, 4), "quartiles": [round(low, 4), round(high, 4)]}


def interleave(cases: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each case in each round. A first round that warms up is left out.

    cases: each runs once and returns the seconds that count.
    The order moves on from round to round, so that no case always runs after the same other.
    """
    taken: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for _ in range(rounds + 1):
        for name in names:
            taken[name].append(cases[name]())
        names.append(names.pop(0))
    return {name: values[1:] for name, values in taken.items()}
