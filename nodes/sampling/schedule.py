"""What changes from step to step, kept in tensors: nothing here makes the host read one.

The compile node bakes in the structure of a model call, so range, curves and stages may
change values only; and a read in the step loop would make the graphics card wait.
"""

from collections.abc import Callable, Sequence

import torch

from ...consistentid_core.networks.leak_control import (
    LeakControl,
    blur_kernel,
    mask_person,
    mask_stage,
    rescale,
)
from .places import Place

#: How many places in sampling are told apart.
POINTS = 500
SHARES = tuple(point / POINTS for point in range(POINTS + 1))


class Progress:
    """Finds how much of sampling is done by the noise level of a model call.

    In the measure of ComfyUI's percents, so that it does not matter how many steps there are, where a run
    begins, or whether several samplers share the way.
    """

    def __init__(self, percent_to_sigma: Callable[[float], float], device: torch.device, dtype: torch.dtype):
        """percent_to_sigma: of the sampling in use.  device, dtype: of the tables."""
        levels = [percent_to_sigma(share) for share in SHARES[1:]]
        # A little tolerance: some samplers recompute the level they are at.
        self._levels = torch.tensor(levels, device=device) * (1 + 1e-4)
        self._place = {"device": device, "dtype": dtype}

    def table(self, row: Callable[[float], float | Sequence[float]]) -> torch.Tensor:
        """Values by the share of sampling done, one or several per place."""
        return torch.tensor([row(share) for share in SHARES], **self._place)

    def look_up(self, table: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """The values at a noise level."""
        return table.index_select(0, (self._levels > sigma).sum()[None])[0]


class Schedule:
    """The values of the ID tokens, scaled for the current step in place."""

    def __init__(
        self,
        full: torch.Tensor,
        weights: torch.Tensor,
        leak_control: LeakControl,
        sigma_range: tuple[float, float] | None,
        percent_to_sigma: Callable[[float], float],
    ):
        """full: values at full weight.  weights: (batch, 1, 1), the weight that is in them.

        sigma_range: (start, end), both included; None for all steps.
        """
        self._full, self._full_weights = full, weights
        self._leak_control = leak_control
        self._range = sigma_range
        self._factors = self._stages = self._stage = None
        if leak_control.changes_weight or leak_control.self_mask:
            self._progress = Progress(percent_to_sigma, full.device, full.dtype)
        if leak_control.changes_weight:
            self._factors = self._progress.table(leak_control.weight_factor)
        if leak_control.self_mask:
            self._stages = self._progress.table(mask_stage)
            self._stage = torch.empty_like(self._stages[0])
        changes = sigma_range is not None or self._factors is not None
        #: What the layers read; the same tensors at every step.
        self.values = torch.empty_like(full) if changes else full
        self.weights = torch.empty_like(weights) if changes else weights

    def update(self, sigmas: torch.Tensor) -> None:
        """Bring values and stage to the noise level of a model call, (batch,) with one level for all."""
        sigma = sigmas[0]
        if self.values is not self._full:
            factor = self._factor(sigma)
            torch.mul(self._full, factor, out=self.values)
            if self._leak_control.norm_rescale > 0:
                torch.mul(self._full_weights, factor, out=self.weights)
        if self._stage is not None:
            self._stage.copy_(self._progress.look_up(self._stages, sigma))

    def _factor(self, sigma: torch.Tensor) -> torch.Tensor:
        factor = None if self._factors is None else self._progress.look_up(self._factors, sigma)
        if self._range is None:
            return factor
        start, end = self._range
        active = (sigma <= start) & (sigma >= end)
        return active if factor is None else factor * active

    def reading_shaper(self) -> "ReadingShaper | None":
        """What the layers do to their readings of the ID tokens; None for nothing."""
        if not self._leak_control.changes_attention:
            return None
        return ReadingShaper(self._leak_control.norm_rescale, self._stage)


class ReadingShaper:
    """Limits what a layer reads from the ID tokens, in length and in place."""

    def __init__(self, norm_rescale: float, stage: torch.Tensor | None):
        """stage: (3,) of the self-derived mask, changed in place from step to step; None for no mask."""
        self._norm_rescale = norm_rescale
        self._stage = stage
        self._kernel = None if stage is None else blur_kernel(stage.device, stage.dtype)

    def __call__(
        self, text: torch.Tensor, person: torch.Tensor, weights: torch.Tensor, place: Place | None
    ) -> torch.Tensor:
        """text, person: (batch, positions, width), read from the prompt and from the ID tokens.

        weights: (batch, 1, 1), of the person at this step.  place: None where only the length is limited.
        """
        if self._norm_rescale > 0:
            person = rescale(text, person, weights * self._norm_rescale)
        if self._stage is not None and place is not None:
            person = mask_person(person, place.height, place.width, self._stage, place.prior, self._kernel)
        return person
