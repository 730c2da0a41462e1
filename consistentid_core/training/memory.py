"""Will it fit? What a run needs, measured on one sample before the first step, and what to change if it is too much."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet, finalize

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import ConsistentIDError
from .config import TrainingConfig

_GIGABYTE = 1 << 30


class TooLittleMemoryError(ConsistentIDError):
    """The run would not fit into the memory of its device."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on the device. fixed: whatever the batch size.  per_sample: at most, in both passes of a step."""

    fixed: int
    per_sample: int

    def total(self, batch_size: int) -> int:
        """Of one process."""
        return self.fixed + batch_size * self.per_sample


def fixed_bytes(modules: nn.Module, frozen: nn.Module, *, has_average: bool) -> int:
    """Frozen and trained weights, and for the trained ones gradients, AdamW's two averages and the moving average."""
    trained = sum(_bytes(one) for one in modules.parameters() if one.requires_grad)
    kept = sum(_bytes(one) for one in modules.parameters() if not one.requires_grad)
    return sum(map(_bytes, frozen.parameters())) + kept + trained * (5 if has_average else 4)


def peak_bytes(run: Callable[[], Tensor], device: torch.device) -> int:
    """What both passes of a step need at most besides what is there before, in bytes.

    run: computes a loss of one sample. Gradients must be there already, or they count as well.
    On a CUDA device the peak that the allocator saw. Elsewhere the sum of all tensors alive at a time, with what
    gradient checkpointing keeps and computes a second time, but without the scratch memory of single operations.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run().backward()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with _LiveTensors() as live:
        run().backward()
    return live.peak


class _LiveTensors(TorchDispatchMode):
    """Adds up the storages that operations make, for as long as somebody holds them."""

    def __init__(self) -> None:
        super().__init__()
        self.peak, self._now = 0, 0
        self._known: WeakSet[torch.UntypedStorage] = WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for one in tree_leaves((args, kwargs)):  # there before, such as weights
            if isinstance(one, Tensor):
                self._known.add(one.untyped_storage())
        result = func(*args, **(kwargs or {}))
        for one in tree_leaves(result):
            if isinstance(one, Tensor) and (storage := one.untyped_storage()) not in self._known:
                self._known.add(storage)
                self._now += storage.nbytes()
                finalize(storage, self._free, storage.nbytes())
        self.peak = max(self.peak, self._now)
        return result

    def _free(self, size: int) -> None:
        self._now -= size


def require_memory(estimate: MemoryEstimate, available: int, config: TrainingConfig) -> None:
    """Raise TooLittleMemoryError, saying what to change, if a run needs more bytes than there are."""
    needed = estimate.total(config.batch_size)
    if needed <= available:
        return
    advice = []
    if not config.gradient_checkpointing:
        advice.append("set gradient_checkpointing to true")
    fitting = max(0, available - estimate.fixed) // max(1, estimate.per_sample)
    if 1 <= fitting < config.batch_size:
        passes = -(-config.batch_size * config.accumulation // fitting)
        advice.append(f"set batch_size to {fitting} and accumulation to {passes}")
    if config.precision == "fp32":
        advice.append("set precision to bf16")
    if config.ema_decay:
        advice.append("set ema_decay to 0")
    if config.resolution > 512:
        advice.append(f"set resolution below {config.resolution}")
    raise TooLittleMemoryError(
        f"Training needs about {needed / _GIGABYTE:.1f} GB (weights and optimiser {estimate.fixed / _GIGABYTE:.1f} GB, "
        f"{config.batch_size} samples of {estimate.per_sample / _GIGABYTE:.1f} GB each), but only "
        f"{available / _GIGABYTE:.1f} GB are free. To make it fit: {', or '.join(advice) or 'use a larger device'}."
    )


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
