"""Keeping the identity where and when it belongs; all of it optional, nothing of it in the original.

Strong ID tokens act on every position of the picture and at every step, so clothes, light and
composition of the photo may leak in. The measures here follow ideas of two papers whose weights and
constants are not ConsistentID's: SpatialID (arXiv 2602.13994: a mask from the response of the cross
attention, with a centred prior first and a relaxed mask last) and UniID (arXiv 2512.03964:
normalised rescaling of the identity branch, two phases). The constants are our own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Curve = Literal["constant", "linear in", "linear out", "ease in", "ease out", "ease in-out"]

#: Factor of the weight over the share of steps done, 0..1.
CURVES: dict[Curve, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear in": lambda done: done,
    "linear out": lambda done: 1.0 - done,
    "ease in": lambda done: 1.0 - math.cos(done * math.pi / 2),
    "ease out": lambda done: math.cos(done * math.pi / 2),
    "ease in-out": lambda done: math.sin(done * math.pi),
}

#: Shares of the steps at which the self-derived mask takes over from the prior, and begins to relax.
MASK_FROM, RELAX_FROM = 0.2, 0.7
#: How open the mask is at the last step: 1 would be no mask.
OPEN_AT_THE_END = 0.5
#: Width of the centred prior, as a share of the picture's sides.
PRIOR_WIDTH = 0.25
#: How sharply a position counts as face or as surroundings.
MASK_SHARPNESS = 10.0

_EPSILON = 1e-6


@dataclass(frozen=True)
class LeakControl:
    """What to do against leaks; the defaults do nothing.

    curve: how the weight changes over the steps.
    early_factor, early_share: factor of the weight in the first share (0..1) of the steps.
    norm_limit: the longest a position's reading of the ID tokens may be, relative to its reading of
    the text; 0 for no limit.
    self_mask: let the ID tokens act only where they respond.
    """

    curve: Curve = "constant"
    early_factor: float = 1.0
    early_share: float = 0.2
    norm_limit: float = 0.0
    self_mask: bool = False

    @property
    def changes_weight(self) -> bool:
        """Whether the weight is not the same at all steps."""
        return self.curve != "constant" or self.early_factor != 1.0

    @property
    def changes_attention(self) -> bool:
        """Whether what a position reads is changed, beyond its weight."""
        return self.norm_limit > 0 or self.self_mask

    def weight_factors(self, steps: int) -> list[float]:
        """The factor of the weight at each step."""
        curve = CURVES[self.curve]
        shares = _shares(steps)
        return [curve(done) * (self.early_factor if done < self.early_share else 1.0) for done in shares]


def mask_stages(steps: int) -> list[tuple[float, float, float]]:
    """For each step the shares of the centred prior, the self-derived mask and no mask; they sum to 1."""
    stages = []
    for done in _shares(steps):
        if done < MASK_FROM:
            stages.append((1.0, 0.0, 0.0))
        else:
            relaxed = max(0.0, (done - RELAX_FROM) / (1 - RELAX_FROM)) * OPEN_AT_THE_END
            stages.append((0.0, 1.0 - relaxed, relaxed))
    return stages


def limit_norm(text: Tensor, person: Tensor, limit: float) -> Tensor:
    """Shorten what a position reads from the ID tokens to ``limit`` times what it reads from the text.

    text, person: (B, positions, width).  Shorter readings stay as they are.
    """
    longest = limit * text.norm(dim=-1, keepdim=True)
    return person * (longest / (person.norm(dim=-1, keepdim=True) + _EPSILON)).clamp(max=1.0)


def response_mask(person: Tensor, height: int, width: int) -> Tensor:
    """Where the picture responds to the ID tokens: (B, positions, width) -> (B, positions, 1), 0..1.

    The length of the reading, smoothed over neighbours, above or below its mean over the picture.
    """
    response = person.norm(dim=-1).unflatten(1, (height, width))[:, None]
    response = functional.avg_pool2d(response, 3, stride=1, padding=1, count_include_pad=False).flatten(1)
    low, high = response.amin(1, keepdim=True), response.amax(1, keepdim=True)
    relative = (response - low) / (high - low + _EPSILON)
    return torch.sigmoid(MASK_SHARPNESS * (relative - relative.mean(1, keepdim=True)))[..., None]


def centred_prior(height: int, width: int, like: Tensor) -> Tensor:
    """A Gaussian in the middle of the picture: (1, positions, 1), 1 at the centre."""
    y, x = (
        (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size - 0.5
        for size in (height, width)
    )
    distance = y[:, None] ** 2 + x[None, :] ** 2
    return torch.exp(-distance / (2 * PRIOR_WIDTH**2)).reshape(1, -1, 1)


def mask_person(person: Tensor, height: int, width: int, stage: Tensor) -> Tensor:
    """What is read from the ID tokens, kept where it belongs at this stage.

    person: (B, positions, width).  stage: (3,), one row of :func:`mask_stages`.
    """
    prior = centred_prior(height, width, person)
    mask = stage[0] * prior + stage[1] * response_mask(person, height, width) + stage[2]
    return person * mask


def _shares(steps: int) -> list[float]:
    """How much of the sampling is done before each step, 0 for the first and 1 for the last."""
    return [step / max(steps - 1, 1) for step in range(steps)]
