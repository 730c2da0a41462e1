"""Keys and values that the ID tokens offer to each cross-attention layer.

Every cross-attention layer has its own pair of matrices for the ID tokens, without
LoRA (SPEC 1.2, 4). They need the tokens only, not the UNet's state, so one pass per
person serves all sampling steps.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class IDKeyValueProjection(nn.ModuleDict):
    """``to_k_ip`` and ``to_v_ip`` of all cross-attention layers, by adapter index."""

    def __init__(
        self,
        widths: Mapping[str, int],
        cross_attention_dim: int,
        *,
        operations: Any = nn,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ):
        """widths: layer width by adapter index; ``operations`` supplies the Linear layer."""

        def linear(width: int) -> nn.Module:
            return operations.Linear(cross_attention_dim, width, bias=False, device=device, dtype=dtype)

        super().__init__(
            {
                index: nn.ModuleDict({"to_k_ip": linear(width), "to_v_ip": linear(width)})
                for index, width in widths.items()
            }
        )

    @staticmethod
    def weights(adapters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The matrices this projection needs out of all adapter tensors."""
        return {key: tensor for key, tensor in adapters.items() if "_ip." in key}

    @staticmethod
    def builder(weights: Mapping[str, Tensor]) -> Callable[..., "IDKeyValueProjection"]:
        """A constructor with the sizes read off the weights; takes operations, device and dtype."""
        keys = {
            key.split(".", 1)[0]: tensor for key, tensor in weights.items() if key.endswith("to_k_ip.weight")
        }
        widths = {index: tensor.shape[0] for index, tensor in keys.items()}
        cross_attention_dim = next(iter(keys.values())).shape[1]
        return lambda **kwargs: IDKeyValueProjection(widths, cross_attention_dim, **kwargs)

    def forward(self, id_tokens: Tensor) -> dict[int, tuple[Tensor, Tensor]]:
        """id_tokens: (people, tokens, D). Returns (people, tokens, width) keys and values by adapter index."""
        return {
            int(index): (layer["to_k_ip"](id_tokens), layer["to_v_ip"](id_tokens))  # type: ignore[index]
            for index, layer in self.items()
        }
