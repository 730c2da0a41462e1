"""Gradient checkpointing of chosen blocks: computed a second time in the backward pass instead of kept.

ComfyUI's UNet notes in a shared dictionary which block runs, and overwrites it on the way. Each block
therefore gets a copy of the dictionaries it is called with; its second run sees what the first one saw.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def recomputed(blocks: Iterable[nn.Module]) -> Iterator[None]:
    """Checkpoint these modules while the block lasts; calls without gradients run as usual."""
    with ExitStack() as undo:
        for block in blocks:
            original = block.forward
            had_own = "forward" in vars(block)
            block.forward = _checkpointed(original)
            undo.callback(_restore, block, original, had_own)
        yield


def _checkpointed(forward: Callable) -> Callable:
    def run(*args: Any, **kwargs: Any) -> Any:
        args = tuple(map(_snapshot, args))
        kwargs = {name: _snapshot(value) for name, value in kwargs.items()}
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return run


def _snapshot(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _restore(block: nn.Module, original: Callable, had_own: bool) -> None:
    if had_own:
        block.forward = original
    else:
        del block.forward
