"""Does the model use the identity? The noise loss of portraits it never trained on, with three identities.

The same pictures, texts, noise and time steps are predicted with the right person, with another person and with
nobody. A model that learns likeness predicts better with the right one; the differences are paired, so a few
pictures show it long before samples do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import torch

from .attention import TrainedAttention
from .attention_maps import ATTENTION_COLUMNS
from .config import TrainingConfig
from .frozen import FrozenModels
from .held_out import held_out_batch
from .modules import TrainedModules
from .processes import Processes
from .samples import SampleSource
from .step import batch_losses, with_identity_of, with_nobody

NOISE_COLUMNS = ("right", "wrong", "nobody", "right_better_than_wrong", "t_wrong", "t_nobody", "localisation")

#: Of ``validation.csv``.
COLUMNS = (*NOISE_COLUMNS, *ATTENTION_COLUMNS)


@dataclass(frozen=True)
class Validation:
    """Noise losses of each (picture, time step), in the same order; localisation: with the right person, unweighted."""

    right: tuple[float, ...]
    wrong: tuple[float, ...]
    nobody: tuple[float, ...]
    localisation: tuple[float, ...]

    def summary(self) -> dict[str, float]:
        """The values of :data:`NOISE_COLUMNS`."""
        pairs = list(zip(self.right, self.wrong, strict=True))
        return {
            "right": fmean(self.right),
            "wrong": fmean(self.wrong),
            "nobody": fmean(self.nobody),
            "right_better_than_wrong": fmean(right < wrong for right, wrong in pairs),
            "t_wrong": paired_t(self.wrong, self.right),
            "t_nobody": paired_t(self.nobody, self.right),
            "localisation": fmean(self.localisation),
        }


def paired_t(larger: Sequence[float], smaller: Sequence[float]) -> float:
    """How clearly one row of numbers lies above another, in standard errors of their differences."""
    differences = [one - other for one, other in zip(larger, smaller, strict=True)]
    if len(differences) < 2 or not stdev(differences):
        return 0.0
    return fmean(differences) / (stdev(differences) / sqrt(len(differences)))


@torch.no_grad()
def validate(
    samples: SampleSource,
    modules: TrainedModules,
    attention: TrainedAttention,
    frozen: FrozenModels,
    config: TrainingConfig,
    processes: Processes,
) -> Validation:
    """Predict every sample at every time step of the configuration; nothing in it is random from call to call.

    samples: at least two, of different people. The processes share the time steps among them.
    """
    timesteps = config.validation_timesteps
    losses = torch.zeros(4, len(timesteps), len(samples), device=frozen.device)
    for number in range(processes.rank, len(timesteps), processes.world):
        for start in range(0, len(samples), config.batch_size):
            stop = min(start + config.batch_size, len(samples))
            # The last one's wrong person is the first of the next batch, which comes along for that.
            chosen = [*range(start, stop), stop % len(samples)]
            found = _losses(samples, chosen, timesteps[number], modules, attention, frozen, config)
            losses[:, number, start:stop] = found[:, :-1]
    processes.add_up([losses])
    return Validation(*(tuple(row.flatten().tolist()) for row in losses))


def _losses(
    samples: SampleSource,
    chosen: Sequence[int],
    timestep: int,
    modules: TrainedModules,
    attention: TrainedAttention,
    frozen: FrozenModels,
    config: TrainingConfig,
) -> torch.Tensor:
    """Right, wrong, nobody and localisation of some samples at one time step, (4, n)."""
    _, batch = held_out_batch(samples, chosen, timestep, frozen, config)
    neighbours = [*range(1, len(chosen)), 0]
    right = batch_losses(batch, modules, attention, frozen, config)
    wrong = batch_losses(with_identity_of(batch, neighbours), modules, attention, frozen, config)
    nobody = batch_losses(with_nobody(batch, frozen), modules, attention, frozen, config)
    return torch.stack((right.noise, wrong.noise, nobody.noise, right.localisation))
