"""The page: one table to show, what is best and worst, and everything that is needed to believe it."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ...regions import REGIONS
from . import charts, sheets
from .published import PUBLISHED
from .style import STYLE

Metric = Mapping[str, Any]

#: How many of the best and of the worst are shown.
_SHOWN = 10
#: Title, explanation, keys before the slash, axis (None: made for the group).
_GROUPS: tuple[tuple[str, str, tuple[str, ...], charts.Axis | None], ...] = (
    (
        "Is it the right person?",
        "share of pictures; needs no absolute scale",
        ("top1", "top10", "rank"),
        charts.SHARE,
    ),
    (
        "How alike",
        "cosine; null levels on the same axis",
        ("face_sim", "face_sim_other", "fgis", "clip_i", "dino"),
        charts.COSINE,
    ),
    ("Faces", "", ("detection_rate", "face_share", "fgis_coverage"), charts.SHARE),
    (
        "What the identity costs",
        "",
        ("copy_paste", "id_conf", "clip_before_after", "diversity"),
        charts.COSINE,
    ),
    ("Prompt", "cosine × 100", ("clip_t",), charts.Axis(0.0, 40.0, (0.0, 10.0, 20.0, 30.0, 40.0))),
    ("Whole set", "lower is better", ("fid", "kid"), None),
    ("Seconds for a picture", "", ("seconds_start", "seconds_cold", "seconds_warm"), None),
)
_UNIT = charts.Axis(0.0, 1.0, charts.SHARE.marks)
#: Nothing beside them would say whether they are high.
_WITHOUT_AXIS = ("rank", "fid", "kid")
_SHARES = ("top1", "top10", "detection_rate", "face_share", "fgis_coverage")


def render(result: Mapping[str, Any]) -> str:
    """The page as HTML; nothing in it comes from outside."""
    name = escape(result["name"])
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Evaluation: {name}</title><style>{STYLE}</style></head><body>
<main>
<header><h1>Evaluation: {name}</h1><p>{escape(_subtitle(result))}</p>
{"".join(f'<div class="note">{escape(text)}</div>' for text in result["warnings"])}</header>
{_numbers(result)}
{_table(result)}
{_best_and_worst(result)}
<div class="two">
{_groups(result, "per_person", "By person")}
{_groups(result, "per_category", "By kind of prompt")}
</div>
{_parts(result)}
{_settings(result)}
{_left_out(result)}
{_published()}
</main></body></html>"""


def _subtitle(result: Mapping[str, Any]) -> str:
    counts = result["counts"]
    parts = [
        str(result["settings"].get("protocol", "")),
        f"{counts['pictures']:,} pictures",
        f"{counts['people']:,} {'person' if counts['people'] == 1 else 'people'}",
        f"{counts['prompts']:,} prompts" if counts["prompts"] else "",
        result["made"][:10],
    ]
    return " · ".join(filter(None, parts))


# ---------------------------------------------------------------- numbers


def judge_metric(result: Mapping[str, Any], key: str) -> Metric | None:
    """A metric by the recogniser that does not condition the pictures, if there is one."""
    found = [metric for metric in result["metrics"] if metric["key"].split("/")[0] == key]
    return next((metric for metric in found if not metric["note"]), found[0] if found else None)


def _numbers(result: Mapping[str, Any]) -> str:
    shown = []
    for key in ("top1", "face_sim", "detection_rate", "clip_t"):
        metric = judge_metric(result, key)
        if metric is None or metric["found"]["mean"] is None:
            continue
        by = f" · {metric['network']}" if metric["network"] else ""
        shown.append(
            f'<div class="number"><b>{_number(metric["key"], metric["found"]["mean"])}</b>'
            f"<span>{escape(metric['title'])}</span>"
            f"<small>{_interval(metric['key'], metric['found'])}{escape(by)}</small></div>"
        )
    return f'<div class="numbers">{"".join(shown)}</div>'


def _table(result: Mapping[str, Any]) -> str:
    rows, names = [], set()
    for title, explanation, keys, axis in _GROUPS:
        metrics = [
            metric
            for key in keys
            for metric in result["metrics"]
            if metric["key"].split("/")[0] == key and (metric["found"]["n"] or metric["missed"])
        ]
        if not metrics:
            continue
        if axis is None and keys[0] not in _WITHOUT_AXIS:
            axis = charts.axis_of([metric["found"][end] for metric in metrics for end in ("mean", "high")])
        head = charts.ruler(axis) if axis is not None else ""
        rows.append(
            f'<tr class="group"><td class="head" colspan="3">{title}<span class="why">{explanation}</span></td>'
            f'<td class="head">{head}</td><td class="head"></td></tr>'
        )
        for metric in metrics:
            names |= {level["name"] for level in metric["levels"]}
            rows.append(_row(metric, axis))
    return f"""<section id="table"><h2>Results</h2>
<p>Each value with its 95 % bootstrap interval. A likeness means something only beside its null levels: what two photos
of one person, two strangers, and the same model without the identity score with the same network. <b>Faces found</b>:
pictures without a face are left out; <b>miss = 0</b>: they count 0.</p>
{charts.legend(sorted(names))}
<table class="results"><colgroup><col style="width:31%"><col style="width:15%"><col style="width:11%"><col class="axis">
<col style="width:7%"></colgroup><thead><tr><th>metric</th><th class="num">faces found</th>
<th class="num">miss = 0</th><th></th><th class="num">n</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table></section>"""


