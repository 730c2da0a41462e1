"""Likeness in words: the scores of pictures, and what to compare them with."""

from collections.abc import Sequence
from dataclasses import dataclass

from .judging import JudgedPicture
from .metrics.fgis import PartScores
from .metrics.null_levels import NullLevel

FLATTERS = "This recogniser also conditions the pictures, so it flatters them; an independent one is the fairer judge."
NO_LEVELS = "Nothing is known about this recogniser: compare with photos of the person, and of others."


@dataclass(frozen=True)
class RecogniserReport:
    """What is said of a recogniser beside its scores.

    is_conditioner: whether the pictures were conditioned on it.  levels: what its scores are read against.
    """

    name: str
    is_conditioner: bool
    levels: tuple[NullLevel, ...]


def describe_likeness(
    judged: Sequence[JudgedPicture], scores: Sequence[float], reports: Sequence[RecogniserReport]
) -> str:
    """Several lines: each picture, the best and the mean, and for each recogniser the levels.

    judged, scores: picture by picture; the scores are those of the first recogniser.
    """
    first, *others = reports
    lines = [f"Likeness by {first.name}:"]
    for number, (one, score) in enumerate(zip(judged, scores, strict=True), start=1):
        if one.chosen is None:
            lines.append(f"picture {number}: no face, counted as 0")
            continue
        more = (
            [f"mean over the photos {one.scores[0].mean:.2f}"]
            if one.scores[0].mean != one.scores[0].best
            else []
        )
        more += [
            f"{report.name} {given.best:.2f}" for report, given in zip(others, one.scores[1:], strict=True)
        ]
        lines.append(f"picture {number}: {score:.2f}" + (f" ({', '.join(more)})" if more else ""))
    lines.append(f"best {max(scores):.2f}, mean {sum(scores) / len(scores):.2f}")
    lines += [f"{report.name}: {describe_levels(report)}" for report in reports]
    return "\n".join(lines)


def describe_levels(report: RecogniserReport) -> str:
    """What a recogniser's scores are read against, in a sentence or two."""
    levels = [
        f"{level.name} {level.typical:.2f} ({level.low:.2f} to {level.high:.2f}, "
        + (
            f"measured on {level.measured_pairs} pairs)"
            if level.is_measured
            else f"not measured: usual for networks such as {level.source})"
        )
        for level in report.levels
    ]
    sentences = ["; ".join(levels) + "." if levels else NO_LEVELS]
    if report.is_conditioner:
        sentences.append(FLATTERS)
    return " ".join(sentences)


def describe_parts(scores: Sequence[PartScores], encoder: str, crops: str) -> str:
    """Several lines: the parts of each picture, and what was compared."""
    lines = [f"Likeness of parts by {encoder} ({crops} crops):"]
    for number, one in enumerate(scores, start=1):
        if not one.scores:
            lines.append(f"picture {number}: no part of a face that the photo shows too")
            continue
        parts = ", ".join(f"{region} {score:.2f}" for region, score in one.scores.items())
        lines.append(f"picture {number}: {parts}; mean {one.mean:.2f}, coverage {one.coverage:.0%}")
    return "\n".join(lines)
