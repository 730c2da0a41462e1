"""What the frozen encoders said, kept on the disk: every picture and text goes through them once, not once an epoch.

    <root>/<kind>-<identity>/<2 digits>/<key>.safetensors

identity: of the encoder, key: of what it read. So nothing in it is ever out of date; another model has another
folder. Values are kept exactly. A damaged entry counts as missing, is named, and is replaced.
"""

import json
import logging
import shutil
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..files.atomic import clear_abandoned, write_whole

logger = logging.getLogger(__name__)

#: Part of every key: another number where entries are written or read in another way.
_VERSION = 1

_HALVES = (torch.float16, torch.bfloat16)

GIGABYTE = 1 << 30


class FeatureCache:
    """Named tensors by key, on the disk and bounded.

    Several processes may use one folder. When it is full nothing is added: with everything read once an epoch, making
    room would throw out what is needed next.
    """

    def __init__(self, root: Path, limit: int, *, shares: int = 1):
        """limit: bytes, together with what is there; at most half of what the disk has left is added.

        shares: how many processes add to it at a time; each gets its part of the room.
        """
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.found = _bytes_below(root)
        self._room = min(max(0, limit - self.found), shutil.disk_usage(root).free // 2) // shares

    def get(self, folder: str, key: str) -> dict[str, Tensor] | None:
        """What was kept under a key; None if there is nothing that can be used."""
        path = self._path(folder, key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("The cached '%s' cannot be read (%s) and is computed again.", path, error)
            return None
        try:
            return _unpacked(data, key)
        except (SafetensorError, ValueError, KeyError) as error:
            logger.warning("The cached '%s' is damaged (%s) and is computed again.", path, error)
            return None

    def put(self, folder: str, key: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors under a key, if there is room."""
        if not self._room:
            return
        data = _packed(tensors, key)
        if len(data) > self._room:
            logger.warning(
                "The cache '%s' is full; what is not in it is computed each time. Raise cache_gigabytes, or clear the "
                "folder of what other models left in it.", self.root,
            )  # fmt: skip
            self._room = 0
            return
        path = self._path(folder, key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data, lasting=False)  # what a loss of power leaves is seen by its digest
        except OSError as error:
            logger.warning(
                "The cache '%s' takes no more (%s); training goes on without it.", self.root, error
            )
            self._room = 0
            return
        self._room -= len(data)

    def _path(self, folder: str, key: str) -> Path:
        return self.root / folder / key[:2] / f"{key}.safetensors"


def content_key(*contents: Tensor | str) -> str:
    """A name for tensors and texts that no others have."""
    digest = blake2b(f"version {_VERSION}".encode(), digest_size=16)
    for one in contents:
        if isinstance(one, str):
            digest.update(f"text {len(one)} ".encode() + one.encode("utf-8", "surrogatepass"))
        else:
            digest.update(f"{one.dtype} {tuple(one.shape)} ".encode())
            digest.update(_raw(one))
    return digest.hexdigest()


def _packed(tensors: Mapping[str, Tensor], key: str) -> bytes:
    kept = {name: _smaller(tensor.detach().cpu()).contiguous() for name, tensor in tensors.items()}
    kinds = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()}
    digest = content_key(*(kept[name] for name in sorted(kept)))
    return save(kept, {"key": key, "digest": digest, "kinds": json.dumps(kinds)})


def _unpacked(data: bytes, key: str) -> dict[str, Tensor]:
    notes = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    kept = load(data)
    if notes["key"] != key or notes["digest"] != content_key(*(kept[name] for name in sorted(kept))):
        raise ValueError("its content is not what was written")
    kinds = json.loads(notes["kinds"])
    return {name: tensor.to(getattr(torch, kinds[name])) for name, tensor in kept.items()}


def _smaller(tensor: Tensor) -> Tensor:
    """Half as many bytes where not a bit is lost: an encoder in half precision says nothing else."""
    if tensor.dtype == torch.float32:
        for half in _HALVES:
            if torch.equal((small := tensor.to(half)).float(), tensor):
                return small
    return tensor


def _raw(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def _bytes_below(root: Path) -> int:
    """How much is kept; what killed processes left on the way is removed."""
    total = 0
    for folder in root.glob("*/*"):
        clear_abandoned(folder)
        total += sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return total
