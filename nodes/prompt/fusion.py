"""Facial parts fused into rows of a CONDITIONING."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..models.consistentid import ConsistentIDModel
from .conditioning import Conditioning


@dataclass(frozen=True)
class FacialRow:
    """A row of a prompt and the part it takes.

    position: counted through the chunks of the prompt.  part: its vector (D,).
    strength: how far the row is moved from plain (0) to fused (1) and beyond.
    weight: that of its word in the prompt; acts on the fused row, by the formula the host uses for plain rows.
    """

    position: int
    part: torch.Tensor
    strength: float = 1.0
    weight: float = 1.0


def fuse(
    conditioning: Conditioning, rows: Sequence[FacialRow], consistentid: ConsistentIDModel, clip
) -> Conditioning:
    """A copy of a conditioning with facial parts fused into its rows; rows beyond a shorter one are skipped."""
    encoder = consistentid.facial_encoder
    result = []
    for embeds, options in conditioning:
        inside = [row for row in rows if row.position < embeds.shape[1]]
        if inside:
            positions = [row.position for row in inside]
            plain, parts = embeds[0, positions], torch.stack([row.part for row in inside])
            fused = encoder.loaded().fuse(plain.to(encoder.device), parts.to(encoder.device))
            embeds = embeds.clone()
            embeds[0, positions] = _moved(plain, fused.to(embeds), [row.strength for row in inside])
            _apply_weights(embeds, inside, clip)
        result.append([embeds, dict(options)])
    return result


def _moved(plain: torch.Tensor, fused: torch.Tensor, strengths: Sequence[float]) -> torch.Tensor:
    """Rows (n, D) between plain (strength 0) and fused (1), or beyond; at 1 exactly the fused ones."""
    factors = torch.tensor(strengths, dtype=plain.dtype, device=plain.device).unsqueeze(1)
    return torch.where(factors == 1.0, fused, plain + factors * (fused - plain))


def _apply_weights(embeds: torch.Tensor, rows: Sequence[FacialRow], clip) -> None:
    """Weigh rows in place as the host does: away from the embedding of an empty prompt."""
    if all(row.weight == 1.0 for row in rows):
        return
    empty = clip.encode_from_tokens_scheduled(clip.tokenize(""))[0][0].to(embeds)
    for row in rows:
        base = empty[0, row.position % empty.shape[1]]
        embeds[0, row.position] = (embeds[0, row.position] - base) * row.weight + base
