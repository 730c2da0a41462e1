"""From gradients to weights: AdamW with its loss scale, clipping and average, and steps that are skipped."""

import logging
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import TrainingStoppedError
from .config import TrainingConfig
from .ema import MovingAverage
from .modules import Groups, TrainedModules, parameters_of
from .schedule import learning_rate_factor
from .state import RunState

logger = logging.getLogger(__name__)

#: The loss of half-precision runs is multiplied with this, so that small gradients do not vanish; halved when it
#: is too much, doubled after so many good steps.
_LOSS_SCALE, _GOOD_STEPS = 2.0**16, 2000


@dataclass(frozen=True)
class Update:
    """rate: of the step.  norm: of its gradients, before clipping.  is_skipped: they were no numbers."""

    rate: float
    norm: float
    is_skipped: bool


class Updates:
    """The optimiser of a run. Weights are those of the modules; nothing else changes them."""

    def __init__(self, modules: TrainedModules, config: TrainingConfig, rate: float):
        """modules: on their device, with gradients switched on where they are trained.  rate: without the schedule."""
        self.rate, self.skipped, self.skipped_in_row = rate, 0, 0
        self._modules, self._config = modules, config
        self._trained = {name: one for name, one in modules.named_parameters() if one.requires_grad}
        self._optimizer = torch.optim.AdamW(
            self._trained.values(), lr=rate, betas=config.betas, eps=config.epsilon,
            weight_decay=config.weight_decay,
        )  # fmt: skip
        self._average = MovingAverage(modules, config.ema_decay) if config.ema_decay else None
        self._loss_scale = _LOSS_SCALE if config.precision == "fp16" else 1.0
        self._good_steps = 0

    def begin(self) -> None:
        """Set all gradients to zero.

        A batch without facial words gives the encoder no gradient; zero is what it then is, in every process.
        """
        self._optimizer.zero_grad(set_to_none=False)
        for one in self._trained.values():
            one.grad = torch.zeros_like(one) if one.grad is None else one.grad

    def add(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        (loss * self._loss_scale).backward()

    @property
    def gradients(self) -> list[Tensor]:
        """Of all that is trained."""
        return [one.grad for one in self._trained.values() if one.grad is not None]

    def forget_gradients(self) -> None:
        """Give their memory back."""
        self._optimizer.zero_grad(set_to_none=True)

    def apply(self, step: int, loss: float) -> Update:
        """Take a step, counted from 0; skipped and counted if loss or gradients are no numbers."""
        config = self._config
        rate = self.rate * learning_rate_factor(
            step, schedule=config.schedule, warmup_steps=config.warmup_steps, total_steps=config.steps
        )
        norm = self._norm()
        is_usable = math.isfinite(loss) and math.isfinite(norm)
        if is_usable:
            self._update(step, rate, norm)
        self._count(step, is_usable)
        return Update(rate, norm, not is_usable)

    def stop_if_hopeless(self, step: int) -> None:
        """Raise TrainingStoppedError after too many steps in a row, up to ``step``, that were skipped."""
        if self.skipped_in_row < self._config.max_skipped:
            return
        raise TrainingStoppedError(
            f"{self.skipped_in_row} steps in a row, up to step {step}, gave losses or gradients that are no "
            "numbers. The states saved before are fine. Go on from the last of them with a smaller learning_rate, "
            "clip_norm 1 or precision fp32 or bf16, or look for damaged pictures with the data check."
        )

    def average(self) -> Groups | None:
        """The groups of the moving average; None without one."""
        return self._modules.groups_with(self._average.average) if self._average else None

    def tensors(self) -> dict[str, Tensor]:
        """What the optimiser goes on from: "<parameter>/<name>" -> tensor."""
        return {
            f"{name}/{key}": value.detach()
            for name, parameter in self._trained.items()
            for key, value in self._optimizer.state.get(parameter, {}).items()
        }

    def counters(self) -> dict[str, float]:
        """The numbers it goes on from."""
        return {
            "skipped": self.skipped,
            "skipped_in_row": self.skipped_in_row,
            "loss_scale": self._loss_scale,
            "good_steps": self._good_steps,
            "rate": self.rate,
        }

    def restore(self, state: RunState) -> None:
        """Go on from a saved state."""
        counters = state.counters
        self.rate, self._loss_scale = counters["rate"], counters["loss_scale"]
        self.skipped, self.skipped_in_row = int(counters["skipped"]), int(counters["skipped_in_row"])
        self._good_steps = int(counters["good_steps"])
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

    def _norm(self) -> float:
        norms = torch._foreach_norm(self.gradients)  # one pass on the device, not one per tensor
        return (torch.stack([norm.float() for norm in norms]).norm() / self._loss_scale).item()

    def _update(self, step: int, rate: float, norm: float) -> None:
        factor = 1 / self._loss_scale
        if self._config.clip_norm and norm > self._config.clip_norm:
            factor *= self._config.clip_norm / norm
        if factor != 1:
            torch._foreach_mul_(self.gradients, factor)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        if self._average:
            self._average.update(self._modules, step)

    def _count(self, step: int, is_usable: bool) -> None:
        if is_usable:
            self.skipped_in_row = 0
            self._good_steps += 1
        else:
            self.skipped, self.skipped_in_row, self._good_steps = self.skipped + 1, self.skipped_in_row + 1, 0
            logger.warning("Step %d gave no usable gradients and was skipped.", step + 1)
        if self._config.precision == "fp16":
            if not is_usable:
                self._loss_scale = max(1.0, self._loss_scale / 2)
            elif self._good_steps % _GOOD_STEPS == 0:
                self._loss_scale *= 2