def _row(metric: Metric, axis: charts.Axis | None) -> str:
    found, zero = metric["found"], metric["as_zero"]
    key = metric["key"].split("/")[0]
    drawn = charts.interval(found, axis, metric["levels"]) if axis and key not in _WITHOUT_AXIS else ""
    arrow = {"higher": " ↑", "lower": " ↓"}.get(metric["better"], "")
    middle = ", median" if metric["statistic"] == "median" else ""
    note = f" · {metric['note']}" if metric["note"] else ""
    counted = (
        f"{_number(metric['key'], zero['mean'])}<br><span class='ci'>{metric['missed']:,} missed</span>"
        if zero
        else "–"
    )
    return (
        f"<tr><td>{escape(metric['title'])}{middle}{arrow}<br><span class='network'>"
        f"{escape(metric['network'] + note)}</span></td>"
        f"<td class='num'><span class='value'>{_number(metric['key'], found['mean'])}</span><br>"
        f"<span class='ci'>{_interval(metric['key'], found)}</span></td>"
        f"<td class='num'>{counted}</td><td>{drawn}</td><td class='num'>{found['n']:,}</td></tr>"
    )


def _number(key: str, value: float | None) -> str:
    key = key.split("/")[0]
    if value is None:
        return "–"
    if key in _SHARES:
        return f"{value:.0%}"
    if key in ("clip_t", "fid") or key.startswith("seconds"):
        return f"{value:.1f}"
    if key == "kid":
        return f"{value + 0.0:.4f}"
    return f"{value:g}" if key == "rank" else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _interval(key: str, found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return ""
    return f"{_number(key, found['low'])} to {_number(key, found['high'])}"


# ---------------------------------------------------------------- pictures


def _best_and_worst(result: Mapping[str, Any]) -> str:
    for key in ("face_sim", "fgis", "clip_i", "clip_t"):
        metric = judge_metric(result, key)
        if metric is not None and metric["found"]["n"]:
            break
    else:
        return ""
    scored = [
        (picture["values"][metric["key"]], picture)
        for picture in result["pictures"]
        if picture["values"].get(metric["key"]) is not None
    ]
    scored.sort(key=lambda one: -one[0])
    each = min(_SHOWN, (len(scored) + 1) // 2)
    best, worst = scored[:each], scored[each:][-each:][::-1]
    title = f"{metric['title']} ({metric['network']})" if metric["network"] else metric["title"]
    missed = len(result["pictures"]) - len(scored)
    without = f" {missed:,} pictures have no such score and are in neither." if missed else ""

    def grid(head: str, chosen: Sequence[tuple[float, Mapping[str, Any]]]) -> str:
        pictures = [picture for _, picture in chosen]
        return (
            f"<h3>{head}</h3>{sheets.sheet(pictures, [_number(metric['key'], value) for value, _ in chosen])}"
        )

    return (
        f"<section><h2>Best and worst</h2><p>By {escape(title)}; in the corner the photo the model saw.{without}</p>"
        f"{grid(f'The {len(best)} best', best)}"
        f"{grid(f'The {len(worst)} worst, the worst first', worst) if worst else ''}</section>"
    )


# ---------------------------------------------------------------- groups


def _groups(result: Mapping[str, Any], which: str, title: str) -> str:
    groups: Mapping[str, Mapping[str, Any]] = result[which]
    metric = judge_metric(result, "face_sim") or judge_metric(result, "clip_i")
    text = judge_metric(result, "clip_t")
    if metric is None or not groups:
        return ""
    rows = []
    for name, values in sorted(groups.items(), key=lambda one: -_mean(one[1].get(metric["key"]))):
        found = values.get(metric["key"])
        follows = values.get(text["key"]) if text is not None else None
        rows.append(
            f"<tr><td>{escape(name)}</td><td class='num value'>{_number(metric['key'], found and found['mean'])}</td>"
            f"<td style='width:38%'>{charts.interval(found, charts.COSINE, metric['levels']) if found else 'no face'}"
            f"</td><td class='num'>{_number('clip_t', follows and follows['mean'])}</td></tr>"
        )
    return (
        f"<section class='small'><h2>{title}</h2><table><thead><tr><th></th><th class='num'>{escape(metric['title'])}"
        f"</th><th>{charts.ruler(charts.COSINE)}</th><th class='num'>CLIP-T</th></tr></thead>"
        f"<tbody>{''.join(rows[:60])}</tbody></table>"
        f"{f'<p>and {len(rows) - 60:,} more in the JSON</p>' if len(rows) > 60 else ''}</section>"
    )


def _mean(found: Mapping[str, Any] | None) -> float:
    return -2.0 if found is None or found["mean"] is None else float(found["mean"])


def _parts(result: Mapping[str, Any]) -> str:
    if not any(one["n"] for several in result["per_part"].values() for one in several.values()):
        return ""
    hows = list(next(iter(result["per_part"].values())))
    rows = []
    for region in REGIONS:
        several = result["per_part"].get(region.name, {})
        colour = "#{:02x}{:02x}{:02x}".format(*region.colour)
        cells = "".join(
            f"<td class='num value'>{_number('fgis', several[how]['mean'])}</td>"
            f"<td style='width:30%'>{charts.bar(several[how], _UNIT, colour)}</td>"
            for how in hows
        )
        rows.append(f"<tr><td>{region.label}</td>{cells}<td class='num'>{several[hows[0]]['n']:,}</td></tr>")
    heads = "".join(f"<th class='num'>{how}</th><th>{charts.ruler(_UNIT)}</th>" for how in hows)
    return (
        "<section class='small'><h2>By facial part (FGIS)</h2><p>Only where both pictures show the part. Masked crops "
        "are mostly black, so their cosines are high for everybody.</p>"
        f"<table><thead><tr><th></th>{heads}<th class='num'>n</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
        "</section>"
    )


# ---------------------------------------------------------------- what stands behind it


def _settings(result: Mapping[str, Any]) -> str:
    entries = "".join(
        f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>"
        for name, value in result["settings"].items()
        if value not in ("", None)
    )
    networks = "".join(
        f"<tr><td>{escape(one['role'])}</td><td>{escape(one['name'])}</td><td><code>{escape(one['sha256'])}</code></td></tr>"
        for one in result["networks"]
    )
    return (
        f"<section><h2>Settings</h2><dl class='settings'>{entries}</dl><h3>Networks that judged</h3>"
        f"<table><thead><tr><th>as</th><th>file</th><th>sha256</th></tr></thead><tbody>{networks}</tbody></table>"
        "<h3>Reading the numbers</h3><p>Intervals resample people where there are five or more of them, else pictures. "
        "A likeness by the recogniser that conditions the picture flatters it. Values of other image sets, prompts, "
        "recognisers or programs cannot be compared with these.</p></section>"
    )


def _left_out(result: Mapping[str, Any]) -> str:
    missing = _listed((one["metric"], one["why"], "") for one in result["not_computed"])
    problems = _listed((one["name"], one["reason"], one["detail"]) for one in result["problems"][:200])
    found = ""
    if missing:
        found += f"<section><h2>Not computed</h2><table>{missing}</table></section>"
    if problems:
        more = len(result["problems"]) - 200
        note = f"<p>and {more:,} more in the JSON</p>" if more > 0 else ""
        found += f"<section><h2>Not taken, or taken in part</h2><table>{problems}</table>{note}</section>"
    return found


def _listed(rows: Iterable[tuple[str, str, str]]) -> str:
    return "".join(f"<tr>{''.join(f'<td>{escape(str(text))}</td>' for text in row)}</tr>" for row in rows)


def _published() -> str:
    tables = "".join(
        f"<h3>{escape(one.title)}</h3><table><thead>{_line('th', one.columns)}</thead>"
        f"<tbody>{''.join(_line('td', row) for row in one.rows)}</tbody></table>"
        for one in PUBLISHED
    )
    return (
        "<section class='apart'><h2>What papers print<span class='stamp'>not comparable</span></h2>"
        "<p>Other people, prompts, recognisers and programs. One and the same model has FaceSim 77.2 in one table of "
        f"its paper and 62.9 in another. Compare orders within a table, never values between tables.</p>{tables}"
        "</section>"
    )


def _line(tag: str, texts: Sequence[str]) -> str:
    """A row of a name and numbers."""
    first, *others = texts
    cells = "".join(f"<{tag} class='num'>{escape(text)}</{tag}>" for text in others)
    return f"<tr><{tag}>{escape(first)}</{tag}>{cells}</tr>"
