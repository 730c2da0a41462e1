"""Networks that a checkpoint's tensors say the sizes of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound="FromWeights")


class FromWeights(nn.Module, ABC):
    """A network whose constructor's sizes can be read off a state dict of it."""

    @staticmethod
    @abstractmethod
    def sizes(state_dict: Mapping[str, Tensor]) -> dict[str, Any]:
        """The constructor's sizes, read off the tensors of a checkpoint."""

    @classmethod
    def builder(cls: type[Network], state_dict: Mapping[str, Tensor]) -> Callable[..., Network]:
        """A constructor with the sizes of a state dict; takes ``operations``, ``device`` and ``dtype``."""
        return partial(cls, **cls.sizes(state_dict))

    @classmethod
    def from_state_dict(cls: type[Network], state_dict: Mapping[str, Tensor], **kwargs: Any) -> Network:
        """The network with these weights; keyword arguments as for :meth:`builder`."""
        network = cls.builder(state_dict)(**kwargs)
        network.load_state_dict(dict(state_dict))
        return network
