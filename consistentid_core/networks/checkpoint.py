"""Recognise a ConsistentID checkpoint, whatever it is packed in.

Three steps: bring the keys into one form, test that the three groups of a ConsistentID
checkpoint are there, read all sizes off the tensors and check every key and shape
against them.  Source: SPEC 1.1 (containers), 1.2 (keys and shapes).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from torch import Tensor, nn

from ..errors import CheckpointError
from ..families import FAMILIES, Family, family_of_adapter
from ..files.catalogue import CONSISTENTID_SD15, CONSISTENTID_SDXL
from ..files.quoting import listed
from ..files.state_dict import CONSISTENTID, flatten, kind_of, refuse_other_kind, require_usable
from ..files.weights_file import read_weights
from .facial_encoder import FacialEncoder
from .projection import IDProjection

_FACIAL_ENCODER = "FacialEncoder"
_ADAPTERS = "adapter_modules"
#: Released SD1.5 and SDXL files name this group differently; converters use either for both.
_ID_PROJECTIONS = ("image_proj", "image_proj_model")

_CHOOSE = (
    f"{CONSISTENTID_SD15.name} (SD1.5) or {CONSISTENTID_SDXL.name} (SDXL), or a safetensors conversion of one"
)
_WHAT_TO_DO = f"Use {_CHOOSE}; if this is such a file, download it again."


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A complete ConsistentID checkpoint; tensors as stored, on the CPU.

    family: base model it was trained for.
    facial_encoder, id_projection: state dicts of :class:`.FacialEncoder` and :class:`.IDProjection`.
    adapters: "<index>.to_q_lora.down.weight", "<index>.to_k_ip.weight" ... of all attention layers.
    cross_attention_dim: width of prompt rows and ID tokens.  num_tokens: ID tokens per face.
    rank: of the LoRA.  layer_count: attention layers, self and cross.
    """

    family: Family
    facial_encoder: dict[str, Tensor]
    id_projection: dict[str, Tensor]
    adapters: dict[str, Tensor]
    cross_attention_dim: int
    num_tokens: int
    rank: int
    layer_count: int


def load_checkpoint(path: str | PathLike[str], *, mapped: bool = True) -> Checkpoint:
    """Read and recognise a ConsistentID file: ``.safetensors``, or a pickle through the restricted unpickler.

    mapped: as of :func:`.read_weights`.
    Raises MissingModelError if there is no such file, CheckpointError if it cannot be
    read, is not a complete ConsistentID checkpoint, or has values that nothing can be computed with.
    """
    checkpoint = recognise(read_weights(path, mapped=mapped), name=str(path))
    for group, tensors in (
        (_FACIAL_ENCODER, checkpoint.facial_encoder),
        (_ID_PROJECTIONS[0], checkpoint.id_projection),
        (_ADAPTERS, checkpoint.adapters),
    ):
        require_usable(str(path), {f"{group}.{key}": tensor for key, tensor in tensors.items()})
    return checkpoint


def recognise(state_dict: Mapping[str, Any], *, name: str = "state dict") -> Checkpoint:
    """Recognise a ConsistentID checkpoint in memory.

    state_dict: the three groups as nested dictionaries or as key prefixes, the ID projection
    under either of its names; or a training state dict, whose ``unet`` keys are ignored. All keys may
    start with what trainers put before them (:data:`.WRAPPINGS`).
    name: how error messages call it.
    Raises CheckpointError listing missing, unexpected and misshapen keys.
    """
    groups = _canonical_groups(state_dict, name)
    _require_all_groups(groups, name)
    # Each check relies on the ones before it.
    problems = _value_problems(groups) or _name_problems(groups) or _shape_problems(groups)
    if problems:
        raise CheckpointError(
            f"'{name}' is not a complete ConsistentID checkpoint. {'; '.join(problems)}. {_WHAT_TO_DO}"
        )
    sizes = IDProjection.sizes(groups.id_projection)
    layer_count = _layer_count(groups.adapters)
    return Checkpoint(
        family=_family(sizes["cross_attention_dim"], layer_count, name),
        # Training files store parameters; nobody here wants their gradients.
        facial_encoder={key: tensor.detach() for key, tensor in groups.facial_encoder.items()},
        id_projection={key: tensor.detach() for key, tensor in groups.id_projection.items()},
        adapters={key: tensor.detach() for key, tensor in groups.adapters.items()},
        cross_attention_dim=sizes["cross_attention_dim"],
        num_tokens=sizes["num_tokens"],
        rank=_rank(groups.adapters),
        layer_count=layer_count,
    )


