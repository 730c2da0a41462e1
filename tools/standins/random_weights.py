"""Describe the tensors of a checkpoint, then write them filled with random numbers.

A stand-in may hold a billion parameters. Only the description is kept in memory:
each tensor is drawn, rounded and written before the next one.
"""

import json
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

#: Standard deviation of a layer's output for an input of unit variance. Below 1, so that
#: a stack of residual layers stays within the range of float16.
GAIN = 0.7

_SAFETENSORS_DTYPES = {torch.float16: "F16", torch.float32: "F32"}


@dataclass(frozen=True)
class TensorPlan:
    """One tensor: normal numbers around ``mean`` with deviation ``std``."""

    shape: tuple[int, ...]
    std: float = 0.0
    mean: float = 0.0
    dtype: torch.dtype = torch.float16

    def draw(self, name: str, seed: int) -> torch.Tensor:
        """The tensor's values; they depend on its name and the seed alone."""
        values = torch.full(self.shape, self.mean)
        if self.std:
            generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}:{name}".encode()))
            values.normal_(self.mean, self.std, generator=generator)
        return values.to(self.dtype)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class Plan(dict[str, TensorPlan]):
    """The tensors of one checkpoint by name, in file order."""

    def linear(self, name: str, inputs: int, outputs: int, *, bias: bool = True, gain: float = GAIN) -> None:
        self[f"{name}.weight"] = TensorPlan((outputs, inputs), gain / math.sqrt(inputs))
        if bias:
            self[f"{name}.bias"] = TensorPlan((outputs,))

    def conv(self, name: str, inputs: int, outputs: int, kernel: int = 3, *, bias: bool = True) -> None:
        std = GAIN / math.sqrt(inputs * kernel * kernel)
        self[f"{name}.weight"] = TensorPlan((outputs, inputs, kernel, kernel), std)
        if bias:
            self[f"{name}.bias"] = TensorPlan((outputs,))

    def norm(self, name: str, width: int) -> None:
        self[f"{name}.weight"] = TensorPlan((width,), mean=1.0)
        self[f"{name}.bias"] = TensorPlan((width,))

    def table(self, name: str, *shape: int, std: float = 0.02) -> None:
        """A free-standing parameter, such as an embedding table; ``name`` is its full name."""
        self[name] = TensorPlan(shape, std)

    def draw(self, seed: int) -> Iterator[tuple[str, torch.Tensor]]:
        """Each tensor in turn."""
        for name, plan in self.items():
            yield name, plan.draw(name, seed)


def write_safetensors(plan: Plan, path: Path, seed: int) -> None:
    """Write the planned tensors as a safetensors file, one tensor in memory at a time."""
    header: dict[str, object] = {"__metadata__": {"format": "pt", "standin": "random weights"}}
    end = 0
    for name, tensor in plan.items():
        start, end = end, end + tensor.nbytes
        dtype = _SAFETENSORS_DTYPES[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": (start, end)}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # the format wants the data to start on a multiple of 8

    unfinished = part_path(path)
    with open(unfinished, "wb") as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        file.writelines(values.numpy().data for _, values in plan.draw(seed))
    os.replace(unfinished, path)


def part_path(path: Path) -> Path:
    """Where a file is written before it gets its name: a half-written file never looks whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(path.name + ".part")
