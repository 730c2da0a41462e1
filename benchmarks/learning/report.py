"""What was found: numbers of all seeds as JSON, and as the table of docs/learning.md. Needs nothing but Python."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "learning.json"
PAGE = ROOT / "docs" / "learning.md"
BEGIN, END = "<!-- table: begin, written by python -m benchmarks.learning -->", "<!-- table: end -->"


def write(recipe: str, found: Mapping[str, Any], path: Path = RESULTS) -> None:
    """Keep what a recipe found, in place of what it found before."""
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    known[recipe] = found
    path.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def write_page(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Put the table between the marks of the page."""
    before, rest = page.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    table = markdown(json.loads(results.read_text("utf-8")))
    page.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", "utf-8")


def markdown(results: Mapping[str, Any]) -> str:
    """For each recipe a table: a row for each number, the median of the seeds with the lowest and highest."""
    return "\n".join(_table(recipe, found) for recipe, found in results.items())


def _table(recipe: str, found: Mapping[str, Any]) -> str:
    settings, seeds = found["recipe"], found["seeds"]
    lines = [
        f"**{recipe}**: {settings['people']} people with {settings['pictures']} pictures each, "
        f"{settings['held_out']} held out; {settings['base_steps']} steps of the base, {settings['steps']} of "
        f"ConsistentID with {settings['batch_size']} portraits; seeds {', '.join(seeds)}; {found['conditions']}.",
        "",
        "| | trained | identities shuffled | asked for |",
        "| --- | ---: | ---: | --- |",
    ]
    trained, shuffled = ([seed[kind] for seed in seeds.values()] for kind in ("trained", "shuffled"))
    for row, asked in _ROWS.items():
        lines.append(f"| {row} | {_spread(trained, row)} | {_spread(shuffled, row)} | {asked} |")
    return "\n".join(lines) + "\n"


#: Rows of the table, and what is asked for in them.
_ROWS = {
    "localisation loss before": "",
    "localisation loss after": "at least 0.1 lower, t > 3",
    **{
        f"“{word}”: attention inside its part ÷ outside, {when}": asked
        for word in ("face", "ears", "eyes", "nose", "mouth")
        for when, asked in (("before", ""), ("after", "> 1.5, and 1.2 times as before"))
    },
    **{
        f"“{word}”: its attention in its part ÷ that of the other words": ""
        for word in ("face", "ears", "eyes", "nose", "mouth")
    },
    "loss with the right identity": "",
    "loss with a wrong one": "",
    "loss with nobody": "",
    "wrong − right: t": "> 3; shuffled: not",
    "people for whom the right one is better": "",
    "nobody − wrong: t": "≤ 3",
}


def row_values(
    before: Mapping[str, Any], after: Mapping[str, Any], t: Mapping[str, float]
) -> dict[str, float]:
    """The values of the table's rows; before, after: from ``Experiment.measure``; t: of the two paired tests."""
    looks, losses = "inside_over_outside", after["losses"]

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    right_is_better = [one < other for one, other in zip(losses["right"], losses["wrong"], strict=True)]
    values = {
        "localisation loss before": mean(before["losses"]["localisation"]),
        "localisation loss after": mean(losses["localisation"]),
        "loss with the right identity": mean(losses["right"]),
        "loss with a wrong one": mean(losses["wrong"]),
        "loss with nobody": mean(losses["nobody"]),
        "people for whom the right one is better": mean(right_is_better),
        "wrong − right: t": t["wrong"],
        "nobody − wrong: t": t["nobody"],
    }
    for word in after[looks]:
        for when, of in (("before", before), ("after", after)):
            values[f"“{word}”: attention inside its part ÷ outside, {when}"] = of[looks][word]
    for word, value in after["own_over_others"].items():
        values[f"“{word}”: its attention in its part ÷ that of the other words"] = value
    return {name: round(values[name], 4) for name in _ROWS}


def _spread(seeds: Sequence[Mapping[str, float]], row: str) -> str:
    values = sorted(seed[row] for seed in seeds)
    digits = 0 if "people" in row else 1 if row.endswith(": t") else 2 if "÷" in row else 4
    shown = [
        f"{100 * v:.0f} %" if "people" in row else f"{v:.{digits}f}"
        for v in (median(values), values[0], values[-1])
    ]
    return shown[0] if len(values) == 1 else f"{shown[0]} ({shown[1]} … {shown[2]})"
