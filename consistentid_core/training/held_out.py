"""Portraits that are never trained on, as batches that are the same at every look."""

from collections.abc import Sequence

from .config import TrainingConfig
from .draws import draw_sample, seeded
from .frozen import FrozenModels
from .items import Item, prepare_item
from .samples import SampleSource
from .step import Batch, prepare_batch


def held_out_batch(
    samples: SampleSource, numbers: Sequence[int], timestep: int, frozen: FrozenModels, config: TrainingConfig
) -> tuple[list[Item], Batch]:
    """Some samples with their text and picture, and the noise that belongs to sample and time step."""
    draws = [
        draw_sample(seeded(config.seed, "validation"), timestep, number, timesteps=1, drop_probability=0).at(
            timestep
        )
        for number in numbers
    ]
    items = [
        prepare_item(samples[number], draw, config, family=frozen.family, count_tokens=frozen.count_tokens)
        for number, draw in zip(numbers, draws, strict=True)
    ]
    return items, prepare_batch(items, draws, frozen, looks_at_foreground=False)
