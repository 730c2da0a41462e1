"""A training run: its steps, its states, its curves. How the processes were started does not matter here.

The run belongs to a folder. Started again with the same folder it goes on from the last saved state, with the
same losses and the same weights as if it had never stopped.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import torch
from torch import Tensor

from ..errors import TrainingStoppedError
from .attention import TrainedAttention, captured_layers
from .attention_maps import region_attention
from .batches import Batches
from .cache import GIGABYTE, FeatureCache
from .config import TrainingConfig
from .draws import SampleDraws, draw_background
from .encoders import CachedModels
from .frozen import FrozenModels
from .gallery import Gallery
from .hooks import Hooks
from .items import Item
from .keeping import Keeper
from .memory import MemoryEstimate, fixed_bytes, peak_bytes, require_memory
from .metrics import Report
from .modules import TrainedModules, freeze_unused
from .pictures import DrawSample, OnPicture
from .processes import OneProcess, Processes
from .samples import SampleSource, split
from .state import RunState
from .step import Batch, batch_losses
from .updates import Updates
from .validation import COLUMNS as VALIDATION_COLUMNS
from .validation import validate

__all__ = ("STEP_COLUMNS", "Trainer", "TrainingStoppedError", "split")

logger = logging.getLogger(__name__)

#: Columns of ``steps.csv``. loss: what is minimised, over the global batch.
STEP_COLUMNS = (
    "loss", "noise_loss", "localisation_loss", "facial_words", "looks_at_foreground", "learning_rate",
    "gradient_norm", "skipped", "seconds",
)  # fmt: skip


class Trainer:
    """One run in one process. Use as a context manager: the hooks on the UNet are there for its length."""

    def __init__(
        self,
        config: TrainingConfig,
        frozen: FrozenModels,
        samples: SampleSource,
        modules: TrainedModules,
        *,
        goes_on: bool = False,
        folder: Path,
        processes: Processes | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_step: Callable[[int, dict[str, float]], None] = lambda step, values: None,
        recomputed: Callable[[], AbstractContextManager[None]] = nullcontext,
        draw_sample: DrawSample | None = None,
        on_picture: OnPicture = lambda step, path: None,
    ):
        """modules: at step 0; replaced by those of a saved state if the folder has one.

        goes_on: they come from a ConsistentID file, so the learning rate is that of fine-tuning.
        should_stop: asked after every step; the run then saves and ends.  on_step: told of every step.
        recomputed: switches gradient checkpointing of the UNet on.
        draw_sample: how a sample picture is made; None for no samples.  on_picture: told of every one of them.
        """
        self.config, self.modules, self.folder = config, modules, folder
        self.processes = processes or OneProcess()
        self.training, self.held_out = split(samples, config.validation_samples)
        self.step = 0
        self._should_stop, self._on_step = should_stop, on_step
        self._stack = ExitStack()

        self.cache = self._opened_cache()
        self.frozen = CachedModels(frozen, self.cache, keeps_latents=config.crop == "centre")
        self._batches = Batches(config, self.frozen, self.training, self.processes)
        self._hooks = Hooks(config, self.frozen, modules, recomputed)
        is_held_out = len(self.held_out) > 0
        self._gallery = Gallery(
            config, self.frozen, modules, self._hooks, self.held_out if is_held_out else self.training,
            folder / "pictures", draw_sample, on_picture, is_held_out=is_held_out,
        )  # fmt: skip

        freeze_unused(modules, features=config.features, train_projection=config.train_projection)
        self._keeper = Keeper(self.states, config, frozen.family, self.processes)
        state = self._keeper.found(global_batch=self.global_batch, samples=len(self.training))
        if state:
            modules.load_groups(state.groups)
        modules.to(frozen.device)
        self.updates = Updates(modules, config, config.rate(goes_on=goes_on))
        if state:
            self.updates.restore(state)
            self.step = state.step
            logger.info("Going on after step %d of '%s'.", self.step, self.folder)

    # --- for its length -----------------------------------------------------------------------------------

    def __enter__(self) -> "Trainer":
        if self.config.deterministic:
            before = torch.are_deterministic_algorithms_enabled()
            warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
            torch.use_deterministic_algorithms(True, warn_only=True)
            self._stack.callback(torch.use_deterministic_algorithms, before, warn_only=warned_only)
        self._stack.callback(self._batches.close)
        self._stack.callback(self._hooks.take_off)
        self._hooks.put_on()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def attention(self) -> TrainedAttention:
        """The hooks on the UNet, inside the ``with`` block."""
        return self._hooks.attention

    @property
    def rate(self) -> float:
        """The learning rate before its schedule."""
        return self.updates.rate

    # --- the run ------------------------------------------------------------------------------------------

    def run(self) -> Path | None:
        """Train to the last step, or until asked to stop; returns the folder of the last saved state.

        Raises TrainingStoppedError after too many steps in a row without usable gradients, SaveError if a
        state cannot be saved.
        """
        config, last = self.config, None
        report = self._report()
        try:
            if self.step == 0:
                self._validate(report)
            self._gallery.begin(self.step, self.processes)
            self._gallery.draw(self.step, report, self.processes)
            while self.step < config.steps:
                values = self.train_step()
                is_last = self.step == config.steps
                if report and (self.step % config.log_every == 0 or is_last or values["skipped"]):
                    report.add("steps", self.step, values)
                self._on_step(self.step, values)
                self.updates.stop_if_hopeless(self.step)
                stops = self.processes.any(self._should_stop())
                if config.validate_every and self.step % config.validate_every == 0:
                    self._validate(report)
                if stops or is_last or (config.save_every and self.step % config.save_every == 0):
                    last = self.save()
                if stops:
                    logger.info("Stopped after step %d, which is saved.", self.step)
                    break
                self._gallery.draw(self.step, report, self.processes)
            self._keeper.say_best()
        finally:
            if report:
                report.close()
        return last

    def train_step(self) -> dict[str, float]:
        """One step of the global batch; returns the values of :data:`STEP_COLUMNS`."""
        config, started = self.config, time.monotonic()
        looks = draw_background(config.seed, self.step, config.background_probability)
        sums = torch.zeros(3, dtype=torch.float64)
        self.updates.begin()
        for micro_step in range(config.accumulation):
            batch = self.batch(micro_step, looks)
            losses = batch_losses(batch, self.modules, self.attention, self.frozen, config)
            self.updates.add(losses.total(config.localisation_weight).sum() / self.global_batch)
            sums += torch.stack(
                [losses.noise.detach().sum(), losses.localisation.detach().sum(), batch.valid.sum().float()]
            ).to(sums)
        sums = sums.to(
            self.frozen.device, torch.float32 if self.frozen.device.type == "mps" else torch.float64
        )
        self.processes.add_up([sums, *self.updates.gradients])
        noise, localisation, words = (sums / self.global_batch).tolist()
        loss = noise + config.localisation_weight * localisation
        update = self.updates.apply(self.step, loss)
        self.step += 1
        return {
            "loss": loss,
            "noise_loss": noise,
            "localisation_loss": localisation,
            "facial_words": words,
            "looks_at_foreground": float(looks),
            "learning_rate": update.rate,
            "gradient_norm": update.norm,
            "skipped": float(update.is_skipped),
            "seconds": time.monotonic() - started,
        }

    @property
    def global_batch(self) -> int:
        """Samples of one step, over all processes and passes."""
        return self._batches.global_batch

    def batch(self, micro_step: int, looks_at_foreground: bool) -> Batch:
        """What this process reads in one pass of the current step."""
        return self._batches.read(self.step, micro_step, looks_at_foreground=looks_at_foreground)

    def draws(self, micro_step: int) -> list[SampleDraws]:
        """The draws of this process in one pass of the current step."""
        return self._batches.draws(self.step, micro_step)

    def items(self, drawn: Sequence[SampleDraws]) -> list[Item]:
        """The samples that belong to draws."""
        return self._batches.items(drawn)

    # --- validation ---------------------------------------------------------------------------------------

    def _validate(self, report: Report | None) -> None:
        config, processes = self.config, self.processes
        if not config.validate_every or len(self.held_out) < 2:
            return
        args = (self.frozen, config, processes)
        found = validate(self.held_out, self.modules, self.attention, *args).summary()
        with self._hooks.capturing(captured_layers(self.frozen.layers, "cross")) as attention:
            found |= region_attention(self.held_out, self.modules, attention, *args)
        if report:
            report.add("validation", self.step, found)
        logger.info(
            "Step %d: held-out noise loss %.5f with the right person, %.5f with another (t %.1f), %.5f with nobody.",
            self.step, found["right"], found["wrong"], found["t_wrong"], found["nobody"],
        )  # fmt: skip
        self._keeper.judge(self.step, found, self._state)

    # --- memory -------------------------------------------------------------------------------------------

    def estimate_memory(self) -> MemoryEstimate:
        """Measured on the first sample of the run; changes nothing."""
        one = self.draws(0)[:1]
        batch = self._batches.of(self.items(one), one, looks_at_foreground=False)

        def loss() -> Tensor:
            losses = batch_losses(batch, self.modules, self.attention, self.frozen, self.config)
            return losses.total(self.config.localisation_weight).sum()

        self.updates.begin()
        peak = peak_bytes(loss, self.frozen.device)
        self.updates.forget_gradients()
        has_average = bool(self.config.ema_decay)
        return MemoryEstimate(
            fixed_bytes(self.modules, self.frozen.unet_module, has_average=has_average), peak
        )

    def require_memory(self, available: int) -> MemoryEstimate:
        """Raise TooLittleMemoryError if a step would not fit; available: bytes that this process may use in all."""
        estimate = self.estimate_memory()
        require_memory(estimate, available, self.config)
        return estimate

    # --- states -------------------------------------------------------------------------------------------

    @property
    def states(self) -> Path:
        """The folder of the saved states."""
        return self.folder / "states"

    def save(self) -> Path | None:
        """Save the state of this step; returns its folder, None in all processes but the first."""
        return self._keeper.save(self._state)

    def _state(self) -> RunState:
        return RunState(
            step=self.step,
            groups=self.modules.groups(),
            average=self.updates.average(),
            optimizer=self.updates.tensors(),
            counters={
                **self.updates.counters(),
                **self._keeper.best.counters(),
                "global_batch": self.global_batch,
                "samples": len(self.training),
            },
            settings=self.config.as_dict(),
        )

    def _opened_cache(self) -> FeatureCache | None:
        config = self.config
        if not config.cache_gigabytes:
            return None
        root = Path(config.cache) if config.cache else self.folder / "cache"
        return FeatureCache(root, int(config.cache_gigabytes * GIGABYTE), shares=self.processes.world)

    def _report(self) -> Report | None:
        if self.processes.rank != 0:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(self.config.as_json(), "utf-8")
        tables = {"steps": STEP_COLUMNS, "validation": VALIDATION_COLUMNS}
        # A run that begins writes down its step 0 itself, anew if it ended before its first state.
        return Report(self.folder, tables, step=self.step or -1, tensorboard=self.config.tensorboard)
