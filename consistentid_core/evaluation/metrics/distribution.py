"""FID and KID: how far a set of pictures is from a set of photos, as Inception sees them.

Both say little below a few thousand pictures: FID is then mostly the number of pictures. Source: EVALUATION 2.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Below, FID depends more on the number of pictures than on the pictures.
FEWEST = 2048
_SUBSETS, _SUBSET = 100, 1000
_SEED = 0


@dataclass(frozen=True)
class Distance:
    """drawn, photos: how many there were.  spread: of KID over its subsets; NaN for FID."""

    value: float
    drawn: int
    photos: int
    spread: float = float("nan")

    @property
    def is_small(self) -> bool:
        return min(self.drawn, self.photos) < FEWEST


def fid(drawn: np.ndarray, photos: np.ndarray) -> Distance:
    """Fréchet distance of two sets of features, (n, d) and (m, d), at least two each.

    The trace of the root of the covariances' product is the sum of the singular values of the centred features'
    product: the same number as torchmetrics', without the eigenvalues of a 2048 × 2048 matrix.
    """
    a, b = (features.astype(np.float64) for features in (drawn, photos))
    _check(a, b)
    shift = a.mean(0) - b.mean(0)
    a, b = (_root(one) for one in (a, b))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    value = shift @ shift + (a**2).sum() + (b**2).sum() - 2.0 * cross
    return Distance(float(max(value, 0.0)), len(drawn), len(photos))


def kid(drawn: np.ndarray, photos: np.ndarray) -> Distance:
    """Kernel distance of two sets of features, mean over random subsets; the draws are the same every time."""
    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    _check(drawn, photos)
    size = min(_SUBSET, len(drawn), len(photos))
    # One subset of everything where there is no more: subsets of it would be the same ones again.
    several = max(len(drawn), len(photos)) > size
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it keeps all features, which are here already
        torch.manual_seed(_SEED)
        metric = KernelInceptionDistance(
            feature=_pass_through(drawn.shape[1]),
            subsets=_SUBSETS if several else 1,
            subset_size=size,
        )
        metric.update(torch.from_numpy(photos).double(), real=True)
        metric.update(torch.from_numpy(drawn).double(), real=False)
        mean, spread = metric.compute()
    return Distance(float(mean), len(drawn), len(photos), float(spread) if several else float("nan"))


def _pass_through(width: int) -> Any:
    """What torchmetrics calls a network: features pass through it."""
    import torch

    network = torch.nn.Identity()
    network.num_features = width  # type: ignore[assignment]
    return network


def _check(drawn: np.ndarray, photos: np.ndarray) -> None:
    if (
        drawn.ndim != 2
        or photos.ndim != 2
        or drawn.shape[1] != photos.shape[1]
        or min(len(drawn), len(photos)) < 2
    ):
        raise ValueError(
            f"FID and KID compare (n, d) with (m, d) features, two pictures or more each; found {drawn.shape} and "
            f"{photos.shape}."
        )


def _root(features: np.ndarray) -> np.ndarray:
    """A matrix R of as few rows as possible with R'R the covariance."""
    centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred
