"""Read a weights file without running code that it may contain."""

import re
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..errors import CheckpointError, MissingModelError

#: Pickled by ``torch.save``, read through the restricted unpickler only.
PICKLE_EXTENSIONS = (".bin", ".pt", ".pth", ".ckpt")

#: What people save by mistake instead of the weights, by how the file begins.
_NO_WEIGHTS = (
    (b"version https://git-lfs", "a Git LFS pointer (the weights themselves were not fetched)"),
    (b"<", "a web page"),
    (b"{", "a JSON text"),
)


def read_weights(path: str | PathLike[str]) -> Any:
    """The object stored in a ``.safetensors`` file or a PyTorch pickle; tensors on the CPU.

    Tensors are mapped from the file where its format allows that, so unused ones cost no memory.
    Raises MissingModelError if there is no such file; CheckpointError if it is empty, cut
    short, of another format, or asks for anything but tensors and plain containers.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingModelError(f"No file at '{path}'. Check the path, or put the file there.")
    is_pickle = path.suffix.lower() in PICKLE_EXTENSIONS
    if not is_pickle and path.suffix.lower() != ".safetensors":
        raise CheckpointError(
            f"'{path}' has the extension '{path.suffix}'; weights are read from "
            f".safetensors, {', '.join(PICKLE_EXTENSIONS)}. Choose such a file."
        )
    with path.open("rb") as file:
        head = file.read(64)
    try:
        if is_pickle:
            # Only the zip format of torch.save can be mapped; its predecessor is read as a whole.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        return load_file(path)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise almost anything on bytes they do not expect
        raise CheckpointError(_explain(path, head, error)) from error


def _explain(path: Path, head: bytes, error: Exception) -> str:
    """Why a file could not be decoded, and what to do. PyTorch's own texts advise unsafe loading."""
    code = re.search(r"GLOBAL (\S+)", str(error)) if not isinstance(error, SafetensorError) else None
    if code is not None:
        return (
            f"'{path}' holds more than tensors: unpickling it would run {code[1]}, which is refused. "
            "Use the original file, or a .safetensors conversion."
        )
    is_pickle = path.suffix.lower() in PICKLE_EXTENSIONS
    if is_pickle and head[8:9] == b"{":
        return f"'{path}' is a safetensors file under the extension of a pickle. Rename it to .safetensors."
    if not is_pickle and head.startswith((b"PK", b"\x80")):
        return f"'{path}' is a PyTorch pickle under the extension .safetensors. Rename it to .bin."
    if not head:
        found = "an empty file"
    else:
        found = next(
            (kind for start, kind in _NO_WEIGHTS if head.lstrip().startswith(start)),
            f"{path.stat().st_size} bytes that cannot be decoded: damaged, cut short, or another format",
        )
    return (
        f"'{path}' is {found}. Expected tensors in safetensors format or saved by PyTorch. "
        "Download the file again and compare its size with the source."
    )
