"""What scoring found, before it becomes a result."""

from dataclasses import dataclass, field

import numpy as np

from .intervals import Estimate
from .metrics.distribution import Distance
from .metrics.null_levels import NullLevel

HIGHER, LOWER = "higher", "lower"
NOT_GIVEN = "weights not given"


@dataclass
class Metric:
    """values: one for each row; NaN where it is missing.  defined: rows in which it could have a value."""

    key: str
    title: str
    network: str
    better: str
    values: np.ndarray
    defined: np.ndarray | None = None
    counts_misses: bool = False
    median: bool = False
    levels: list[NullLevel] = field(default_factory=list)
    note: str = ""


@dataclass
class Findings:
    """metrics: with a value for each row.  missing: what was not computed, and why.

    per_part: FGIS by region and crop.  distances: FID and KID.  diversity: None if unknown.  times: by phase.
    """

    metrics: list[Metric] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    per_part: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    distances: dict[str, Distance] = field(default_factory=dict)
    diversity: Estimate | None = None
    times: dict[str, Estimate] = field(default_factory=dict)

    def add(self, metric: Metric) -> None:
        self.metrics.append(metric)

    def leave_out(self, metric: str, why: str) -> None:
        self.missing.append({"metric": metric, "why": why})
