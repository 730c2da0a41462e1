"""Values with their intervals and null levels, drawn on one axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..levels import ITSELF, NO_IDENTITY
from ..metrics.null_levels import OTHER_PERSON, SAME_PERSON

#: Null level -> the variable of its colour.
LEVEL_COLOURS = {
    SAME_PERSON: "--same",
    OTHER_PERSON: "--other",
    NO_IDENTITY: "--none",
    ITSELF: "--self",
    "chance": "--chance",
}
_WIDTH, _HEIGHT, _PAD = 400, 30, 6


@dataclass(frozen=True)
class Axis:
    """low, high: the values at its ends.  marks: where it is labelled."""

    low: float
    high: float
    marks: tuple[float, ...] = ()
    form: str = "{:g}"

    def x(self, value: float) -> float:
        """In the picture's units; what lies beyond an end is drawn at it."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _PAD + share * (_WIDTH - 2 * _PAD)


COSINE = Axis(-0.2, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
SHARE = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0), "{:.0%}")


def axis_of(values: Sequence[float | None]) -> Axis:
    """An axis from 0 to a round number over all values."""
    highest = max((value for value in values if value is not None), default=1.0)
    step = next(step for exponent in range(-3, 300) for step in (10**exponent, 2 * 10**exponent, 5 * 10**exponent)
                if highest <= 4 * step)  # fmt: skip
    return Axis(0.0, 4 * step, tuple(step * number for number in range(5)))


def ruler(axis: Axis) -> str:
    """The numbers of an axis, which keep their size in columns of any width."""
    marks = "".join(
        f'<span style="left:{100 * axis.x(mark) / _WIDTH:.1f}%">{axis.form.format(mark)}</span>'
        for mark in axis.marks
    )
    return f'<div class="ruler">{marks}</div>'


def interval(
    found: Mapping[str, Any],
    axis: Axis,
    levels: Sequence[Mapping[str, Any]] = (),
    colour: str = "var(--value)",
) -> str:
    """A value, its interval, and the null levels it is read against."""
    drawn = [
        f'<line x1="{axis.x(mark):.1f}" x2="{axis.x(mark):.1f}" y1="0" y2="{_HEIGHT}" stroke="var(--track)"/>'
        for mark in axis.marks
    ]
    drawn += [_level(level, axis) for level in levels]
    said = [f"{level['name']}: {level['typical']:.2f}" for level in levels]
    if found["mean"] is not None:
        x = axis.x(found["mean"])
        if found["low"] is not None:
            left, right = axis.x(found["low"]), axis.x(found["high"])
            drawn.append(
                f'<rect x="{left:.1f}" y="{_HEIGHT / 2 - 3.5}" width="{max(right - left, 1):.1f}" height="7" rx="3.5" '
                f'fill="{colour}" opacity=".35"/>'
            )
        drawn.append(
            f'<circle cx="{x:.1f}" cy="{_HEIGHT / 2}" r="5" fill="{colour}" stroke="var(--panel)" stroke-width="1.5"/>'
        )
    return _svg("".join(drawn), "; ".join(said))


def bar(found: Mapping[str, Any], axis: Axis, colour: str) -> str:
    """A value as a bar from the axis' low end, with its interval."""
    if found["mean"] is None:
        return ""
    start, middle = axis.x(axis.low), _HEIGHT / 2
    drawn = (
        f'<rect x="{start:.1f}" y="{middle - 7}" width="{axis.x(axis.high) - start:.1f}" height="14" rx="4" '
        f'fill="var(--track)"/><rect x="{start:.1f}" y="{middle - 7}" width="{axis.x(found["mean"]) - start:.1f}" '
        f'height="14" rx="4" fill="{colour}"/>'
    )
    if found["low"] is not None:
        drawn += (
            f'<line x1="{axis.x(found["low"]):.1f}" x2="{axis.x(found["high"]):.1f}" y1="{middle}" y2="{middle}" '
            'stroke="var(--text)" stroke-width="2"/>'
        )
    return _svg(drawn, "")


def _level(level: Mapping[str, Any], axis: Axis) -> str:
    colour = f"var({LEVEL_COLOURS.get(level['name'], '--other')})"
    left, right, x = (axis.x(level[key]) for key in ("low", "high", "typical"))
    dashes = "" if level["measured_pairs"] else ' stroke-dasharray="2 2"'
    band = (
        f'<rect x="{left:.1f}" y="3" width="{right - left:.1f}" height="{_HEIGHT - 6}" rx="3" fill="{colour}" '
        'opacity=".16"/>'
        if right - left > 1
        else ""
    )
    return band + (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{_HEIGHT - 2}" stroke="{colour}" stroke-width="2.5"{dashes}/>'
    )


def _svg(content: str, title: str) -> str:
    said = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'style="aspect-ratio:{_WIDTH}/{_HEIGHT};height:auto">{said}{content}</svg>'
    )


def legend(names: Sequence[str]) -> str:
    """What the colours mean."""
    entries = ['<span><i style="background:var(--value)"></i>this run, 95 % interval</span>']
    entries += [
        f'<span><i style="background:var({colour})"></i>{escape(name)}</span>'
        for name, colour in LEVEL_COLOURS.items()
        if name in names
    ]
    return f'<div class="legend">{"".join(entries)}</div>'
