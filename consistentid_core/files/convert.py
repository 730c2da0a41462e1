"""Make a ``.safetensors`` file of a pickled one: the same tensors bit for bit, and nothing that could run."""

import uuid
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError
from .atomic import move_into_place
from .quoting import listed
from .state_dict import CONSISTENTID, FACE_PARSER, flatten, kind_of
from .weights_file import PICKLE_EXTENSIONS, read_weights

#: What the loaders of this pack read.
CONVERTED = (CONSISTENTID, FACE_PARSER)


def convert(path: Path, target: Path | None = None, *, replace: bool = False) -> Path:
    """Write the tensors of a ConsistentID file or a face parser as ``.safetensors`` and return its path.

    target: beside the file and of its name, if not given.  replace: a file that is there already.
    Groups within groups become beginnings of keys, which every loader of the pack reads. What is written is read
    again and compared before it gets its name. The file itself stays.
    Raises CheckpointError for a file that is no pickle, none of these kinds, or has entries that are no tensors, or
    a target that cannot be written; FileExistsError.
    """
    target = target or path.with_suffix(".safetensors")
    if path.suffix.lower() not in PICKLE_EXTENSIONS:
        raise CheckpointError(
            f"'{path}' has the extension '{path.suffix}'; only {', '.join(PICKLE_EXTENSIONS)} are converted."
        )
    if target.exists() and not replace:
        raise FileExistsError(f"'{target}' is there already. Delete it, or say --replace.")
    tensors = _tensors(path)
    unfinished = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        try:
            save_file(tensors, unfinished, metadata={"format": "pt"})
        except SafetensorError as error:  # also for a drive that is full or write-protected
            raise CheckpointError(
                f"'{target}' cannot be written: {error}. Make room on its drive, or see to the folder."
            ) from error
        _require_same(tensors, unfinished, path)
        move_into_place(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def _tensors(path: Path) -> dict[str, Tensor]:
    content = read_weights(path)
    flat = flatten(content, str(path)) if isinstance(content, Mapping) else {}
    kind = kind_of(flat)
    if kind not in CONVERTED:
        raise CheckpointError(
            f"'{path}' is {kind or 'of an unknown kind'}, so it is not converted. Choose {' or '.join(CONVERTED)}."
        )
    others = [key for key, value in flat.items() if not isinstance(value, Tensor)]
    if others:
        raise CheckpointError(
            f"'{path}' holds entries that are no tensors ({len(others)}): {listed(others)}. A safetensors file has no "
            "place for them. Use the published file."
        )
    # The format has no tensors that share memory, and none with gaps.
    return {key: value.detach().contiguous().clone() for key, value in flat.items()}


def _require_same(tensors: Mapping[str, Tensor], unfinished: Path, path: Path) -> None:
    with safe_open(unfinished, framework="pt") as file:
        keys = set(file.keys())
        is_same = keys == tensors.keys() and all(
            _same_bits(file.get_tensor(key), tensor) for key, tensor in tensors.items()
        )
    if not is_same:
        raise CheckpointError(
            f"The conversion of '{path}' reads otherwise than it was written and was deleted. Look at the drive."
        )


def _same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether type, shape and every bit agree; values that are not numbers equal themselves here."""
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and torch.equal(one.contiguous().reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8))
    )
