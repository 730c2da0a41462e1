"""The report of a build: one HTML file to open from disk, without anything from outside."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..faces.face_parts import find_parts
from ..faces.overlay import draw_overlay
from ..regions import REGIONS
from . import storage
from .reading import open_portraits
from .summary import Summary, histogram, regions_in_order, summarise

FILE = "report.html"

_SHOWN, _THUMBNAIL = 36, 160
_LISTED = 200
_CAPTION_EDGES = (0, 50, 100, 150, 200, 250, 300, 341)
_HEIGHT_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)

_STYLE = """
:root { color-scheme: light dark; --bg: #fbfbfc; --panel: #fff; --text: #1c1e24; --dim: #5c6370; --line: #e2e4ea; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #16181d; --panel: #1f2229; --text: #e8eaf0; --dim: #a3a9b8; --line: #343844; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 0 0 12px; }
p { margin: 0 0 12px; color: var(--dim); }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; padding: 20px; margin: 18px 0; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px; }
.number b { display: block; font-size: 26px; }
.number span { color: var(--dim); }
.row { display: grid; grid-template-columns: 170px 1fr 64px; gap: 10px; align-items: center; margin: 4px 0; }
.row i { display: block; height: 14px; border-radius: 4px; background: #5b6cff; }
.row span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); gap: 10px; }
figure { margin: 0; }
figure img { width: 100%; border-radius: 8px; display: block; }
figcaption {
  font-size: 12px; color: var(--dim); overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: 5px 8px; border-bottom: 1px solid var(--line); word-break: break-word; }
th { color: var(--dim); font-weight: 600; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 18px; }
.two .row { grid-template-columns: 110px 1fr 56px; }
.two section { margin: 0; }
"""


def write_report(root: Path) -> Path:
    """Write the report of a set into its folder; returns its path."""
    storage.write(root / FILE, render(root, summarise(root)).encode())
    return root / FILE


def render(root: Path, summary: Summary) -> str:
    """The report as HTML."""
    name = html.escape(root.resolve().name)
    aside = sum(summary.reasons.values())
    several = summary.notes.get("several faces", 0)
    numbers = [
        (summary.portraits, "portraits"),
        (aside, "files not taken"),
        (summary.faceless, "without a face vector"),
        (several, "with several faces"),
    ]
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Training data: {name}</title><style>{_STYLE}</style><main>
<h1>Training data: {name}</h1><p>Portraits with part masks, captions and face vectors.</p>
<section><div class="numbers">{"".join(_number(*one) for one in numbers)}</div></section>
<div class="two">
<section><h2>Parts found</h2>{_bars(_parts(summary), summary.portraits)}</section>
<section><h2>Parts per portrait</h2>{_bars(_per_portrait(summary), summary.portraits)}</section>
<section><h2>Length of the face caption, characters</h2><p>Above 340, with markers, training leaves it out.</p>
{_bars(_binned(summary.caption_lengths, _CAPTION_EDGES, "{:.0f}"), summary.portraits)}</section>
<section><h2>Height of the face, share of the picture</h2>
{_bars(_binned(summary.face_heights, _HEIGHT_EDGES, "{:.0%}"), len(summary.face_heights))}</section>
</div>
<section><h2>Some of the portraits, parts in colour</h2>{_sheet(root)}</section>
{_counts("What was done to photos", summary.notes)}
{_counts("Why files were not taken", summary.reasons)}
{_aside(summary)}
</main></html>"""


def _number(value: int, what: str) -> str:
    return f'<div class="number"><b>{value:,}</b><span>{what}</span></div>'


def _parts(summary: Summary) -> list[tuple[str, int, str]]:
    colours = {region.name: "#{:02x}{:02x}{:02x}".format(*region.colour) for region in REGIONS}
    return [(name, count, colours[name]) for name, count in regions_in_order(summary.parts)]


def _per_portrait(summary: Summary) -> list[tuple[str, int, str]]:
    return [
        (f"{count} parts", summary.parts_per_portrait.get(count, 0), "") for count in range(len(REGIONS) + 1)
    ]


def _binned(values: Iterable[float], edges: Sequence[float], form: str) -> list[tuple[str, int, str]]:
    counts = histogram(values, edges)
    ends = [*(f" to {form.format(edge)}" for edge in edges[1:]), " and more"]
    return [
        (form.format(edge) + end, count, "") for edge, end, count in zip(edges, ends, counts, strict=True)
    ]


def _bars(rows: Iterable[tuple[str, int, str]], total: int) -> str:
    def bar(label: str, count: int, colour: str) -> str:
        width = 100 * count / total if total else 0
        style = f"width:{width:.1f}%" + (f";background:{colour}" if colour else "")
        return f'<div class="row"><span>{html.escape(label)}</span><i style="{style}"></i><span>{count:,}</span></div>'

    return "".join(bar(*row) for row in rows)


def _sheet(root: Path) -> str:
    portraits = open_portraits(root)
    step = max(1, len(portraits) // _SHOWN)
    figures = []
    for index in range(0, len(portraits), step)[:_SHOWN]:
        portrait = portraits[index]
        small = Image.fromarray(portrait.picture)
        small.thumbnail((2 * _THUMBNAIL, 2 * _THUMBNAIL))
        drawn = Image.fromarray(draw_overlay(np.asarray(small), find_parts(portrait.label_map)))
        buffer = io.BytesIO()
        drawn.save(buffer, "JPEG", quality=80)
        data = base64.b64encode(buffer.getvalue()).decode()
        caption = html.escape(portrait.face_caption, quote=True)
        figures.append(
            f'<figure><img alt="" title="{caption}" src="data:image/jpeg;base64,{data}">'
            f"<figcaption>{html.escape(portrait.face_caption[:60])}</figcaption></figure>"
        )
    return f'<div class="sheet">{"".join(figures)}</div>' if figures else "<p>None.</p>"


def _counts(title: str, counts: Mapping[str, int]) -> str:
    rows = [(text, count, "") for text, count in sorted(counts.items(), key=lambda item: -item[1])]
    return f"<section><h2>{title}</h2>{_bars(rows, rows[0][1])}</section>" if rows else ""


def _aside(summary: Summary) -> str:
    if not summary.aside:
        return ""
    listed = summary.aside[:_LISTED]
    columns = ("name", "reason", "detail")
    cells = ([html.escape(str(entry.get(column, ""))) for column in columns] for entry in listed)
    rows = "".join(f"<tr><td>{'</td><td>'.join(texts)}</td></tr>" for texts in cells)
    more = len(summary.aside) - len(listed)
    note = f"<p>and {more:,} more in the folder quarantine</p>" if more else ""
    return (
        f"<section><h2>Files not taken</h2><table><tr><th>file</th><th>reason</th><th>detail</th></tr>{rows}</table>"
        f"{note}</section>"
    )
