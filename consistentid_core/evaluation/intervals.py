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
#: Numbers of one array while resampling; more need memory and are no faster.
_MOST_NUMBERS = 4_000_000


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


def estimate_median(values: np.ndarray, groups: Sequence[Hashable] | None = None) -> Estimate:
    """The median in place of the mean; see :func:`estimate`."""
    values = np.asarray(values, np.float64)
    kept = ~np.isnan(values)
    found = values[kept]
    people, units = _units(kept, groups)
    median = float(np.median(found)) if len(found) else float("nan")
    if len(set(units)) < 2:
        return Estimate(len(found), median, float("nan"), float("nan"), people)
    order = np.argsort(found)
    found, units = found[order], units[order]
    drawn, number = np.random.default_rng(_SEED), int(units.max()) + 1
    medians: list[np.ndarray] = []
    for start in range(0, RESAMPLES, step := _at_once(len(found))):
        size = min(step, RESAMPLES - start)
        # How often each is drawn; of the values in order, the one or two in the middle of all draws.
        upto = drawn.multinomial(number, np.full(number, 1 / number), size=size)[:, units].cumsum(axis=1)
        middle = [(upto > (upto[:, -1:] - less) // 2).argmax(axis=1) for less in (1, 0)]
        medians.append((found[middle[0]] + found[middle[1]]) / 2)
    low, high = np.quantile(np.concatenate(medians), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Estimate(len(found), median, float(low), float(high), people)


def _units(kept: np.ndarray, groups: Sequence[Hashable] | None) -> tuple[int, np.ndarray]:
    """What is resampled: how many people there are, or 0, and the number of each kept value's own."""
    names = [] if groups is None else [group for group, keep in zip(groups, kept, strict=True) if keep]
    places = {name: number for number, name in enumerate(dict.fromkeys(names))}
    if len(places) < FEWEST_GROUPS:
        return 0, np.arange(int(kept.sum()))
    return len(places), np.array([places[name] for name in names])


def _at_once(values: int) -> int:
    """Draws that are held in memory together."""
    return min(RESAMPLES, max(1, _MOST_NUMBERS // values))


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
    people, units = _units(kept, groups)
    sums, counts = np.bincount(units, found), np.bincount(units).astype(np.float64)
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
            batch=_at_once(len(sums)),
            # Corrected for bias and skewness where there is enough to correct by, and not so much that none is left.
            method="BCa" if 10 <= len(sums) <= RESAMPLES else "percentile",
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


def paired_test(
    a: np.ndarray, b: np.ndarray, groups: Sequence[Hashable] | None = None
) -> tuple[Estimate, float]:
    """The mean of b - a with its interval, and the chance of such a difference if there were none.

    a, b: (n,) values of the same pictures; pairs with a NaN are left out.  groups: as of :func:`estimate`.
    The chance is that of a sign-flip permutation test, two-sided; NaN with fewer than two pairs. With people enough
    to resample, the sign of all pictures of a person is flipped at once.
    """
    from scipy.stats import permutation_test

    difference = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    kept = ~np.isnan(difference)
    found = estimate(difference, groups)
    flipped = np.bincount(_units(kept, groups)[1], difference[kept])
    if len(flipped) < 2:
        return found, float("nan")
    if not flipped.any():
        return found, 1.0
    test = permutation_test(
        (flipped,),
        lambda values, axis=-1: np.mean(values, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=10_000,
        batch=1000,
        **_same_draws(permutation_test),
    )
    return found, float(test.pvalue)
