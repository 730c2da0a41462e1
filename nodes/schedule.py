"""What changes from step to step, kept in tensors: nothing here makes the host read one.

The compile node bakes in the structure of a model call, so range, curves and stages may
change values only; and a read in the step loop would make the graphics card wait.
"""

from collections.abc import Sequence

import torch

from ..consistentid_core.leak_control import LeakControl, limit_norm, mask_person, mask_stages


class StepTable:
    """Finds the step a model call belongs to by its noise level."""

    def __init__(self, sigmas: torch.Tensor, device: torch.device, dtype: torch.dtype):
        """sigmas: (steps + 1,), falling, of the run."""
        self.steps = max(len(sigmas) - 1, 1)
        # A little tolerance: some samplers recompute the level they are at.
        self._levels = sigmas[: self.steps].to(device) * (1 - 1e-4)
        self._place = {"device": device, "dtype": dtype}

    def table(self, rows: Sequence) -> torch.Tensor:
        """One row of values per step."""
        return torch.tensor(rows, **self._place)

    def look_up(self, table: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """The row of the step at or before a noise level, which a sampler may put between two steps."""
        step = (self._levels > sigma).sum().clamp(max=self.steps - 1)
        return table.index_select(0, step[None])[0]


class Schedule:
    """The values of the ID tokens, scaled for the current step in place."""

    def __init__(
        self,
        full: torch.Tensor,
        steps: StepTable,
        leak_control: LeakControl,
        sigma_range: tuple[float, float] | None,
    ):
        """full: values at full weight.  sigma_range: (start, end), both included; None for all steps."""
        self._full = full
        self._steps = steps
        self._leak_control = leak_control
        self._range = sigma_range
        self._factors = (
            steps.table(leak_control.weight_factors(steps.steps)) if leak_control.changes_weight else None
        )
        self._stages = steps.table(mask_stages(steps.steps)) if leak_control.self_mask else None
        self._stage = None if self._stages is None else torch.empty_like(self._stages[0])
        changes = sigma_range is not None or self._factors is not None
        #: What the layers read; the same tensor at every step.
        self.values = torch.empty_like(full) if changes else full

    def update(self, sigmas: torch.Tensor) -> None:
        """Bring values and stage to the noise level of a model call, (batch,) with one level for all."""
        sigma = sigmas[0]
        if self.values is not self._full:
            torch.mul(self._full, self._factor(sigma), out=self.values)
        if self._stage is not None:
            self._stage.copy_(self._steps.look_up(self._stages, sigma))

    def _factor(self, sigma: torch.Tensor) -> torch.Tensor:
        factor = None if self._factors is None else self._steps.look_up(self._factors, sigma)
        if self._range is None:
            return factor
        start, end = self._range
        active = (sigma <= start) & (sigma >= end)
        return active if factor is None else factor * active

    def reading_shaper(self) -> "ReadingShaper | None":
        """What the layers do to their readings of the ID tokens; None for nothing."""
        if not self._leak_control.changes_attention:
            return None
        return ReadingShaper(self._leak_control.norm_limit, self._stage)


class ReadingShaper:
    """Limits what a layer reads from the ID tokens, in length and in place."""

    def __init__(self, norm_limit: float, stage: torch.Tensor | None):
        """stage: (3,) of the self-derived mask, changed in place from step to step; None for no mask."""
        self._norm_limit = norm_limit
        self._stage = stage

    def __call__(
        self, text: torch.Tensor, person: torch.Tensor, activations_shape: Sequence[int]
    ) -> torch.Tensor:
        """text, person: (batch, positions, width), read from the prompt and from the ID tokens."""
        if self._norm_limit > 0:
            person = limit_norm(text, person, self._norm_limit)
        if self._stage is not None:
            person = mask_person(person, *activations_shape[-2:], self._stage)
        return person
