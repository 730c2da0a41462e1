"""Which pictures pass: by a threshold of their score, or the best few."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor

THRESHOLD, BEST = "threshold", "best"
#: How it is decided what passes.
GATES = (THRESHOLD, BEST)


@dataclass(frozen=True)
class Gate:
    """The places of pictures, from 0, and the scores of all of them."""

    accepted: tuple[int, ...]
    rejected: tuple[int, ...]
    scores: tuple[float, ...]

    def describe(self) -> str:
        """In words, counting pictures from 1."""
        lines = [f"{len(self.accepted)} of {len(self.scores)} pictures passed."]
        for what, places in (("accepted", self.accepted), ("rejected", self.rejected)):
            if places:
                listed = ", ".join(f"{place + 1} ({self.scores[place]:.2f})" for place in places)
                lines.append(f"{what}: {listed}")
        return "\n".join(lines)


def pass_gate(
    scores: Sequence[float],
    pictures: int,
    keep: str,
    *,
    threshold: float = 0.0,
    count: int = 1,
    best_first: bool = True,
) -> Gate:
    """Decide which pictures pass.

    keep: one of :data:`GATES`; ``threshold`` is the lowest score that passes, ``count`` how many of the best do.
    best_first: order of the accepted; else, and always for the rejected, that in which they came.
    Of equal scores the first comes first. Raises ValueError unless there is one score for each picture.
    """
    if len(scores) != pictures or not pictures:
        raise ValueError(
            f"{len(scores)} scores came with {pictures} pictures; each picture needs one. Connect scores and pictures "
            "of the same node."
        )
    ranked = sorted(range(pictures), key=lambda place: -scores[place])
    passed = ranked[:count] if keep == BEST else [place for place in ranked if scores[place] >= threshold]
    accepted = tuple(passed if best_first else sorted(passed))
    rejected = tuple(sorted(set(range(pictures)) - set(passed)))
    return Gate(accepted, rejected, tuple(scores))


def select_rows(batches: Sequence[Tensor], places: Sequence[int], what: str, pictures: int) -> list[Tensor]:
    """The rows at places counted through all batches, in the order of the places.

    Neighbours of one batch stay a batch, since the sizes of others may differ.
    what: the name of the rows in the message.  pictures: how many rows there must be.
    Raises ValueError if there are others than pictures.
    """
    rows = sum(map(len, batches))
    if rows != pictures:
        raise ValueError(
            f"{rows} {what} came with {pictures} scores; each score needs one. "
            "Connect what belongs to the same pictures."
        )
    homes = [(number, row) for number, batch in enumerate(batches) for row in range(len(batch))]
    selected = []
    for number, own in groupby((homes[place] for place in places), key=itemgetter(0)):
        batch = batches[number]
        selected.append(batch[torch.tensor([row for _, row in own], device=batch.device)])
    return selected
