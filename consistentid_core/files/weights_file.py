"""Read a weights file without running code that it may contain."""

import json
import re
import zipfile
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from ..errors import CheckpointError, MissingModelError
from .pickle_scan import ScanError, is_zip, scan
from .quoting import quoted

#: Pickled by ``torch.save``, read through the restricted unpickler only.
PICKLE_EXTENSIONS = (".bin", ".pt", ".pth", ".ckpt")
SAFETENSORS_EXTENSIONS = (".safetensors", ".sft")

#: Files up to this size are read whole: they cost little memory, and a download over a mapped file ends the process.
SMALL_FILE = 128 * 2**20

#: What people save by mistake instead of the weights, by how the file begins.
_NO_WEIGHTS = (
    (b"version https://git-lfs", "a Git LFS pointer (the weights themselves were not fetched)"),
    (b"<", "a web page"),
    (b"{", "a JSON text"),
)


def read_weights(path: str | PathLike[str], *, mapped: bool = True) -> Any:
    """The object stored in a ``.safetensors`` file or a PyTorch pickle; tensors on the CPU.

    mapped: tensors of a large file are mapped where its format allows that, so unused ones cost no memory;
    otherwise they are read.
    Raises MissingModelError if there is no such file; CheckpointError if it cannot be opened, is empty, cut
    short, of another format, or asks for anything but tensors and plain containers.
    """
    path = Path(path)
    head = _head(path)
    is_pickle = path.suffix.lower() in PICKLE_EXTENSIONS
    if not is_pickle and path.suffix.lower() not in SAFETENSORS_EXTENSIONS:
        raise CheckpointError(
            f"'{path}' has the extension '{path.suffix}'; weights are read from "
            f".safetensors, {', '.join(PICKLE_EXTENSIONS)}. Choose such a file."
        )
    try:
        return _read_pickle(path, head, mapped) if is_pickle else _read_safetensors(path, mapped)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise almost anything on bytes they do not expect
        raise CheckpointError(_explain(path, head, error)) from error


def read_header(path: str | PathLike[str]) -> dict[str, str]:
    """The texts in the header of a safetensors file that :func:`read_weights` has read."""
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        texts: dict[str, str] = json.loads(file.read(length)).get("__metadata__", {})
    return texts


def _head(path: Path) -> bytes:
    """How a file begins."""
    try:
        with path.open("rb") as file:
            return file.read(64)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise MissingModelError(f"No file at '{path}'. Check the path, or put the file there.") from None
    except OSError as error:
        raise CheckpointError(
            f"'{path}' cannot be opened: {error.strerror or error}. Let ComfyUI's user read it, and see to its drive."
        ) from error


def _read_pickle(path: Path, head: bytes, mapped: bool) -> Any:
    scan(path)
    if path.stat().st_size <= SMALL_FILE:
        return torch.load(BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    # Only the zip format of torch.save can be mapped; its predecessor is read as a whole.
    mmap = mapped and is_zip(head) and _is_stored_plainly(path)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


def _is_stored_plainly(path: Path) -> bool:
    """Whether the bytes of a zip archive are those of its contents: other programs compress what they repack."""
    with zipfile.ZipFile(path) as archive:
        return all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())


def _read_safetensors(path: Path, mapped: bool) -> dict[str, Tensor]:
    if path.stat().st_size <= SMALL_FILE:
        return dict(sorted(load(path.read_bytes()).items()))  # which come in any order
    with safe_open(path, framework="pt") as file:
        tensors = ((key, file.get_tensor(key)) for key in file.keys())  # noqa: SIM118 (it is no dictionary)
        # A tensor is a view of the mapped file; its copy is not.
        return {key: tensor if mapped else tensor.clone() for key, tensor in tensors}


def _explain(path: Path, head: bytes, error: Exception) -> str:
    """Why a file could not be decoded, and what to do. PyTorch's own texts advise unsafe loading."""
    if isinstance(error, ScanError):
        return f"'{path}' was not opened: {error}. Use the original file, or a .safetensors conversion."
    code = re.search(r"GLOBAL (\S+)", str(error)) if not isinstance(error, SafetensorError) else None
    if code is not None:
        return (
            f"'{path}' holds more than tensors: unpickling it would run {quoted(code[1])}, which is refused. "
            "Use the original file, or a .safetensors conversion."
        )
    is_pickle = path.suffix.lower() in PICKLE_EXTENSIONS
    if is_pickle and head[8:9] == b"{":
        return f"'{path}' is a safetensors file under the extension of a pickle. Rename it to .safetensors."
    if not is_pickle and (is_zip(head) or head.startswith(b"\x80")):
        return f"'{path}' is a PyTorch pickle under the extension {path.suffix}. Rename it to .bin."
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
