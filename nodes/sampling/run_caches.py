"""What one sampling run makes once and reads at every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from .id_layout import Layout
    from .places import Places
    from .shown import Area, Shown
    from .spatial_mask import Window


class LayoutKey(NamedTuple):
    """What keys and values depend on.

    patch: whose they are.  shown: by chunk of the batch.  frames: the window of frames, where they show different
    people.  batch: latents of the model call.
    """

    patch: Any
    shown: tuple[Shown, ...]
    frames: Window | None
    batch: int
    device: torch.device
    dtype: torch.dtype


class PlacesKey(NamedTuple):
    """What the places of the ID tokens depend on; ``shape``: of the latents of the model call."""

    patch: Any
    shown: tuple[Shown, ...]
    areas: tuple[Area | None, ...]
    window: Window | None
    shape: torch.Size
    device: torch.device
    dtype: torch.dtype


@dataclass(eq=False)
class RunCaches:
    """Dropped with the run; one entry per person and way the batch is laid out."""

    layouts: dict[LayoutKey, Layout] = field(default_factory=dict)
    places: dict[PlacesKey, Places] = field(default_factory=dict)
