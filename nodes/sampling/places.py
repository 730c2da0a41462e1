"""Where the ID tokens may act on the feature maps inside the UNet, worked out before the layers ask."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from ...consistentid_core.networks.leak_control import centred_prior

#: Sizes of feature maps below that of the latents: a UNet halves them, SD1.5 three times and SDXL twice.
HALVINGS = 3


class Place(NamedTuple):
    """What limits the ID tokens on feature maps of one size.

    mask: (batch, positions, 1), [0, 1]; None for everywhere.  prior: (1, positions, 1), of the self-derived mask.
    """

    height: int
    width: int
    mask: torch.Tensor | None
    prior: torch.Tensor | None


class Places:
    """A :class:`Place` for every size of feature map of a model call."""

    def __init__(
        self,
        mask: torch.Tensor | None,
        with_prior: bool,
        size: tuple[int, int],
        device: torch.device,
        dtype: torch.dtype,
    ):
        """mask: (batch, 1, h, w) in main memory; None for everywhere.  size: (h, w) of the latents."""
        self._with_prior, self._to = with_prior, {"device": device, "dtype": dtype}
        self._mask = None if mask is None else mask.to(**self._to)
        self._known = []
        height, width = size
        for _ in range(HALVINGS + 1):
            self._known.append(self._make(mask, height, width))
            height, width = (height + 1) // 2, (width + 1) // 2

    def at(self, positions: int, extra_options: Mapping[str, Any]) -> Place:
        """The place of a layer with that many positions.

        extra_options: of the layer; their ``activations_shape`` may have a size of its own, where a node shrinks
        the picture inside the UNet.
        Raises RuntimeError if nobody says height and width of a size that UNets do not have by themselves.
        """
        shape = extra_options.get("activations_shape")
        # Compared one by one, not looked up: in a compiled model sizes may be symbols.
        for place in self._known:
            found = (place.height, place.width)
            if place.height * place.width == positions if shape is None else found == tuple(shape[-2:]):
                return place
        if shape is None:
            raise RuntimeError(
                f"Another node calls an attention layer with {positions} positions and does not say their height and "
                "width, so ConsistentID cannot know where the mask lies. Leave the mask and self_mask off, or remove "
                "that node."
            )
        return self._make(self._mask, *shape[-2:])

    def _make(self, mask: torch.Tensor | None, height: int, width: int) -> Place:
        if mask is not None:
            mask = average(mask, height, width).flatten(2).transpose(1, 2).to(**self._to)
        prior = centred_prior(height, width, **self._to) if self._with_prior else None
        return Place(height, width, mask, prior)


def average(pictures: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(..., h, w) -> (..., height, width): the mean of what each position covers, wholly or in part.

    As ``adaptive_avg_pool2d`` has it, written as two products of matrices: that function refuses some sizes on
    Apple's graphics cards.
    """
    rows, columns = (
        _shares(was, becomes, pictures)
        for was, becomes in zip(pictures.shape[-2:], (height, width), strict=True)
    )
    return rows @ pictures @ columns.T


def _shares(was: int, becomes: int, like: torch.Tensor) -> torch.Tensor:
    """(becomes, was): how much each old position counts for a new one."""
    new, old = torch.arange(becomes, device=like.device)[:, None], torch.arange(was, device=like.device)
    # An old position lies in a new one if they overlap; compared in wholes, to be exact.
    covered = (old < ((new + 1) * was + becomes - 1) // becomes) & (old >= new * was // becomes)
    return (covered / covered.sum(1, keepdim=True)).to(like.dtype)
