"""Two results, picture by picture: what changed, by how much, and whether chance alone would do as much."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..errors import EvaluationError
from .intervals import paired_test
from .result import Result, metric_of

FORMAT, VERSION = "consistentid-comparison", 1


def compare(a: Result, b: Result) -> dict[str, Any]:
    """Pairs of pictures with the same person, prompt and seed (else the same name), and the metrics of both.

    Raises EvaluationError if no picture can be paired or no metric is in both.
    """
    ours, theirs = (_by_key(result) for result in (a, b))
    shared = [key for key in ours if key in theirs]
    if not shared:
        raise EvaluationError(
            f"No picture of '{a['name']}' has a partner in '{b['name']}': paired are those with the same person, "
            "prompt and seed. Draw both from the same people, prompts and --seed."
        )
    metrics, other_networks = [], []
    for metric in a["metrics"]:
        twin = metric_of(b, metric["key"])
        if twin is None or not any(metric["key"] in ours[key]["values"] for key in shared[:1]):
            continue
        if _checkpoint(a, metric) != _checkpoint(b, twin):
            other_networks.append(metric["key"])
            continue
        metrics.append(_difference(metric, [ours[key] for key in shared], [theirs[key] for key in shared]))
    if not metrics:
        raise EvaluationError(
            f"'{a['name']}' and '{b['name']}' have no metric of the same networks in common. Score both with the same "
            "files."
        )
    return {
        "format": FORMAT,
        "version": VERSION,
        "a": a["name"],
        "b": b["name"],
        "pairs": len(shared),
        "only_a": len(ours) - len(shared),
        "only_b": len(theirs) - len(shared),
        "same_seed": all(ours[key]["seed"] is not None for key in shared),
        "settings": {
            name: [a["settings"].get(name), b["settings"].get(name)]
            for name in dict.fromkeys((*a["settings"], *b["settings"]))
            if a["settings"].get(name) != b["settings"].get(name)
        },
        "metrics": metrics,
        "other_networks": other_networks,
    }


def described(found: Mapping[str, Any]) -> str:
    """A comparison as text."""
    lines = [
        f"{found['b']} compared with {found['a']}: {found['pairs']:,} pairs of pictures with the same person, prompt "
        + ("and seed" if found["same_seed"] else "and name")
        + f"; {found['only_a']:,} only in the first, {found['only_b']:,} only in the second.",
        *(
            f"  {name}: {old} -> {new}"
            for name, (old, new) in found["settings"].items()
            if not isinstance(old, list | dict)
        ),
        "",
        f"{'metric':<44}{'first':>9}{'second':>9}{'difference, 95 %':>28}{'p':>9}{'pairs':>8}",
    ]
    for metric in found["metrics"]:
        one = metric["difference"]
        interval = f"{one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
        name = f"{metric['title']} ({metric['network']})" if metric["network"] else metric["title"]
        lines.append(
            f"{name[:43]:<44}{metric['a']:>9.3f}{metric['b']:>9.3f}{interval:>28}{metric['p']:>9.4f}{one['n']:>8,}"
        )
    if found["other_networks"]:
        lines.append(f"Judged by different networks, so not compared: {', '.join(found['other_networks'])}")
    lines.append(
        "p: how often signs flipped at random differ as much, a person's all at once where there are five people or "
        "more. With many metrics, some are small by chance."
    )
    return "\n".join(lines)


def _by_key(result: Result) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for picture in result["pictures"]:
        if picture.get("seed") is not None:
            key: tuple[Any, ...] = (picture["person"], picture["prompt"], picture["seed"])
        else:
            key = (picture["person"], picture["prompt"], picture["name"])
        found.setdefault(key, picture)
    return found


def _checkpoint(result: Result, metric: Mapping[str, Any]) -> tuple[str, ...]:
    """The sha256 of the networks of a metric's name."""
    return tuple(sorted(one["sha256"] for one in result["networks"] if one["name"] == metric["network"]))


def _difference(
    metric: Mapping[str, Any], a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    first, second = (
        np.array([_number(picture["values"].get(metric["key"])) for picture in pictures])
        for pictures in (a, b)
    )
    both = ~np.isnan(first) & ~np.isnan(second)
    difference, chance = paired_test(first, second, [picture["person"] for picture in a])
    return {
        "key": metric["key"],
        "title": metric["title"],
        "network": metric["network"],
        "better": metric["better"],
        "a": float(first[both].mean()) if both.any() else math.nan,
        "b": float(second[both].mean()) if both.any() else math.nan,
        "difference": asdict(difference),
        "p": chance,
    }


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