def expected_shapes(
    cross_attention_dim: int,
    layer_widths: Sequence[int],
    *,
    rank: int = 128,
    facial_encoder: Mapping[str, Any] | None = None,
    id_projection: Mapping[str, Any] | None = None,
    id_projection_name: str = _ID_PROJECTIONS[0],
) -> dict[str, tuple[int, ...]]:
    """Every key of a checkpoint, group name first, with its shape.

    layer_widths: width of each attention layer in checkpoint order.
    facial_encoder, id_projection: sizes of the networks that differ from the released ones.
    """
    facial = FacialEncoder(cross_attention_dim, **(facial_encoder or {}), device="meta")
    projection = IDProjection(cross_attention_dim, **(id_projection or {}), device="meta")
    groups = {
        _FACIAL_ENCODER: _shapes(facial),
        id_projection_name: _shapes(projection),
        _ADAPTERS: _adapter_shapes(cross_attention_dim, layer_widths, rank),
    }
    return {f"{group}.{key}": shape for group, shapes in groups.items() for key, shape in shapes.items()}


# --- step 1: one form of keys ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Groups:
    """The contents of a file by group; ``others`` and ``ignored`` are the keys outside the groups."""

    facial_encoder: dict[str, Any]
    id_projection: dict[str, Any]
    adapters: dict[str, Any]
    #: What the file calls the ID projection, for messages.
    id_projection_name: str
    others: list[str]
    ignored: list[str]

    def by_name(self) -> dict[str, dict[str, Any]]:
        return {
            _FACIAL_ENCODER: self.facial_encoder,
            self.id_projection_name: self.id_projection,
            _ADAPTERS: self.adapters,
        }

    def flat(self) -> dict[str, Any]:
        return {
            f"{name}.{key}": value for name, group in self.by_name().items() for key, value in group.items()
        }


def _canonical_groups(state_dict: Mapping[str, Any], name: str) -> _Groups:
    if not isinstance(state_dict, Mapping):
        raise CheckpointError(
            f"'{name}' holds a {type(state_dict).__name__}, not a dictionary of tensors. {_WHAT_TO_DO}"
        )
    groups: dict[str, dict[str, Any]] = {
        group: {} for group in (_FACIAL_ENCODER, *_ID_PROJECTIONS, _ADAPTERS)
    }
    others: list[str] = []
    ignored: list[str] = []
    for key, value in flatten(state_dict, name).items():
        group, _, rest = key.partition(".")
        if group in groups and rest:
            groups[group][rest] = value
        else:
            (ignored if key.startswith("unet") else others).append(key)
    used = [group for group in _ID_PROJECTIONS if groups[group]]
    if len(used) > 1:
        raise CheckpointError(
            f"'{name}' holds the ID projection twice, as {' and as '.join(used)}; expected only one of them. "
            f"{_WHAT_TO_DO}"
        )
    id_projection_name = used[0] if used else _ID_PROJECTIONS[0]
    return _Groups(
        groups[_FACIAL_ENCODER],
        groups[id_projection_name],
        groups[_ADAPTERS],
        id_projection_name=id_projection_name,
        others=others,
        ignored=ignored,
    )


# --- step 2: signature ------------------------------------------------------------------------------------


def _require_all_groups(groups: _Groups, name: str) -> None:
    counts = {group: len(keys) for group, keys in groups.by_name().items()}
    if all(counts.values()):
        return
    outside = groups.others + groups.ignored
    if groups.facial_encoder or groups.adapters:
        found = "it has " + ", ".join(f"{count} keys in {group}" for group, count in counts.items())
    elif outside:
        refuse_other_kind(name, outside, wanted=CONSISTENTID, choose=_CHOOSE)
        unknown = "wrapped in an unknown way" if kind_of(outside) == CONSISTENTID else "of an unknown kind"
        found = f"it is {unknown}; its keys are {listed(outside, 3)}"
    else:
        # What the original's converter makes of a distributed training checkpoint (SPEC 1.1).
        found = "it holds no tensors; convert it again, from a file that does"
    raise CheckpointError(
        f"'{name}' is not a complete ConsistentID checkpoint: {found}. Expected the groups "
        f"{_FACIAL_ENCODER}, {' or '.join(_ID_PROJECTIONS)}, and {_ADAPTERS}. {_WHAT_TO_DO}"
    )


# --- step 3: sizes, then every key and shape --------------------------------------------------------------


def _value_problems(groups: _Groups) -> list[str]:
    wrong = [
        f"{key} ({value.dtype if isinstance(value, Tensor) else type(value).__name__})"
        for key, value in groups.flat().items()
        if not (isinstance(value, Tensor) and value.is_floating_point())
    ]
    return [f"entries that are no floating-point tensors ({len(wrong)}): {listed(wrong)}"] if wrong else []


