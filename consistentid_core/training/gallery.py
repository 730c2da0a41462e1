"""The pictures of a run, when they are due: samples of people, and where their words look."""

from pathlib import Path

from ..errors import TrainingStoppedError
from .attention import captured_layers
from .attention_maps import words_of
from .config import TrainingConfig
from .frozen import FrozenModels
from .hooks import Hooks
from .items import as_picture
from .map_picture import draw_maps
from .metrics import Report
from .modules import TrainedModules
from .picture_page import PictureFolder
from .pictures import DrawSample, OnPicture, draw_samples, write_png
from .processes import Processes
from .samples import SampleSource


class Gallery:
    """Draws into a folder of its own; nothing of the run depends on it."""

    def __init__(
        self,
        config: TrainingConfig,
        frozen: FrozenModels,
        modules: TrainedModules,
        hooks: Hooks,
        portraits: SampleSource,
        folder: Path,
        draw_sample: DrawSample | None,
        on_picture: OnPicture,
        *,
        is_held_out: bool,
    ):
        """draw_sample: None for attention maps alone.  on_picture: told of every sample.

        portraits: of which the first are drawn.  is_held_out: whether they are not trained on; said beside them.
        """
        self._config, self._frozen, self._modules, self._hooks = config, frozen, modules, hooks
        self._portraits, self._files = portraits, PictureFolder(folder, is_held_out=is_held_out)
        self._draw_sample, self._on_picture = draw_sample, on_picture
        self._count = min(config.sample_count, len(portraits))

    def begin(self, step: int, processes: Processes) -> None:
        """Remove what was drawn after a step from which the run goes on; everything, if it begins."""
        if processes.rank == 0:
            self._files.drop_after(step or -1)

    def draw(self, step: int, report: Report | None, processes: Processes) -> None:
        """Draw what belongs to a step and is not there yet; the first process does, the others wait for it."""
        config, error = self._config, None
        is_due = config.sample_every and (step % config.sample_every == 0 or step == config.steps)
        if not is_due or not self._count:
            return
        if processes.rank == 0 and not all(path.is_file() for path in self._expected(step)):
            try:
                self._draw(step, report)
            except Exception as failed:  # the others must not wait for ever
                error = failed
        if processes.any(error is not None):
            if error:
                raise error
            raise TrainingStoppedError(
                "The pictures could not be drawn; the first process says why. Go on from the last state."
            )

    def _draw(self, step: int, report: Report | None) -> None:
        config = self._config
        # Maps first: what they prepare of the portraits is shown as the heads of the columns.
        self._draw_maps(step)
        if self._draw_sample:
            with self._hooks.off():
                draw_samples(
                    self._draw_sample, self._modules.groups(), self._portraits, config, self._files, step,
                    self._on_picture,
                )  # fmt: skip
        self._files.write_page(self._count, config.sample_prompts)
        if report:
            for path in self._expected(step):
                report.add_picture(f"pictures/{path.stem}", step, path)

    def _draw_maps(self, step: int) -> None:
        numbers = range(self._count)
        with self._hooks.capturing(captured_layers(self._frozen.layers, "cross")) as attention:
            found = words_of(self._portraits, numbers, self._modules, attention, self._frozen, self._config)
        for number, (item, words) in enumerate(found):
            if not (portrait := self._files.portrait(number)).is_file():
                write_png(portrait, as_picture(item.pixels))
            heading = f"Where the words look   step {step:,}, time step {self._config.map_timestep}"
            write_png(self._files.attention(step, number), draw_maps(item, words, heading, self._files.who))

    def _expected(self, step: int) -> list[Path]:
        prompts = range(len(self._config.sample_prompts)) if self._draw_sample else ()
        return [
            *(
                self._files.sample(step, number, prompt)
                for number in range(self._count)
                for prompt in prompts
            ),
            *(self._files.attention(step, number) for number in range(self._count)),
        ]
