"""The networks that are trained, kept apart from the UNet they act in.

Their state dicts are the three groups of a released file, key for key (SPEC 1.2).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..networks.checkpoint import Checkpoint
from ..networks.facial_encoder import FacialEncoder
from ..networks.projection import IDProjection
from ..networks.unet_layers import AttentionLayer
from .draws import seeded

#: The weight of a frozen attention matrix: (layer, ``to_q``, ``to_k``, ``to_v`` or ``to_out``) -> (out, in).
BaseWeight = Callable[[AttentionLayer, str], Tensor]

MATRICES = ("to_q", "to_k", "to_v", "to_out")

Groups = dict[str, dict[str, Tensor]]

#: The groups of a released file, and the network of :class:`TrainedModules` in each.
_NETWORKS = {
    "FacialEncoder": "facial_encoder",
    "image_proj": "id_projection",
    "adapter_modules": "adapters",
}


class Adapters(nn.ModuleDict):
    """LoRA of every attention layer, and ID key and value matrices of every cross-attention layer."""

    def __init__(self, layers: Sequence[AttentionLayer], base_weight: BaseWeight, rank: int):
        """Filled as the original does (SPEC 7.1): LoRA adds nothing yet, ID matrices are those of the text.

        base_weight: the frozen matrices, for sizes and for the ID matrices.
        """
        super().__init__()
        for layer in layers:
            matrices = {}
            for name in MATRICES:
                width, in_dim = base_weight(layer, name).shape
                down = nn.Linear(in_dim, rank, bias=False)
                up = nn.Linear(rank, width, bias=False)
                nn.init.normal_(down.weight, std=1 / rank)
                nn.init.zeros_(up.weight)
                matrices[f"{name}_lora"] = nn.ModuleDict({"down": down, "up": up})
            if layer.is_cross:
                for name in ("to_k", "to_v"):
                    weight = base_weight(layer, name).detach().float().cpu()
                    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
                    with torch.no_grad():
                        linear.weight.copy_(weight)
                    matrices[f"{name}_ip"] = linear  # type: ignore[assignment]
            self[str(layer.index)] = nn.ModuleDict(matrices)

    def lora(self, index: int, name: str) -> tuple[Tensor, Tensor]:
        """The ``down`` (rank, in) and ``up`` (out, rank) weights of one matrix of one layer."""
        prefix = f"{index}.{name}_lora"
        return self.get_parameter(f"{prefix}.down.weight"), self.get_parameter(f"{prefix}.up.weight")

    def id_matrices(self, index: int) -> tuple[Tensor, Tensor]:
        """``to_k_ip`` and ``to_v_ip`` of one cross-attention layer, (width, D) each."""
        return self.get_parameter(f"{index}.to_k_ip.weight"), self.get_parameter(f"{index}.to_v_ip.weight")


class TrainedModules(nn.Module):
    """Facial encoder, ID projection and adapters."""

    def __init__(self, facial_encoder: FacialEncoder, id_projection: IDProjection, adapters: Adapters):
        super().__init__()
        self.facial_encoder = facial_encoder
        self.id_projection = id_projection
        self.adapters = adapters

    def groups(self) -> Groups:
        """The weights as in a released file: group -> key -> tensor."""
        return {group: self.get_submodule(name).state_dict() for group, name in _NETWORKS.items()}

    def load_groups(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take over the weights of :meth:`groups`; groups that are left out stay as they are."""
        for group, tensors in groups.items():
            self.get_submodule(_NETWORKS[group]).load_state_dict(dict(tensors))

    def groups_with(self, parameters: Mapping[str, Tensor]) -> Groups:
        """:meth:`groups` with some tensors replaced; parameters: by their names in this module."""
        return {
            group: {
                key: parameters.get(f"{_NETWORKS[group]}.{key}", tensor) for key, tensor in tensors.items()
            }
            for group, tensors in self.groups().items()
        }


def parameters_of(groups: Groups) -> dict[str, Tensor]:
    """The tensors of groups by their names in :class:`TrainedModules`."""
    return {
        f"{_NETWORKS[group]}.{key}": tensor
        for group, tensors in groups.items()
        for key, tensor in tensors.items()
    }


def new_modules(
    layers: Sequence[AttentionLayer],
    base_weight: BaseWeight,
    cross_attention_dim: int,
    *,
    seed: int,
    rank: int = 128,
    facial_encoder: Mapping[str, Any] | None = None,
    id_projection: Mapping[str, Any] | None = None,
) -> TrainedModules:
    """Networks with new weights in float32 on the CPU; the same for the same seed.

    facial_encoder, id_projection: sizes that differ from the released ones.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeded(seed, "weights"))
        return TrainedModules(
            FacialEncoder(cross_attention_dim, **(facial_encoder or {})),
            IDProjection(cross_attention_dim, **(id_projection or {})),
            Adapters(layers, base_weight, rank),
        )


def modules_of(
    checkpoint: Checkpoint, layers: Sequence[AttentionLayer], base_weight: BaseWeight
) -> TrainedModules:
    """Networks with the weights of a ConsistentID file, in float32 on the CPU.

    The layers must be those the checkpoint was made for; load_state_dict names the first that differ.
    """
    modules = TrainedModules(
        FacialEncoder.from_state_dict(checkpoint.facial_encoder),
        IDProjection.from_state_dict(checkpoint.id_projection),
        Adapters(layers, base_weight, checkpoint.rank),
    )
    modules.load_groups({"adapter_modules": checkpoint.adapters})
    return modules.float()


def freeze_unused(modules: TrainedModules, *, features: str, train_projection: bool) -> None:
    """Switch off the gradients of what a run does not train; settings of :class:`.config.TrainingConfig`."""
    modules.requires_grad_(True)
    if features == "overall":
        modules.facial_encoder.requires_grad_(False)
    if not train_projection or features == "fine_grained":
        modules.id_projection.requires_grad_(False)
    if features == "fine_grained":
        for name, parameter in modules.adapters.named_parameters():
            if "_ip." in name:
                parameter.requires_grad_(False)
