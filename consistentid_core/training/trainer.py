"""A training run: its steps, its states, its curves. How the processes were started does not matter here.

The run belongs to a folder. Started again with the same folder it goes on from the last saved state, with the
same losses and the same weights as if it had never stopped.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

import torch
from torch import Tensor

from ..errors import ConsistentIDError
from .attention import TrainedAttention, attached
from .config import TrainingConfig
from .draws import SampleDraws, draw_background, draw_sample, positions_of, sample_index
from .ema import MovingAverage
from .frozen import FrozenModels
from .items import Item, prepare_item
from .memory import MemoryEstimate, fixed_bytes, kept_bytes, require_memory
from .metrics import Report
from .modules import TrainedModules, freeze_unused, parameters_of
from .picture_page import PictureFolder
from .pictures import DrawSample, OnPicture, draw_samples
from .processes import OneProcess, Processes
from .samples import SampleSource, Subset
from .schedule import learning_rate_factor
from .state import RunState, SaveError, latest_state, save_state
from .step import Batch, batch_losses, layers_to_capture, prepare_batch
from .validation import COLUMNS as VALIDATION_COLUMNS
from .validation import validate

logger = logging.getLogger(__name__)

#: Columns of ``steps.csv``. loss: what is minimised, over the global batch.
STEP_COLUMNS = (
    "loss", "noise_loss", "localisation_loss", "facial_words", "looks_at_foreground", "learning_rate",
    "gradient_norm", "skipped", "seconds",
)  # fmt: skip

#: The loss of half-precision runs is multiplied with this, so that small gradients do not vanish; halved when it
#: is too much, doubled after so many good steps.
_LOSS_SCALE, _GOOD_STEPS = 2.0**16, 2000

#: Settings that decide what is drawn and computed: changed in the middle, a resumed run is another run.
_MAY_CHANGE = {
    "steps", "save_every", "keep", "validate_every", "log_every", "max_skipped", "file_format", "tensorboard",
    "output", "data", "checkpoint", "vae", "clip_vision", "start_from", "gradient_checkpointing", "deterministic",
    "preset", "accumulation", "batch_size", "sample_every", "sample_count", "sample_prompts", "sample_steps",
}  # fmt: skip


class TrainingStoppedError(ConsistentIDError):
    """A run stopped by itself because going on would be of no use."""


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
        self.config, self.frozen, self.modules, self.folder = config, frozen, modules, folder
        self.processes = processes or OneProcess()
        self.rate = config.rate(goes_on=goes_on)
        self.training, self.held_out = split(samples, config.validation_samples)
        self.step, self.skipped, self.skipped_in_row = 0, 0, 0
        self._loss_scale = _LOSS_SCALE if config.precision == "fp16" else 1.0
        self._good_steps = 0
        self._should_stop, self._on_step, self._recomputed = should_stop, on_step, recomputed
        self._draw_sample, self._on_picture = draw_sample, on_picture
        self._pictures = PictureFolder(folder / "pictures")
        self._stack, self._hooks = ExitStack(), ExitStack()
        self._attention: TrainedAttention | None = None

        freeze_unused(modules, features=config.features, train_projection=config.train_projection)
        self._resume()
        modules.to(frozen.device)
        self._trained = {name: one for name, one in modules.named_parameters() if one.requires_grad}
        self._optimizer = torch.optim.AdamW(
            self._trained.values(), lr=self.rate, betas=config.betas, eps=config.epsilon,
            weight_decay=config.weight_decay,
        )  # fmt: skip
        self._average = MovingAverage(modules, config.ema_decay) if config.ema_decay else None
        self._restore_optimizer()

    # --- for its length -----------------------------------------------------------------------------------

    def __enter__(self) -> "Trainer":
        if self.config.deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)
            self._stack.callback(torch.use_deterministic_algorithms, False)
        self._attach()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.close()
        self._stack.close()

    def _attach(self) -> None:
        """Let the trained networks act in the UNet, until the hooks are closed."""
        config, frozen = self.config, self.frozen
        captured = layers_to_capture(frozen.layers, config)
        self._attention = self._hooks.enter_context(
            attached(frozen.unet_module, frozen.layers, self.modules.adapters, captured)
        )
        if config.gradient_checkpointing:
            self._hooks.enter_context(self._recomputed())

    @property
    def attention(self) -> TrainedAttention:
        """The hooks on the UNet, inside the ``with`` block."""
        if self._attention is None:
            raise RuntimeError("A Trainer trains inside its 'with' block only.")
        return self._attention

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
            self._pictures.drop_after(self.step)
            self._draw()
            while self.step < config.steps:
                values = self.train_step()
                if report and (
                    self.step % config.log_every == 0 or self.step == config.steps or values["skipped"]
                ):
                    report.add("steps", self.step, values)
                self._on_step(self.step, values)
                self._stop_if_hopeless()
                stops = self.processes.any(self._should_stop())
                if config.validate_every and self.step % config.validate_every == 0:
                    self._validate(report)
                if (
                    stops
                    or self.step == config.steps
                    or (config.save_every and self.step % config.save_every == 0)
                ):
                    last = self.save()
                if not stops:
                    self._draw()
                else:
                    logger.info("Stopped after step %d, which is saved.", self.step)
                    break
        finally:
            if report:
                report.close()
        return last

    def train_step(self) -> dict[str, float]:
        """One step of the global batch; returns the values of :data:`STEP_COLUMNS`."""
        config, started = self.config, time.monotonic()
        rate = self.rate * learning_rate_factor(
            self.step, schedule=config.schedule, warmup_steps=config.warmup_steps, total_steps=config.steps
        )
        looks = draw_background(config.seed, self.step, config.background_probability)
        sums = torch.zeros(3, dtype=torch.float64)
        self._optimizer.zero_grad(set_to_none=False)
        for one in self._trained.values():
            # A batch without facial words gives the encoder no gradient; zero is what it then is, in every process.
            one.grad = torch.zeros_like(one) if one.grad is None else one.grad
        for micro_step in range(config.accumulation):
            batch = self.batch(micro_step, looks)
            losses = batch_losses(batch, self.modules, self.attention, self.frozen, config)
            total = losses.total(config.localisation_weight).sum() / self.global_batch
            (total * self._loss_scale).backward()
            sums += torch.stack(
                [losses.noise.detach().sum(), losses.localisation.detach().sum(), batch.valid.sum().float()]
            ).to(sums)
        sums = sums.to(
            self.frozen.device, torch.float32 if self.frozen.device.type == "mps" else torch.float64
        )
        self.processes.add_up([sums, *(one.grad for one in self._trained.values() if one.grad is not None)])
        noise, localisation, words = (sums / self.global_batch).tolist()
        norm = self._norm_of_gradients()
        is_usable = math.isfinite(noise + config.localisation_weight * localisation) and math.isfinite(norm)
        if is_usable:
            self._update(rate, norm)
        self._count(is_usable)
        self.step += 1
        return {
            "loss": noise + config.localisation_weight * localisation,
            "noise_loss": noise,
            "localisation_loss": localisation,
            "facial_words": words,
            "looks_at_foreground": float(looks),
            "learning_rate": rate,
            "gradient_norm": norm,
            "skipped": float(not is_usable),
            "seconds": time.monotonic() - started,
        }

    @property
    def global_batch(self) -> int:
        """Samples of one step, over all processes and passes."""
        return self.config.batch_size * self.config.accumulation * self.processes.world

    def batch(self, micro_step: int, looks_at_foreground: bool) -> Batch:
        """What this process reads in one pass of the current step."""
        drawn = self.draws(micro_step)
        return prepare_batch(self.items(drawn), drawn, self.frozen, looks_at_foreground=looks_at_foreground)

    def draws(self, micro_step: int) -> list[SampleDraws]:
        """The draws of this process in one pass of the current step."""
        config, processes = self.config, self.processes
        positions = positions_of(
            processes.rank, processes.world, config.batch_size, config.accumulation, micro_step
        )
        return [
            draw_sample(
                config.seed, self.step, position,
                timesteps=len(self.frozen.alphas_cumprod), drop_probability=config.drop_probability,
            )
            for position in positions
        ]  # fmt: skip

    def items(self, drawn: Sequence[SampleDraws]) -> list[Item]:
        """The samples that belong to draws."""
        return [
            prepare_item(
                self.training[self._index(draw)], draw, self.config,
                family=self.frozen.family, count_tokens=self.frozen.count_tokens,
            )
            for draw in drawn
        ]  # fmt: skip

    def _index(self, draw: SampleDraws) -> int:
        number = draw.step * self.global_batch + draw.position
        return sample_index(self.config.seed, number, len(self.training))

    def _norm_of_gradients(self) -> float:
        gradients = [one.grad for one in self._trained.values() if one.grad is not None]
        norms = torch._foreach_norm(gradients)  # one pass on the device, not one per tensor
        return (torch.stack([norm.float() for norm in norms]).norm() / self._loss_scale).item()

    def _update(self, rate: float, norm: float) -> None:
        factor = 1 / self._loss_scale
        if self.config.clip_norm and norm > self.config.clip_norm:
            factor *= self.config.clip_norm / norm
        if factor != 1:
            torch._foreach_mul_([one.grad for one in self._trained.values() if one.grad is not None], factor)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        if self._average:
            self._average.update(self.modules, self.step)

    def _count(self, is_usable: bool) -> None:
        if is_usable:
            self.skipped_in_row = 0
            self._good_steps += 1
        else:
            self.skipped, self.skipped_in_row, self._good_steps = self.skipped + 1, self.skipped_in_row + 1, 0
            logger.warning("Step %d gave no usable gradients and was skipped.", self.step + 1)
        if self.config.precision == "fp16":
            if not is_usable:
                self._loss_scale = max(1.0, self._loss_scale / 2)
            elif self._good_steps % _GOOD_STEPS == 0:
                self._loss_scale *= 2

    def _stop_if_hopeless(self) -> None:
        if self.skipped_in_row < self.config.max_skipped:
            return
        raise TrainingStoppedError(
            f"{self.skipped_in_row} steps in a row, up to step {self.step}, gave losses or gradients that are no "
            "numbers. The states saved before are fine. Go on from the last of them with a smaller learning_rate, "
            "clip_norm 1 or precision fp32 or bf16, or look for damaged pictures with the data check."
        )

    # --- validation and memory ----------------------------------------------------------------------------

    def _validate(self, report: Report | None) -> None:
        if not self.config.validate_every or len(self.held_out) < 2:
            return
        found = validate(
            self.held_out, self.modules, self.attention, self.frozen, self.config, self.processes
        ).summary()
        if report:
            report.add("validation", self.step, found)
        logger.info(
            "Step %d: held-out noise loss %.5f with the right person, %.5f with another (t %.1f), %.5f with nobody.",
            self.step, found["right"], found["wrong"], found["t_wrong"], found["nobody"],
        )  # fmt: skip

    # --- pictures -----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw what belongs to this step and is not there yet; only the first process does, the others wait."""
        config, error = self.config, None
        is_due = config.sample_every and (self.step % config.sample_every == 0 or self.step == config.steps)
        if not is_due or self._draw_sample is None or not len(self.held_out):
            return
        if self.processes.rank == 0 and self.step not in self._pictures.steps():
            self._hooks.close()
            try:
                draw_samples(
                    self._draw_sample, self.modules.groups(), self.held_out, config, self._pictures, self.step,
                    self._on_picture,
                )  # fmt: skip
                self._pictures.write_page(config.sample_count, config.sample_prompts)
            except Exception as failed:  # the others must not wait for ever
                error = failed
            finally:
                self._attach()
        if self.processes.any(error is not None) and error:
            raise error

    def estimate_memory(self) -> MemoryEstimate:
        """Measured on the first sample of the run; changes nothing."""
        one = self.draws(0)[:1]
        batch = prepare_batch(self.items(one), one, self.frozen, looks_at_foreground=False)

        def loss() -> Tensor:
            losses = batch_losses(batch, self.modules, self.attention, self.frozen, self.config)
            return losses.total(self.config.localisation_weight).sum()

        weights = [*self.modules.parameters(), *self.frozen.unet_module.parameters()]
        kept = kept_bytes(loss, weights, self.frozen.device)
        self._optimizer.zero_grad(set_to_none=True)
        fixed = fixed_bytes(self.modules, self.frozen.unet_module, has_average=self._average is not None)
        return MemoryEstimate(fixed, kept)

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
        saved, error = None, None
        if self.processes.rank == 0:
            try:
                saved = save_state(
                    self.states, self._state(),
                    family=self.frozen.family, keep=self.config.keep, file_format=self.config.file_format,
                )  # fmt: skip
            except SaveError as failed:
                error = failed
        # The other processes must not go on, or wait for ever, when the first one fails.
        if self.processes.any(error is not None):
            raise error or SaveError(f"Step {self.step} could not be saved; the first process says why.")
        return saved

    def _state(self) -> RunState:
        optimizer = {
            f"{name}/{key}": value
            for name, parameter in self._trained.items()
            for key, value in self._optimizer.state.get(parameter, {}).items()
        }
        return RunState(
            step=self.step,
            groups=self.modules.groups(),
            average=self.modules.groups_with(self._average.average) if self._average else None,
            optimizer={key: one.detach() for key, one in optimizer.items()},
            counters={
                "skipped": self.skipped,
                "skipped_in_row": self.skipped_in_row,
                "loss_scale": self._loss_scale,
                "good_steps": self._good_steps,
                "rate": self.rate,
                "global_batch": self.global_batch,
                "samples": len(self.training),
            },
            settings=self.config.as_dict(),
        )

    def _resume(self) -> None:
        self._resumed = state = latest_state(self.states)
        if state is None:
            return
        self._require_same_run(state)
        self.modules.load_groups(state.groups)
        counters = state.counters
        self.step, self.rate = state.step, counters["rate"]
        self.skipped, self.skipped_in_row = int(counters["skipped"]), int(counters["skipped_in_row"])
        self._loss_scale, self._good_steps = counters["loss_scale"], int(counters["good_steps"])
        logger.info("Going on after step %d of '%s'.", self.step, self.folder)

    def _require_same_run(self, state: RunState) -> None:
        mine = json.loads(self.config.as_json())
        changed = [
            f"{name} was {state.settings.get(name)!r} and is {value!r}"
            for name, value in mine.items()
            if name not in _MAY_CHANGE and state.settings.get(name) != value
        ]
        for name, value in (("global_batch", self.global_batch), ("samples", len(self.training))):
            if state.counters[name] != value:
                changed.append(f"{name} was {int(state.counters[name])} and is {value}")
        if changed:
            raise TrainingStoppedError(
                f"'{self.folder}' holds a run with other settings: {'; '.join(changed)}. To go on with that run, set "
                "them back; for another run, choose another output folder, with start_from naming a file of this one."
            )

    def _restore_optimizer(self) -> None:
        state, self._resumed = self._resumed, None
        if state is None:
            return
        for name, parameter in self._trained.items():
            values = {
                key.rpartition("/")[2]: tensor.clone()
                for key, tensor in state.optimizer.items()
                if key.rpartition("/")[0] == name
            }
            # AdamW keeps its count of steps on the CPU, its averages beside the weights.
            self._optimizer.state[parameter] = {
                key: tensor if key == "step" else tensor.to(parameter.device)
                for key, tensor in values.items()
            }
        if self._average and state.average:
            self._average.load(parameters_of(state.average))

    def _report(self) -> Report | None:
        if self.processes.rank != 0:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(self.config.as_json(), "utf-8")
        tables = {"steps": STEP_COLUMNS, "validation": VALIDATION_COLUMNS}
        return Report(self.folder, tables, step=self.step, tensorboard=self.config.tensorboard)


def split(samples: SampleSource, held_out: int) -> tuple[Subset, Subset]:
    """The samples to train on, and those to validate on: evenly spread, at most one in four.

    Raises TrainingStoppedError if there is nothing to train on.
    """
    count = len(samples)
    if count == 0:
        raise TrainingStoppedError(
            "The data holds no sample that can be trained on. Look at it with the data check."
        )
    held_out = min(held_out, count // 4)
    chosen = {round(number * count / held_out) for number in range(held_out)} if held_out else set()
    return (
        Subset(samples, tuple(index for index in range(count) if index not in chosen)),
        Subset(samples, tuple(sorted(chosen))),
    )
