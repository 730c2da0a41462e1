"""What a weights file holds: tensors by name, whatever they are wrapped in, and of which kind.

Used by every loader, so that each knows the files of the others.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from .quoting import listed, quoted

#: What programs put before every key: trainers, distributed training, ``torch.compile``, saving a whole state.
WRAPPINGS = ("model.", "module.", "_orig_mod.", "state_dict.")
#: Dictionaries within dictionaries: groups within a wrapping within a trainer's state.
_DEEPEST = 4
#: Ten times what the largest checkpoints of any kind have.
_MOST_ENTRIES = 100_000
_LONGEST_KEY = 400

CONSISTENTID, FACE_PARSER = "a ConsistentID file", "a face parser"

#: How files are recognised: text in a key -> what the file is.
_KINDS = (
    ("FacialEncoder.", CONSISTENTID),
    ("adapter_modules.", CONSISTENTID),
    ("ip_adapter.", "an IP-Adapter or InstantID file"),
    ("id_encoder.", "a PhotoMaker file"),
    ("lora", "a LoRA"),
    ("diffusion_model.", "a Stable Diffusion checkpoint"),
    ("cp.resnet.", FACE_PARSER),
    ("segformer.", "a SegFormer network"),
    ("vision_model.", "a CLIP vision model"),
    ("text_model.", "a text encoder"),
    ("down_blocks.", "a UNet, VAE or ControlNet in diffusers format"),
    ("id_embeds", "a person of Save ID Embedding"),
)

#: What weights may be stored in: the layers of the host compute with these.
_NUMBERS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def flatten(content: Mapping[Any, Any], source: str) -> dict[str, Any]:
    """Entries by key, nested dictionaries written as prefixes, without what is wrapped around all of them.

    A key that is no text is named by its type, and of a long one there is the beginning.
    source: what messages call the file.
    Raises CheckpointError for far more entries than weights have: one dictionary may stand in many others.
    """
    entries = list(islice(_entries(content, _DEEPEST), _MOST_ENTRIES + 1))
    if len(entries) > _MOST_ENTRIES:
        raise CheckpointError(
            f"'{source}' holds more than {_MOST_ENTRIES:,} entries, so it is no model this pack reads. Choose another "
            "file."
        )
    flat = dict(entries)
    while wrapping := next(
        (text for text in WRAPPINGS if flat and all(k.startswith(text) for k in flat)), None
    ):
        flat = {key.removeprefix(wrapping): value for key, value in flat.items()}
    # Some trainers put this one before a part of the keys only.
    return {key.removeprefix("module."): value for key, value in flat.items()}


def _entries(content: Mapping[Any, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        name = key if isinstance(key, str) else f"({type(key).__name__})"
        if len(name) > _LONGEST_KEY:
            name = quoted(name, _LONGEST_KEY // 5)
        if isinstance(value, Mapping) and depth > 1:
            yield from ((f"{name}.{inner}", nested) for inner, nested in _entries(value, depth - 1))
        else:
            yield name, value


def kind_of(keys: Iterable[str]) -> str | None:
    """What a file with these keys is, as far as a loader of this pack needs to know; None if nothing is known."""
    keys = list(keys)
    return next((kind for part, kind in _KINDS if any(part in key for key in keys)), None)


def refuse_other_kind(source: str, keys: Iterable[str], *, wanted: str, choose: str) -> None:
    """Raise CheckpointError for a file that is known to be something else.

    source: what messages call the file.  wanted: what the loader reads.  choose: the files of that kind.
    """
    keys = list(keys)
    kind = kind_of(keys)
    if kind not in (None, wanted):
        raise CheckpointError(
            f"'{source}' is {kind}, not {wanted}: choose {choose}. Its keys are {listed(keys, 3)}."
        )


def require_usable(source: str, tensors: Mapping[str, Tensor], *, any_type: bool = False) -> None:
    """Raise CheckpointError for tensors of a file that cannot be computed with, naming them.

    any_type: numbers of every type will do, because they are converted.
    The values are looked at as well. Of a mapped file that takes 0.25 s a GB on one core, of tensors in memory
    0.05 s; what has to come from the disk for it is needed soon after anyway.
    """
    odd = [f"{quoted(key)} ({why})" for key, tensor in tensors.items() if (why := _oddity(tensor, any_type))]
    if odd:
        raise CheckpointError(
            f"'{source}' holds tensors that cannot be used ({len(odd):,}): {listed(odd)}. Expected are plain ones in "
            "float32, float16 or bfloat16, and finite. Use the published file, or convert it again."
        )


def _oddity(tensor: Tensor, any_type: bool) -> str | None:
    if tensor.is_meta:
        return "without values, on the meta device"
    if tensor.layout != torch.strided:
        return f"sparse, {tensor.layout}"
    if tensor.is_quantized or not (any_type or tensor.dtype in _NUMBERS):
        return str(tensor.dtype)
    stored = tensor.untyped_storage().nbytes()
    if tensor.numel() * tensor.element_size() > stored:
        return f"of shape {list(tensor.shape)}, with {stored:,} bytes behind it"
    return None if is_finite(tensor) else "with values that are not numbers or infinite"


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite, as fast as memory can be read.

    Such a value makes the sum one, too. A sum of finite values can leave the range of float16: only then each
    value is looked at, which takes a hundred times as long.
    """
    if not tensor.is_floating_point():
        return True
    if tensor.dtype not in _NUMBERS:  # there are no sums of 8-bit floats
        tensor = tensor.float()
    return math.isfinite(tensor.sum().item()) or bool(tensor.isfinite().all())
