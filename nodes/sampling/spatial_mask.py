"""A MASK of the picture brought to the latents of a model call."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import comfy.utils
import torch
from torch.nn import functional

from ..host.pictures import check_values, mask_batch
from .shown import Area


def check_mask(mask: torch.Tensor) -> torch.Tensor:
    """A MASK as (B, H, W) float; raises ValueError if it is of another shape, empty or not from 0 to 1."""
    mask = mask_batch(mask, "MASK")
    check_values(mask, "mask")
    # In main memory: it is laid out there once a run, and not every device resizes pictures.
    mask = mask.float().cpu().clamp(0, 1)
    if not mask.any():
        raise ValueError(
            "The mask is empty: it selects nothing, so the person would appear nowhere. Paint the place of the person, "
            "or leave the mask unconnected to use the whole picture."
        )
    return mask


class Window(NamedTuple):
    """The part of the latents a context window shows to one model call.

    dim: 0 for frames, 2 and 3 for rows and columns.  indices: along it, in the order shown.
    """

    dim: int
    indices: tuple[int, ...]

    @property
    def frames(self) -> int | None:
        """How many latents the window shows; None for all."""
        return len(self.indices) if self.dim == 0 else None


def window_of(transformer_options: Mapping[str, Any]) -> Window | None:
    """The context window of a model call, of ComfyUI's own nodes or of AnimateDiff-Evolved; None for none."""
    window = transformer_options.get("context_window")
    if window is not None:
        # A latent in front of the window, which ComfyUI takes off the result again.
        before = getattr(window, "causal_anchor_index", None)
        leading = [] if before is None or before < 0 else [before]
        return Window(window.dim, (*leading, *window.index_list))
    frames = (transformer_options.get("ad_params") or {}).get("sub_idxs")
    return None if frames is None else Window(0, tuple(frames))


def batch_mask(
    mask: torch.Tensor,
    latent_size: Sequence[int],
    areas: Sequence[Area | None],
    per_chunk: int,
    window: Window | None = None,
    batch: int | None = None,
) -> torch.Tensor:
    """The mask for a batch of one chunk per conditioning, each of ``per_chunk`` latents.

    mask: (B, H, W), stretched over the picture as the host does with the masks of conditionings; several
    masks belong to the latents of the batch in turn.
    areas: what each chunk is a crop of.
    window: what it is a crop of before.  batch: latents of the whole run, for a window of frames.
    Returns (chunks * per_chunk, 1, h, w), [0, 1], in the size of the crops, edges softened by the resizing.
    """
    whole = functional.interpolate(
        mask[:, None], size=tuple(latent_size), mode="bilinear", align_corners=False, antialias=True
    )
    if window is not None:
        if window.dim == 0:
            whole = comfy.utils.repeat_to_batch_size(whole, batch or per_chunk)
        whole = whole.index_select(window.dim, torch.tensor(window.indices, device=whole.device))
    whole = comfy.utils.repeat_to_batch_size(whole, per_chunk)
    chunks = []
    for area in areas:
        height, width, top, left = area or (*whole.shape[-2:], 0, 0)
        chunks.append(whole[..., top : top + height, left : left + width])
    return torch.cat(chunks)
