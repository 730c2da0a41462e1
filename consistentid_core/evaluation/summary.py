"""Findings as a result: estimates of everything, in the form that is written to a file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import numpy as np

from .findings import HIGHER, LOWER, Findings, Metric
from .intervals import Estimate, estimate, estimate_median
from .material import Material
from .metrics.likeness import misses_as_zero
from .metrics.speed import PHASES
from .pictures import Item
from .result import FORMAT, VERSION, Result, estimate_to_json

#: With more people than this, each of them has a mean without an interval.
_MOST_INTERVALS = 60


def result(m: Material, out: Findings) -> Result:
    """The result, in the form of docs/evaluation.md."""
    people = [row.subject.name for row in m.rows]
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": m.collection.name,
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "settings": {**m.collection.settings, "face of several": m.order},
        "networks": [asdict(one) | {"stand_in": one.is_stand_in} for one in m.networks.used],
        "counts": _counts(m),
        "metrics": [_metric(m, metric) for metric in out.metrics] + _other_metrics(m, out),
        "not_computed": out.missing,
        "per_person": _grouped(out, people),
        "per_category": _grouped(out, [row.item.category for row in m.rows]),
        "per_part": {
            region: {how: estimate_to_json(one) for how, one in several.items()}
            for region, several in out.per_part.items()
        },
        "pictures": _pictures(m, out),
        "problems": [asdict(one) for one in m.problems],
        "warnings": out.warnings,
    }


def _counts(m: Material) -> dict[str, int]:
    return {
        "pictures": len(m.items),
        "people": len(m.people),
        "prompts": len({item.prompt for item in m.items} - {""}),
        "photos": len({path for one in m.subjects for path in (one.reference, *one.others)}),
        "plain": len({item.plain for item in m.items} - {None}),
        "problems": len(m.problems),
    }


def _metric(m: Material, metric: Metric) -> dict[str, Any]:
    defined = np.ones(len(m.rows), bool) if metric.defined is None else metric.defined
    values = _known(metric)
    found = m.whole(values, estimate_median if metric.median else estimate)
    zero = None
    if metric.counts_misses:
        zero = estimate_to_json(m.whole(np.where(defined, misses_as_zero(metric.values), np.nan)))
    return {
        "key": metric.key,
        "title": metric.title,
        "network": metric.network,
        "better": metric.better,
        "statistic": "median" if metric.median else "mean",
        "found": estimate_to_json(found),
        "as_zero": zero,
        "missed": int((defined & np.isnan(metric.values)).sum()) if metric.counts_misses else 0,
        "levels": [asdict(level) for level in metric.levels],
        "note": metric.note,
    }


def _known(metric: Metric) -> np.ndarray:
    """The values of the rows in which there can be one."""
    return metric.values if metric.defined is None else np.where(metric.defined, metric.values, np.nan)


def _other_metrics(m: Material, out: Findings) -> list[dict[str, Any]]:
    """What is not a mean over pictures."""
    found: list[dict[str, Any]] = []

    def add(key: str, title: str, better: str, one: Estimate, network: str = "", note: str = "") -> None:
        found.append(
            {
                "key": key,
                "title": title,
                "network": network,
                "better": better,
                "statistic": "mean",
                "found": estimate_to_json(one),
                "as_zero": None,
                "missed": 0,
                "levels": [],
                "note": note,
            }
        )

    if out.diversity is not None:
        perceptual = m.networks.perceptual
        assert perceptual is not None
        add("diversity", "Diversity of faces (LPIPS)", HIGHER, out.diversity, perceptual.name)
    for key, one in out.distances.items():
        assert m.networks.inception is not None
        value = Estimate(one.drawn, one.value, float("nan"), float("nan"))
        note = f"{one.drawn:,} pictures, {one.photos:,} photos" + (", too few" if one.is_small else "")
        # No bootstrap interval, so it does not stand where those do.
        note += f", ± {one.spread:.4f} between subsets" if np.isfinite(one.spread) else ""
        add(key, key.upper(), LOWER, value, m.networks.inception.name, note)
    for phase, times in out.times.items():
        add(f"seconds_{phase}", f"Seconds, {PHASES[phase]}", LOWER, times)
    return found


def _grouped(out: Findings, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    groups = {name: number for number, name in enumerate(dict.fromkeys(names))}
    places = np.array([groups[name] for name in names])
    found: dict[str, dict[str, Any]] = {}
    for group, number in groups.items():
        found[group] = {}
        for metric in out.metrics:
            inside = places == number
            if metric.defined is not None:
                inside &= metric.defined
            values = metric.values[inside]
            if np.isnan(values).all():
                continue
            if metric.median:
                one = (
                    estimate_median(values) if len(groups) <= _MOST_INTERVALS else _bare(values, np.nanmedian)
                )
            else:
                one = estimate(values) if len(groups) <= _MOST_INTERVALS else _bare(values, np.nanmean)
            found[group][metric.key] = estimate_to_json(one)
    return found


def _pictures(m: Material, out: Findings) -> list[dict[str, Any]]:
    known = {metric.key: _known(metric) for metric in out.metrics}
    entries = []
    for number, row in enumerate(m.rows):
        item: Item = row.item
        boxes = None if m.boxes is None else m.boxes[number]
        entries.append(
            {
                "name": item.name,
                "file": str(item.picture),
                "content": m.contents[item.picture],
                "person": row.subject.name,
                "reference": str(row.subject.reference),
                "plain": str(item.plain) if item.plain is not None else None,
                "prompt": item.prompt,
                "category": item.category,
                "seed": item.seed,
                "seconds": item.seconds or None,
                "phase": item.phase or None,
                "faces": None if boxes is None else len(boxes),
                "box": boxes[0].tolist() if boxes is not None and len(boxes) else None,
                "values": {key: float(values[number]) for key, values in known.items()},
            }
        )
    return entries


def _bare(values: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> Estimate:
    return Estimate(int((~np.isnan(values)).sum()), float(statistic(values)), float("nan"), float("nan"))