def _name_problems(groups: _Groups) -> list[str]:
    """Compare keys and numbers of dimensions with a narrow model of as many blocks and layers."""
    facial_depth = len(_numbers(groups.facial_encoder, "visual_projection.layers."))
    projection_depth = len(_numbers(groups.id_projection, "perceiver_resampler.layers."))
    narrow = expected_shapes(
        1,
        [1] * _layer_count(groups.adapters),
        # Without any block the released depth stands in, so that the blocks are listed as missing.
        facial_encoder={"depth": facial_depth} if facial_depth else None,
        id_projection={"depth": projection_depth} if projection_depth else None,
        id_projection_name=groups.id_projection_name,
    )
    found = groups.flat()
    missing = [key for key in narrow if key not in found]
    unexpected = [key for key in found if key not in narrow] + groups.others
    problems = []
    if missing:
        problems.append(f"missing keys ({len(missing)}): {listed(missing)}")
    if unexpected:
        problems.append(f"unexpected keys ({len(unexpected)}): {listed(unexpected)}")
    if problems:
        return problems
    wrong = [
        f"{key} is {list(found[key].shape)}, expected {len(shape)} dimensions, none of them empty"
        for key, shape in narrow.items()
        if found[key].dim() != len(shape) or 0 in found[key].shape
    ]
    return [f"keys of another shape ({len(wrong)}): {listed(wrong)}"] if wrong else []


def _shape_problems(groups: _Groups) -> list[str]:
    """Compare all shapes with those that follow from the sizes read off the file."""
    adapters, layers = groups.adapters, range(_layer_count(groups.adapters))
    sizes = IDProjection.sizes(groups.id_projection)
    facial_sizes = FacialEncoder.sizes(groups.facial_encoder)
    # Prompt rows and ID tokens have one width; the ID projection decides which.
    cross_attention_dim = sizes.pop("cross_attention_dim")
    del facial_sizes["cross_attention_dim"]
    expected = expected_shapes(
        cross_attention_dim,
        [adapters[f"{index}.to_q_lora.up.weight"].shape[0] for index in layers],
        rank=_rank(adapters),
        facial_encoder=facial_sizes,
        id_projection=sizes,
        id_projection_name=groups.id_projection_name,
    )
    found = groups.flat()
    wrong = [
        f"{key} is {list(found[key].shape)}, expected {list(shape)}"
        for key, shape in expected.items()
        if tuple(found[key].shape) != shape
    ]
    return [f"keys of another shape ({len(wrong)}): {listed(wrong)}"] if wrong else []


def _family(cross_attention_dim: int, layer_count: int, name: str) -> Family:
    family = family_of_adapter(cross_attention_dim, layer_count)
    if family is None:
        known = [
            f"width {row.context_width} or {row.layer_count} layers ({row.label})"
            for row in FAMILIES.values()
        ]
        raise CheckpointError(
            f"'{name}' has ID tokens of width {cross_attention_dim} and {layer_count} attention layers. "
            f"Expected {', or '.join(known)}. {_WHAT_TO_DO}"
        )
    return family


def _adapter_shapes(
    cross_attention_dim: int, layer_widths: Sequence[int], rank: int
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for index, width in enumerate(layer_widths):
        is_cross = index % 2 == 1
        context = cross_attention_dim if is_cross else width
        for name, in_dim in (("to_q", width), ("to_k", context), ("to_v", context), ("to_out", width)):
            shapes[f"{index}.{name}_lora.down.weight"] = (rank, in_dim)
            shapes[f"{index}.{name}_lora.up.weight"] = (width, rank)
        if is_cross:
            shapes[f"{index}.to_k_ip.weight"] = (width, cross_attention_dim)
            shapes[f"{index}.to_v_ip.weight"] = (width, cross_attention_dim)
    return shapes


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def _numbers(keys: Iterable[str], prefix: str = "") -> set[int]:
    """The numbers, of up to three digits, that follow ``prefix`` in the keys."""
    match = re.compile(rf"{re.escape(prefix)}(\d{{1,3}})\.").match
    return {int(found[1]) for key in keys if (found := match(key))}


def _layer_count(adapters: Iterable[str]) -> int:
    """Attention layers the adapter keys speak of; they come in pairs, self and cross."""
    last = max(_numbers(adapters), default=1)
    return last + 1 + (last + 1) % 2


def _rank(adapters: Mapping[str, Tensor]) -> int:
    return adapters["0.to_q_lora.down.weight"].shape[0]
