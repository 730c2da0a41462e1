"""Keys and values of the ID tokens, laid out like the batch of a model call."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ..models.consistentid import KeysValues
from .schedule import ReadingShaper, Schedule

#: ("input", 1, 0): side, block number, transformer index, as the host calls a block.
Block = tuple[str, int, int]

#: Keys and values for one chunk of a batch, and the factor of the values.
Source = tuple[KeysValues, float]


@dataclass(frozen=True)
class Layout:
    """What the blocks read. ``blocks``: keys, and views into the schedule's values."""

    schedule: Schedule
    blocks: Mapping[Block, tuple[torch.Tensor, torch.Tensor]]
    shape_reading: ReadingShaper | None


def people_of(keys_values: KeysValues) -> int:
    """For how many people these are; more than one belong to the latents of a batch in turn."""
    return len(next(iter(keys_values.values()))[0])


def lay_out(
    sources: Sequence[Source],
    latents: Sequence[int],
    blocks: Mapping[int, Block],
    schedule_of: Callable[[torch.Tensor, torch.Tensor], Schedule],
    device: torch.device,
    dtype: torch.dtype,
) -> Layout:
    """One chunk of the batch per source.

    latents: of each chunk, their numbers in the batch of the run.  blocks: by adapter index.
    schedule_of: makes the schedule of values (rows, tokens, sum of widths) and weights (batch, 1, 1).
    There is a row per chunk, which its latents share; or one per latent where these show different people.
    """
    # People may have different numbers of tokens; repeating a whole set does not change what is read from it.
    tokens = math.lcm(*(next(iter(source.values()))[0].shape[1] for source, _ in sources))
    differ = any(people_of(source) > 1 for source, _ in sources)

    def rows(one: torch.Tensor) -> torch.Tensor:
        one = one.repeat(1, tokens // one.shape[1], 1)
        return one[[latent % len(one) for latent in latents]] if differ else one

    keys = [
        torch.cat([rows(source[index][0]) for source, _ in sources]).to(device, dtype) for index in blocks
    ]
    values = [torch.cat([rows(source[index][1]) * weight for source, weight in sources]) for index in blocks]
    weights = torch.tensor([weight for _, weight in sources for _ in latents], device=device, dtype=dtype)
    # One tensor for all layers, so that the range costs one multiplication per model call.
    schedule = schedule_of(torch.cat(values, dim=-1).to(device, dtype), weights.view(-1, 1, 1))
    views = schedule.values.split([value.shape[-1] for value in values], dim=-1)
    by_block = dict(zip(blocks.values(), zip(keys, views, strict=True), strict=True))
    return Layout(schedule, by_block, schedule.reading_shaper())
