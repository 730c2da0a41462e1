"""The learning rate over the steps of a run, and the weight of a time step in the noise loss."""

import math
from typing import Literal

from torch import Tensor

Schedule = Literal["constant", "cosine"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "cosine")

#: What the original predicts with, and what some SDXL and all SD2 models predict.
Prediction = Literal["noise", "velocity"]


def learning_rate_factor(step: int, *, schedule: Schedule, warmup_steps: int, total_steps: int) -> float:
    """What the learning rate is multiplied with at a step, 0 to 1.

    step: counted from 0.  The first ``warmup_steps`` rise linearly to 1; ``cosine`` then falls to 0 at the end.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def min_snr_weights(alphas_cumprod: Tensor, *, gamma: float, predicts: Prediction) -> Tensor:
    """Weights of samples that keep easy time steps from ruling the noise loss.

    alphas_cumprod: (B,), of each sample's time step.  gamma: 5 is usual.
    Source: arXiv 2303.09556.
    """
    ratio = alphas_cumprod / (1 - alphas_cumprod)
    return ratio.clamp(max=gamma) / (ratio if predicts == "noise" else ratio + 1)
