"""Where the facial words look: their cross attention at one fixed time step, over portraits never trained on.

The numbers are what the localisation loss in its paper mode works on, before it normalises them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor
from torch.nn import functional

from ..regions import REGION_NAMES, region_of_part
from .attention import Columns, TrainedAttention
from .config import TrainingConfig
from .frozen import FrozenModels
from .held_out import held_out_batch
from .items import Item
from .modules import TrainedModules
from .processes import Processes
from .samples import SampleSource
from .step import Batch, predict

#: In ``validation.csv``: mean attention of a word inside its part over that outside.
ATTENTION_COLUMNS = tuple(f"attention_{name}" for name in REGION_NAMES)

_EPSILON = 1e-8


@dataclass(frozen=True, eq=False)
class WordAttention:
    """Attention of one word of one portrait, mean over heads and layers.

    map: (s, s), as large as the largest captured map.  inside, outside: means over the part's mask and the rest.
    """

    map: Tensor
    inside: float
    outside: float

    @property
    def ratio(self) -> float:
        """How many times as much attention falls on the part: 1 for a word that does not look at it."""
        return self.inside / max(self.outside, _EPSILON)


#: By region; a region whose part no word of the text carries is missing.
Words = dict[str, WordAttention]


@torch.no_grad()
def words_of(
    samples: SampleSource,
    numbers: Sequence[int],
    modules: TrainedModules,
    attention: TrainedAttention,
    frozen: FrozenModels,
    config: TrainingConfig,
) -> list[tuple[Item, Words]]:
    """The attention of some samples' words, with the right identity.

    attention: attached with the layers whose cross attention is looked at.
    """
    found = []
    for start in range(0, len(numbers), config.batch_size):
        chosen = numbers[start : start + config.batch_size]
        items, batch = held_out_batch(samples, chosen, config.map_timestep, frozen, config)
        _, columns = predict(batch, modules, attention, frozen, config, captures=True)
        found += [(item, _words(item, batch, row, columns)) for row, item in enumerate(items)]
    return found


def region_attention(
    samples: SampleSource,
    modules: TrainedModules,
    attention: TrainedAttention,
    frozen: FrozenModels,
    config: TrainingConfig,
    processes: Processes,
) -> dict[str, float]:
    """The values of :data:`ATTENTION_COLUMNS`, over all samples; a region that none of them has is missing.

    The processes share the samples among them.
    """
    sums = torch.zeros(2, len(REGION_NAMES), device=frozen.device)
    mine = range(processes.rank, len(samples), processes.world)
    for _, words in words_of(samples, mine, modules, attention, frozen, config):
        for region, word in words.items():
            sums[:, REGION_NAMES.index(region)] += torch.tensor([word.inside, word.outside]).to(sums)
    processes.add_up([sums])
    return {
        name: inside / max(outside, _EPSILON)
        for name, inside, outside in zip(ATTENTION_COLUMNS, *sums.tolist(), strict=True)
        if inside or outside
    }


def _words(item: Item, batch: Batch, row: int, columns: dict[int, Columns]) -> Words:
    largest = max(isqrt(layer.probabilities.shape[2]) for layer in columns.values())
    words = {}
    for slot, part in enumerate(item.parts):
        if not bool(batch.valid[row, slot]):
            continue
        mask, maps, means = batch.part_masks[row, slot][None, None], [], []
        for layer in columns.values():
            side = isqrt(layer.probabilities.shape[2])
            one = layer.probabilities[row, :, :, slot].mean(0).view(1, 1, side, side)
            inside = functional.interpolate(mask, (side, side), mode="bilinear", antialias=True)
            outside = 1 - inside
            means.append(
                torch.stack([(one * share).sum() / (share.sum() + _EPSILON) for share in (inside, outside)])
            )
            maps.append(functional.interpolate(one, (largest, largest), mode="bilinear", align_corners=False))
        inside_mean, outside_mean = torch.stack(means).mean(0).tolist()
        words[region_of_part(part)] = WordAttention(
            torch.stack(maps).mean(0)[0, 0].cpu(), inside_mean, outside_mean
        )
    return words
