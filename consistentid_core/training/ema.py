"""A running average of the trained weights, which often makes better pictures than the last ones."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """The average of a module's parameters; buffers and what is not trained are not averaged."""

    def __init__(self, module: nn.Module, decay: float):
        """decay: how much of the average stays at each step; close to, and below, 1."""
        self.decay = decay
        self.average = {name: tensor.detach().clone() for name, tensor in _trained(module)}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 0. The first steps count more, or the start would linger."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in _trained(module):
            self.average[name].lerp_(tensor.detach(), 1 - decay)

    def load(self, average: Mapping[str, Tensor]) -> None:
        """Go on from a saved average."""
        for name, tensor in self.average.items():
            tensor.copy_(average[name])


def _trained(module: nn.Module) -> Iterable[tuple[str, Tensor]]:
    return ((name, one) for name, one in module.named_parameters() if one.requires_grad)
