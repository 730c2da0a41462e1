"""The processes that train together; one by default."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor


class Processes(Protocol):
    """rank: number of this process.  world: how many there are."""

    rank: int
    world: int

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""

    def any(self, condition: bool) -> bool:
        """Whether the condition holds in at least one process; waits for all of them."""

    def leave(self) -> None:
        """Say good-bye, when all work is done. Not after an error: others may still wait for this process."""


class OneProcess:
    """Nobody else."""

    rank, world = 0, 1

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Leave them as they are."""

    def any(self, condition: bool) -> bool:
        """The condition itself."""
        return condition

    def leave(self) -> None:
        """Nobody to take leave of."""


class DistributedProcesses:
    """The processes of torch's default group, which must be set up (``accelerate launch``, ``torchrun``)."""

    def __init__(self, device: torch.device):
        self.rank, self.world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self._device = device

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Sums; the same bits in every process."""
        for tensor in tensors:
            torch.distributed.all_reduce(tensor)

    def any(self, condition: bool) -> bool:
        """Through a sum of ones and zeros."""
        count = torch.tensor(float(condition), device=self._device)
        torch.distributed.all_reduce(count)
        return count.item() > 0

    def leave(self) -> None:
        """End the threads of the group, which else outlive the interpreter and can abort the process."""
        torch.distributed.destroy_process_group()
