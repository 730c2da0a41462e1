"""When a state is saved, by whom, and which stay: the newest few, and the best of all."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from ..families import Family
from .best import BestSoFar
from .config import TrainingConfig
from .processes import Processes
from .same_run import require_same_run
from .state import RunState, SaveError, latest_state, save_best, save_state

logger = logging.getLogger(__name__)


class Keeper:
    """The states of a run in their folder. The first process writes, the others wait for it."""

    def __init__(self, folder: Path, config: TrainingConfig, family: Family, processes: Processes):
        self.folder, self.best = folder, BestSoFar(config.keep_best)
        self._config, self._family, self._processes = config, family, processes

    def found(self, *, global_batch: int, samples: int) -> RunState | None:
        """The state to go on from; None if there is none.

        Raises TrainingStoppedError if it is of another run.
        """
        state = latest_state(self.folder)
        if state is not None:
            require_same_run(
                self.folder.parent, state, self._config, global_batch=global_batch, samples=samples
            )
            self.best.restore(state.counters)
        return state

    def save(self, state: Callable[[], RunState]) -> Path | None:
        """Save the state of this step; returns its folder, None in all processes but the first.

        Raises SaveError in every process if it cannot be saved.
        """
        config = self._config
        return self._in_first(
            lambda: save_state(
                self.folder, state(), family=self._family, keep=config.keep, file_format=config.file_format
            )
        )

    def judge(self, step: int, row: Mapping[str, float], state: Callable[[], RunState]) -> None:
        """Save the state of a step as the best so far, if the row of its validation says so."""
        if not self.best.improves(step, row):
            return
        saved = self._in_first(
            lambda: save_best(self.folder, state(), family=self._family, file_format=self._config.file_format)
        )
        if saved:
            logger.info("The best so far by '%s', kept as '%s'.", self.best.by, saved)

    def say_best(self) -> None:
        """Name the best step in the log, if there was a validation."""
        if self.best.value is not None:
            logger.info("Best by '%s': %s.", self.best.by, self.best.place())

    def _in_first(self, save: Callable[[], Path]) -> Path | None:
        saved, error = None, None
        if self._processes.rank == 0:
            try:
                saved = save()
            except SaveError as failed:
                error = failed
        # The other processes must not go on, or wait for ever, when the first one fails.
        if self._processes.any(error is not None):
            raise error or SaveError("The state could not be saved; the first process says why.")
        return saved
