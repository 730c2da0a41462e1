"""Building a set with Ray Data: a pool of workers for each network, on one machine or many.

The one module that imports Ray. What makes a run safe to end is not Ray's but the stores': every worker writes
whole portraits or shards, and the next run plans around them. Four traps of Ray Data are guarded here: too few
logical CPUs starve a chain of workers silently, so there are always enough and each asks for a part of one;
results are stored in small groups, so little is lost; an error of one photo is a value, not an exception that
drops its block; and readers believe an index that is written last.
"""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConsistentIDError, MissingDependencyError
from .build import Store, finish_rows
from .progress import Progress
from .rows import Row
from .steps import STEPS, Settings, guarded

#: Of a logical CPU; every step of the chain must have its workers at the same time.
_CPUS_PER_WORKER = 0.5
#: Steps with a network that a graphics card makes faster.
_ON_GPU = ("parse", "recognise", "caption")
#: Photos that travel between workers together.
BATCH = 8


@dataclass(frozen=True)
class Workers:
    """How many workers run each step.

    count: of each step.  gpus: the share of a graphics card each worker with a network takes.
    address: of a running cluster; empty for this machine alone.
    """

    count: int = 1
    gpus: float = 0.0
    address: str = ""


class _StepWorker:
    def __init__(self, name: str, settings: Settings):
        self._step = guarded(STEPS[name](settings))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return _to_batch([self._step(row) for row in _to_rows(batch)])


class _StoreWorker:
    def __init__(self, store: Store):
        self._store = store

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = _to_rows(batch)
        finish_rows(rows, self._store)
        return {"reason": [row["reason"] for row in rows]}


def build_with_ray(
    pending: Sequence[Row],
    store: Store,
    settings: Settings,
    progress: Progress,
    *,
    workers: Workers,
    rows_at_once: int = 1,
) -> None:
    """Run the steps in pools of workers.

    A run that is ended has lost at most ``rows_at_once`` portraits a worker that stores, and those on their way.
    Raises MissingDependencyError without Ray; ConsistentIDError for what ended a worker.
    """
    if not pending:
        return
    ray = _import_ray()
    for name in ("ray", "ray.data"):  # progress and errors are said here, in words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    started_here = not ray.is_initialized()
    if started_here:
        _start(ray, workers)
    try:
        _run(ray, pending, store, settings, progress, workers, rows_at_once)
    except ray.exceptions.RayError as error:
        raise ConsistentIDError(_reason(error)) from error
    finally:
        if started_here:
            ray.shutdown()


def _start(ray: Any, workers: Workers) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if workers.address:
        ray.init(address=workers.address, **quiet)
        return
    # Logical, not real ones: with fewer than the chain needs, Ray waits for ever and says nothing.
    needed = int((len(STEPS) + 1) * workers.count * _CPUS_PER_WORKER) + 2
    ray.init(num_cpus=max(4, needed, os.cpu_count() or 1), include_dashboard=False, **quiet)


def _run(
    ray: Any,
    pending: Sequence[Row],
    store: Store,
    settings: Settings,
    progress: Progress,
    workers: Workers,
    rows_at_once: int,
) -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = 0
    pool = ray.data.ActorPoolStrategy(size=workers.count)
    # Blocks of a few photos: what a block holds is what can be in memory and lost at once.
    rows_per_block = max(1, min(BATCH, len(pending) // max(1, 2 * workers.count)))
    data = ray.data.from_items(
        [dict(row) for row in pending], override_num_blocks=-(-len(pending) // rows_per_block)
    )
    for name in STEPS:
        options: dict[str, Any] = {"num_cpus": _CPUS_PER_WORKER}
        if workers.gpus and name in _ON_GPU:
            options["num_gpus"] = workers.gpus
        data = data.map_batches(
            _StepWorker, fn_constructor_args=(name, settings), compute=pool, batch_size=BATCH, **options
        )
    data = data.map_batches(
        _StoreWorker,
        fn_constructor_args=(store,),
        compute=pool,
        batch_size=max(1, rows_at_once),
        num_cpus=_CPUS_PER_WORKER,
    )
    for result in data.iter_rows():
        refused = bool(result["reason"])
        progress.step(not refused, refused)


def _to_rows(batch: dict[str, Any]) -> list[Row]:
    """The rows of a batch of columns, with plain Python values."""
    columns = {name: [_plain(value) for value in values] for name, values in batch.items()}
    return [Row(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]  # type: ignore[typeddict-item]


def _to_batch(rows: list[Row]) -> dict[str, Any]:
    import numpy as np

    batch: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]  # type: ignore[literal-required]
        column = np.empty(len(values), object)
        column[:] = values
        batch[name] = column
    return batch


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _reason(error: BaseException) -> str:
    """What a worker said, without the path it took through Ray."""
    cause = getattr(error, "cause", None) or error.__cause__
    while cause is not None and not isinstance(cause, ConsistentIDError):
        cause = getattr(cause, "cause", None) or cause.__cause__
    text = str(cause) if cause is not None else str(error).strip().splitlines()[-1]
    return f"A worker ended: {text[:600]} What was stored stays; the same command goes on from there."


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            f"--engine ray needs the package ray (2.60 or newer): {error}. Install it into this Python: "
            f'"{sys.executable}" -m pip install "ray[data]>=2.60"; or build with --engine local.'
        ) from error
    return ray
