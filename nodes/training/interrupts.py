"""Cancel while a run is trained: noted at once, obeyed where everything can be saved."""

from collections.abc import Iterator
from contextlib import contextmanager

import comfy.model_management

#: Whether Cancel was pressed; asking does not answer it.
was_cancelled = comfy.model_management.processing_interrupted


@contextmanager
def held_back() -> Iterator[None]:
    """Within, Cancel raises nothing; afterwards the host raises it as usual.

    The host asks in every layer of its networks and raises there, in the middle of a step, whose run would lose all
    since the state saved last.
    """
    host = comfy.model_management
    raising = host.throw_exception_if_processing_interrupted
    host.throw_exception_if_processing_interrupted = lambda: None
    try:
        yield
    finally:
        host.throw_exception_if_processing_interrupted = raising
    raising()
