"""Where the weights of a new run come from: nowhere, a ConsistentID file, or an IP-Adapter-FaceID-Plus file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from torch import Tensor

from ..errors import CheckpointError, ModelMismatchError
from ..families import Family
from ..files.weights_file import read_weights
from ..networks.checkpoint import recognise
from ..networks.unet_layers import AttentionLayer
from .modules import BaseWeight, Groups, TrainedModules, modules_of, new_modules


@dataclass(frozen=True, eq=False)
class Start:
    """modules: ready to train.  goes_on: from ConsistentID's own weights.  found: what the file was, for the log."""

    modules: TrainedModules
    goes_on: bool
    found: str


def initial_modules(
    path: str | PathLike[str] | None,
    layers: Sequence[AttentionLayer],
    base_weight: BaseWeight,
    family: Family,
    cross_attention_dim: int,
    *,
    seed: int,
    rank: int = 128,
    facial_encoder: Mapping[str, Any] | None = None,
    id_projection: Mapping[str, Any] | None = None,
) -> Start:
    """The networks at step 0.

    path: None for new weights, or a file; what it is is seen from its tensors.
    Raises CheckpointError if it is neither kind, ModelMismatchError if it was made for another model.
    """

    def new() -> TrainedModules:
        return new_modules(
            layers, base_weight, cross_attention_dim,
            seed=seed, rank=rank, facial_encoder=facial_encoder, id_projection=id_projection,
        )  # fmt: skip

    if path is None:
        return Start(new(), goes_on=False, found="new weights")
    weights = read_weights(path)
    face_id = _face_id_groups(weights)
    if face_id is None:
        checkpoint = recognise(weights, name=str(path))
        if (checkpoint.family, checkpoint.layer_count) != (family, len(layers)):
            raise ModelMismatchError(
                f"'{path}' is a ConsistentID file for {checkpoint.family} with {checkpoint.layer_count} attention "
                f"layers, but the model to train on is {family} with {len(layers)}. Train on a model of the file's "
                "family, or start from another file."
            )
        _require_shapes(checkpoint.adapters, _adapter_shapes(new()), str(path), rank_is_free=True)
        return Start(modules_of(checkpoint, layers, base_weight), goes_on=True, found="a ConsistentID file")
    modules = new()
    for group, tensors in face_id.items():
        shapes = {key: tuple(tensor.shape) for key, tensor in modules.groups()[group].items()}
        _require_shapes(tensors, shapes, str(path))
    modules.load_groups(face_id)
    return Start(modules, goes_on=False, found="an IP-Adapter-FaceID-Plus file")


def _face_id_groups(weights: Any) -> Groups | None:
    """The ID projection and the adapters of an IP-Adapter-FaceID-Plus file, or None if it is no IP-Adapter.

    Such files hold the projection that ConsistentID's was made from, and LoRA and ID matrices under the same
    numbers of layers. Raises CheckpointError for another IP-Adapter.
    """
    flat: dict[str, Any] = {}
    for key, value in weights.items() if isinstance(weights, Mapping) else ():
        flat |= (
            {f"{key}.{inner}": one for inner, one in value.items()}
            if isinstance(value, Mapping)
            else {key: value}
        )
    adapters = {
        key.removeprefix("ip_adapter."): one for key, one in flat.items() if key.startswith("ip_adapter.")
    }
    if not adapters:
        return None
    projection = {
        key.removeprefix("image_proj."): one for key, one in flat.items() if key.startswith("image_proj.")
    }
    if "perceiver_resampler.proj_in.weight" not in projection or not any("_lora." in key for key in adapters):
        raise CheckpointError(
            "The file to start from is an IP-Adapter, but not FaceID-Plus: it lacks the resampled face projection or "
            "the LoRA of that kind. Use ip-adapter-faceid-plus_sd15.bin, ip-adapter-faceid-plusv2_sd15.bin or "
            "ip-adapter-faceid-plusv2_sdxl.bin, or start without a file."
        )
    return {"image_proj": projection, "adapter_modules": adapters}


def _adapter_shapes(modules: TrainedModules) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in modules.adapters.state_dict().items()}


def _require_shapes(
    found: Mapping[str, Tensor],
    expected: Mapping[str, tuple[int, ...]],
    name: str,
    *,
    rank_is_free: bool = False,
) -> None:
    """Raise ModelMismatchError unless the tensors are those of the model to train on."""

    def differs(key: str) -> bool:
        if key not in found or key not in expected:
            return True
        pairs = zip(found[key].shape, expected[key], strict=False)
        # The rank is the first size of `down` and the second of `up`; going on keeps the file's.
        free = (0 if ".down." in key else 1) if rank_is_free and "_lora." in key else None
        return any(one != other for axis, (one, other) in enumerate(pairs) if axis != free)

    wrong = [key for key in {**expected, **found} if differs(key)]
    if wrong:
        shown = "; ".join(
            f"{key} is {list(found[key].shape) if key in found else 'missing'}, "
            f"expected {list(expected[key]) if key in expected else 'no such key'}"
            for key in wrong[:5]
        )
        raise ModelMismatchError(
            f"'{name}' does not fit the model to train on in {len(wrong)} places: {shown}. "
            "Start from a file made for the model's family, with the rank set in the configuration."
        )
