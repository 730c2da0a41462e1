"""Means with the interval in which they may as well lie."""

import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

#: With fewer people than this, resampling people says little; pictures are resampled then.
FEWEST_GROUPS = 5
RESAMPLES = 2000
_SEED = 20240416
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """n: how many values.  mean, low, high: NaN without values; low and high also with a single one.

    groups: how many people were resampled; 0 where pictures were.
    """

    n: int
    mean: float
    low: float
    high: float
    groups: int = 0


def estimate(values: np.ndarray, groups: Sequence[Hashable] | None = None) -> Estimate:
    """The mean of values, NaN left out, with a bootstrap interval of 95 %.

    values: (n,).  groups: whose each value is. Pictures of one person resemble each other, so people are
    resampled and not pictures if there are at least :data:`FEWEST_GROUPS`.
    The draws are the same every time.
    """
    return _estimate(values, groups, lambda sums, counts: sums.sum(-1) / counts.sum(-1))


def estimate_median(values: np.ndarray) -> Estimate:
    """The median in place of the mean; pictures are resampled."""
    found = values[~np.isnan(values)]
    if len(found) < 2:
        return Estimate(len(found), *(float(found[0]) if len(found) else np.nan, np.nan, np.nan))
    draws = np.random.default_rng(_SEED).integers(len(found), size=(RESAMPLES, len(found)))
    low, high = np.quantile(np.median(found[draws], axis=1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Estimate(len(found), float(np.median(found)), float(low), float(high))


def _estimate(
    values: np.ndarray,
    groups: Sequence[Hashable] | None,
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Estimate:
    from scipy.stats import bootstrap

    values = np.asarray(values, np.float64)
    kept = ~np.isnan(values)
    found = values[kept]
    mean = float(found.mean()) if len(found) else float("nan")
    names = [] if groups is None else [group for group, keep in zip(groups, kept, strict=True) if keep]
    people = len(set(names))
    if people >= FEWEST_GROUPS:
        places = {name: number for number, name in enumerate(dict.fromkeys(names))}
        numbers = np.array([places[name] for name in names])
        sums, counts = np.bincount(numbers, found), np.bincount(numbers).astype(np.float64)
    else:
        people, sums, counts = 0, found, np.ones(len(found))
    if len(sums) < 2:
        return Estimate(len(found), mean, float("nan"), float("nan"), people)
    if np.ptp(sums / counts) == 0:
        return Estimate(len(found), mean, mean, mean, people)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of draws that are all alike; the check below catches what matters
        result = bootstrap(
            (sums, counts),
            lambda sums, counts, axis=-1: statistic(sums, counts),
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=LEVEL,
            # Corrected for bias and skewness where there is enough to correct by.
            method="BCa" if len(sums) >= 10 else "percentile",
            **_same_draws(bootstrap),
        )
    low, high = (float(end) for end in result.confidence_interval)
    if not np.isfinite([low, high]).all():
        low, high = (
            float(end)
            for end in np.quantile(result.bootstrap_distribution, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        )
    return Estimate(len(found), mean, low, high, people)


def _same_draws(function: Callable[..., Any]) -> dict[str, np.random.Generator]:
    """The generator under the name that this version of SciPy has for it."""
    name = "rng" if "rng" in signature(function).parameters else "random_state"
    return {name: np.random.default_rng(_SEED)}


def paired_test(a: np.ndarray, b: np.ndarray) -> tuple[Estimate, float]:
    """The mean of b - a with its interval, and the chance of such a difference if there were none.

    a, b: (n,) values of the same pictures; pairs with a NaN are left out.
    The chance is that of a sign-flip permutation test, two-sided; NaN with fewer than two pairs.
    """
    from scipy.stats import permutation_test

    difference = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    difference = difference[~np.isnan(difference)]
    found = estimate(difference)
    if len(difference) < 2:
        return found, float("nan")
    if not difference.any():
        return found, 1.0
    test = permutation_test(
        (difference,),
        lambda values, axis=-1: np.mean(values, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=10_000,
        batch=1000,
        **_same_draws(permutation_test),
    )
    return found, float(test.pvalue)
