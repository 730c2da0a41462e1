"""Which portraits belong to a step, and preparing those of the next one while this one is computed.

Read one by one from the set, in an order that depends on seed and epoch alone; never more than two batches are in
memory.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from .config import TrainingConfig
from .draws import SampleDraws, draw_sample, positions_of, sample_index
from .frozen import FrozenModels
from .items import Item, prepare_item
from .processes import Processes
from .samples import SampleSource
from .step import Batch, prepare_batch


class Batches:
    """The batches of one process."""

    def __init__(
        self, config: TrainingConfig, frozen: FrozenModels, samples: SampleSource, processes: Processes
    ):
        self._config, self._frozen, self._samples, self._processes = config, frozen, samples, processes
        self._thread: ThreadPoolExecutor | None = None
        self._ahead: tuple[tuple[int, int], Future[list[Item]]] | None = None

    @property
    def global_batch(self) -> int:
        """Samples of one step, over all processes and passes."""
        return self._config.batch_size * self._config.accumulation * self._processes.world

    def read(self, step: int, micro_step: int, *, looks_at_foreground: bool) -> Batch:
        """What this process reads in one pass of a step; the pass after it is prepared from now on."""
        drawn = self.draws(step, micro_step)
        items = self._prepared(step, micro_step)
        self._prepare_next(step, micro_step)
        return self.of(items, drawn, looks_at_foreground=looks_at_foreground)

    def of(self, items: Sequence[Item], drawn: Sequence[SampleDraws], *, looks_at_foreground: bool) -> Batch:
        """The batch of prepared samples and their draws."""
        return prepare_batch(items, drawn, self._frozen, looks_at_foreground=looks_at_foreground)

    def draws(self, step: int, micro_step: int) -> list[SampleDraws]:
        """The draws of this process in one pass of a step."""
        config, processes = self._config, self._processes
        positions = positions_of(
            processes.rank, processes.world, config.batch_size, config.accumulation, micro_step
        )
        return [
            draw_sample(
                config.seed, step, position,
                timesteps=len(self._frozen.alphas_cumprod), drop_probability=config.drop_probability,
            )
            for position in positions
        ]  # fmt: skip

    def items(self, drawn: Sequence[SampleDraws]) -> list[Item]:
        """The samples that belong to draws."""
        return [
            prepare_item(
                self._samples[self._index(draw)], draw, self._config,
                family=self._frozen.family, count_tokens=self._frozen.count_tokens,
            )
            for draw in drawn
        ]  # fmt: skip

    def close(self) -> None:
        """Give up what is being prepared, and wait for the portrait that is being read."""
        self._ahead = None
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._thread = None

    def _index(self, draw: SampleDraws) -> int:
        number = draw.step * self.global_batch + draw.position
        return sample_index(self._config.seed, number, len(self._samples))

    def _prepared(self, step: int, micro_step: int) -> list[Item]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == (step, micro_step):
            return ahead[1].result()  # a portrait that cannot be read says so here, at its own step
        return self.items(self.draws(step, micro_step))

    def _prepare_next(self, step: int, micro_step: int) -> None:
        config = self._config
        following = (step, micro_step + 1) if micro_step + 1 < config.accumulation else (step + 1, 0)
        if not config.prefetch or following[0] >= config.steps:
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="next batch")
        drawn = self.draws(*following)
        self._ahead = following, self._thread.submit(self.items, drawn)
