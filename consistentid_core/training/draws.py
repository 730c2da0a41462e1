"""Everything random in training, drawn anew from (seed, step, position) whenever it is needed.

Draws belong to samples, not to generators: no generator runs on from step to step, so nothing of one is
saved, a resumed run draws what the uninterrupted one would have drawn, and two processes draw together what
one draws alone. A *position* counts the samples of the global batch of one step, from 0.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

import torch
from torch import Tensor


@dataclass(frozen=True)
class SampleDraws:
    """What is drawn for one sample of one step.

    timestep: of the diffusion, 0 and up.  is_dropped: the sample loses its text and the features of the whole picture.
    crop: where the square lies in the picture, from 0 (top or left) over 0.5 (middle) to 1.
    """

    timestep: int
    is_dropped: bool
    crop: float
    seed: int
    step: int
    position: int

    def at(self, timestep: int) -> "SampleDraws":
        """The same draws at a time step that was chosen and not drawn."""
        return replace(self, timestep=timestep)

    def noise(self, shape: tuple[int, ...]) -> Tensor:
        """Normal float32 noise on the CPU, the same on every kind of device."""
        return torch.randn(shape, generator=_generator(self.seed, "noise", self.step, self.position))

    def latent_noise(self, shape: tuple[int, ...]) -> Tensor:
        """The noise with which the VAE's latents are sampled."""
        return torch.randn(shape, generator=_generator(self.seed, "latent", self.step, self.position))


def draw_sample(
    seed: int, step: int, position: int, *, timesteps: int, drop_probability: float
) -> SampleDraws:
    """The draws of one sample; timesteps: how many there are to choose from."""
    generator = _generator(seed, "sample", step, position)
    timestep = int(torch.randint(timesteps, (), generator=generator))
    dropped, crop = torch.rand(2, generator=generator).tolist()
    return SampleDraws(timestep, dropped < drop_probability, crop, seed, step, position)


def draw_background(seed: int, step: int, probability: float) -> bool:
    """Whether the noise loss of this step looks at the foreground only; one draw per global batch."""
    return float(torch.rand((), generator=_generator(seed, "background", step))) < probability


def sample_index(seed: int, number: int, count: int) -> int:
    """Which of ``count`` samples comes at a place of the endless stream that training reads.

    number: step * global batch + position. Each epoch is a permutation of its own.
    """
    epoch, place = divmod(number, count)
    return int(_order(seed, epoch, count)[place])


def positions_of(rank: int, world: int, batch_size: int, accumulation: int, micro_step: int) -> range:
    """The positions that one process takes in one pass of a step.

    The passes of all processes together cover ``world * batch_size * accumulation`` positions once each.
    """
    if not 0 <= micro_step < accumulation:
        raise ValueError(f"Pass {micro_step} of a step of {accumulation} passes does not exist.")
    start = (micro_step * world + rank) * batch_size
    return range(start, start + batch_size)


def seeded(seed: int, purpose: str) -> int:
    """A seed of its own for one purpose, for code that takes a number."""
    return int.from_bytes(blake2b(f"{seed} {purpose}".encode(), digest_size=7).digest(), "little")


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> Tensor:
    return torch.randperm(count, generator=_generator(seed, "order", epoch))


def _generator(seed: int, purpose: str, *numbers: int) -> torch.Generator:
    generator = torch.Generator()
    generator.manual_seed(seeded(seed, " ".join((purpose, *map(str, numbers)))))
    return generator
