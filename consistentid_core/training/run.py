"""From a configuration to a finished run, in one process or in one of several."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch

from ..errors import MissingDependencyError
from .cache import GIGABYTE
from .config import ConfigError, TrainingConfig
from .dry_run import write_dry_run
from .frozen import FrozenModels
from .initialise import initial_modules
from .metrics import require_tensorboard
from .modules import BaseWeight
from .pictures import DrawSample, OnPicture
from .processes import DistributedProcesses, OneProcess, Processes
from .samples import SampleSource
from .trainer import Trainer

logger = logging.getLogger(__name__)


def launched_processes() -> Processes:
    """This process among those that ``accelerate launch`` or ``torchrun`` started; one if nothing did.

    To be called before the models are loaded: it chooses the device of this process.
    Raises MissingDependencyError if several were started and accelerate is not installed.
    """
    if int(os.getenv("WORLD_SIZE", "1")) == 1:
        return OneProcess()
    try:
        from accelerate import PartialState  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise MissingDependencyError(
            "Several training processes were started, which takes the package accelerate. Install it with "
            "pip install accelerate, or start one process."
        ) from error
    return DistributedProcesses(PartialState(cpu=not torch.cuda.is_available()).device)


def train(
    config: TrainingConfig,
    frozen: FrozenModels,
    base_weight: BaseWeight,
    samples: SampleSource,
    *,
    processes: Processes | None = None,
    dry_run: bool = False,
    recomputed: Callable[[], AbstractContextManager[None]] = nullcontext,
    should_stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[int, dict[str, float]], None] = lambda step, values: None,
    draw_sample: DrawSample | None = None,
    on_picture: OnPicture = lambda step, path: None,
    sizes: dict[str, dict] | None = None,
) -> Path | None:
    """Run a configuration; returns the folder of the last saved state, or the page of a dry run.

    None in all processes but the first.

    base_weight: the frozen attention matrices.  sizes: of trained networks that differ from the released ones.
    The other arguments are those of :class:`.trainer.Trainer`.
    Raises ConfigError without an output folder.
    """
    if not config.output:
        raise ConfigError("The training configuration names no output folder: set 'output'.")
    if config.tensorboard:
        require_tensorboard()
    start = initial_modules(
        config.start_from or None, frozen.layers, base_weight, frozen.family, frozen.cross_attention_dim,
        seed=config.seed, rank=config.rank, **(sizes or {}),
    )  # fmt: skip
    trainer = Trainer(
        config, frozen, samples, start.modules,
        goes_on=start.goes_on, folder=Path(config.output), processes=processes,
        should_stop=should_stop, on_step=on_step, recomputed=recomputed,
        draw_sample=draw_sample, on_picture=on_picture,
    )  # fmt: skip
    with trainer:
        available = available_bytes(frozen.device)
        estimate = trainer.estimate_memory() if available is None else trainer.require_memory(available)
        world, cache = trainer.processes.world, trainer.cache
        notes = [
            f"{len(trainer.training)} portraits to train on, {len(trainer.held_out)} held out for validation",
            f"{config.steps} steps of {trainer.global_batch} samples in {world} process{'es' if world > 1 else ''}, "
            f"{config.steps * trainer.global_batch / len(trainer.training):.1f} times every portrait",
            f"weights: {start.found}, learning rate {trainer.rate:g}",
            f"memory: about {estimate.total(config.batch_size) / GIGABYTE:.1f} GB per process",
        ]
        if cache:
            notes.append(
                f"cache: {cache.found / GIGABYTE:.1f} of {config.cache_gigabytes:g} GB in '{cache.root}'"
            )
        for note in notes:
            logger.info("%s.", note)
        if dry_run:
            if trainer.processes.rank > 0:
                return None
            drawn = trainer.draws(0)
            return write_dry_run(trainer.folder / "dry_run", trainer.items(drawn), drawn, notes)
        return trainer.run()


def available_bytes(device: torch.device) -> int | None:
    """What this process may use of a CUDA device in all; None for other devices, whose memory others share."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device)


@contextmanager
def stopping_on_signals() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and the system's wish to end become a question: should the run stop?

    The run then saves the step it is in. A second Ctrl-C ends it at once.
    """
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True
        logger.warning(
            "Stopping: the step in progress will be finished and saved. Ctrl-C again ends at once."
        )

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
