"""Keeping the identity where and when it belongs; all of it optional, nothing of it in the original.

Strong ID tokens act on every position of the picture and at every step, so clothes, light and
composition of the photo may leak in. Two papers have measures against it that need no training:
UniID (arXiv 2512.03964) brings the reading of the ID tokens to the length of that of the text and works in
two phases; SpatialID (arXiv 2602.13994) derives a mask from the response of the cross attention, with a
centred prior before and a relaxed mask after. Formulas and constants are theirs, as their authors' code has
them; both were made for other adapters than ConsistentID.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Curve = Literal["constant", "linear in", "linear out", "ease in", "ease out", "ease in-out"]

#: Factor of the weight over the share of sampling done, 0..1.
CURVES: dict[Curve, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear in": lambda done: done,
    "linear out": lambda done: 1.0 - done,
    "ease in": lambda done: 1.0 - math.cos(done * math.pi / 2),
    "ease out": lambda done: math.cos(done * math.pi / 2),
    "ease in-out": lambda done: math.sin(done * math.pi),
}

# --- constants of SpatialID ---------------------------------------------------------------------

#: Shares of sampling at which the mask takes over from the prior, and is relaxed.
MASK_FROM, RELAX_FROM = 0.3, 0.7
#: How open the relaxed mask is: 1 would be no mask.
RELAXED = 0.5
#: Width of the centred prior, where the picture reaches from -1 to 1.
PRIOR_WIDTH = 0.3
#: Size and width, in positions, of the Gaussian that smooths the response.
BLUR_SIZE, BLUR_WIDTH = 5, 1.5
#: A position counts as face from this many standard deviations above the mean response.
FACE_FROM = 0.5
#: What of the mask is the smooth response, and what the outline of the face, grown by one position.
SOFT, HARD = 0.7, 0.3

_EPSILON = 1e-6


@dataclass(frozen=True)
class LeakControl:
    """What to do against leaks; the defaults do nothing.

    curve: how the weight changes in the course of sampling.
    early_factor, early_share: factor of the weight in the first share (0..1) of sampling.
    norm_rescale: length of what a layer reads from the ID tokens, relative to what it reads from the text and
    at weight 1; 0 leaves it as it is.
    self_mask: let the ID tokens act only where they respond.
    """

    curve: Curve = "constant"
    early_factor: float = 1.0
    early_share: float = 0.2
    norm_rescale: float = 0.0
    self_mask: bool = False

    @property
    def changes_weight(self) -> bool:
        """Whether the weight is not the same all the time."""
        return self.curve != "constant" or self.early_factor != 1.0

    @property
    def changes_attention(self) -> bool:
        """Whether what a position reads is changed, beyond its weight."""
        return self.norm_rescale > 0 or self.self_mask

    def weight_factor(self, done: float) -> float:
        """The factor of the weight where a share of sampling is done, 0..1."""
        return CURVES[self.curve](done) * (self.early_factor if done < self.early_share else 1.0)


def mask_stage(done: float) -> tuple[float, float, float]:
    """The shares of the centred prior, the self-derived mask and no mask, where a share of sampling is done."""
    if done < MASK_FROM:
        return 1.0, 0.0, 0.0
    return (0.0, 1.0, 0.0) if done < RELAX_FROM else (0.0, 1.0 - RELAXED, RELAXED)


def rescale(text: Tensor, person: Tensor, weights: Tensor) -> Tensor:
    """Bring what a layer reads from the ID tokens to the length of what it reads from the text.

    text, person: (B, positions, width).  weights: (B, 1, 1), the new length relative to that of the text; the
    direction stays. Where nothing is read from the ID tokens, nothing stays.
    """
    wanted, found = (
        torch.linalg.vector_norm(one, dim=(1, 2), keepdim=True, dtype=torch.float32) for one in (text, person)
    )
    return person * (weights.abs() * wanted / (found + _EPSILON)).to(person.dtype)


def response_mask(person: Tensor, height: int, width: int, kernel: Tensor | None = None) -> Tensor:
    """Where the picture responds to the ID tokens: (B, positions, width) -> (B, positions, 1), 0..1.

    The length of the reading, from its least to its greatest in the picture, smoothed; and the outline of where
    it is well above the mean.
    kernel: :func:`blur_kernel`, for those who keep it.
    """
    response = person.norm(dim=-1)
    low, high = response.amin(1, keepdim=True), response.amax(1, keepdim=True)
    relative = ((response - low) / (high - low).clamp(min=_EPSILON)).unflatten(1, (height, width))[:, None]
    soft = _blurred(relative, blur_kernel(person.device, person.dtype) if kernel is None else kernel)
    # Of a single position there is no spread; then nothing stands out.
    spread = soft.std(dim=(2, 3), keepdim=True, unbiased=height * width > 1)
    hard = (soft > soft.mean(dim=(2, 3), keepdim=True) + FACE_FROM * spread).to(soft.dtype)
    hard = functional.max_pool2d(hard, 3, stride=1, padding=1)
    return (SOFT * soft + HARD * hard).flatten(1)[..., None]


def blur_kernel(device: torch.device, dtype: torch.dtype) -> Tensor:
    """One row of the Gaussian that smooths the response: (1, 1, 1, 5), its sum 1."""
    steps = torch.arange(BLUR_SIZE, device=device, dtype=dtype) - BLUR_SIZE // 2
    kernel = torch.exp(-0.5 * (steps / BLUR_WIDTH) ** 2)
    return (kernel / kernel.sum()).view(1, 1, 1, -1)


def _blurred(picture: Tensor, kernel: Tensor) -> Tensor:
    """A Gaussian blur of (B, 1, h, w); edges go on as they end, which works for any size."""
    reach = BLUR_SIZE // 2
    wide = functional.pad(picture, (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(functional.conv2d(wide, kernel), kernel.transpose(2, 3))


def centred_prior(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A Gaussian in the middle of the picture: (1, positions, 1), 1 at the centre."""
    y, x = ((torch.arange(size, device=device, dtype=dtype) * 2 + 1) / size - 1 for size in (height, width))
    distance = y[:, None] ** 2 + x[None, :] ** 2
    return torch.exp(-distance / (2 * PRIOR_WIDTH**2)).reshape(1, -1, 1)


def mask_person(
    person: Tensor, height: int, width: int, stage: Tensor, prior: Tensor, kernel: Tensor | None = None
) -> Tensor:
    """What is read from the ID tokens, kept where it belongs at this stage.

    person: (B, positions, width).  stage: (3,), from :func:`mask_stage`.  prior: :func:`centred_prior`.
    kernel: :func:`blur_kernel`, for those who keep it.
    """
    mask = stage[0] * prior + stage[1] * response_mask(person, height, width, kernel) + stage[2]
    return person * mask
