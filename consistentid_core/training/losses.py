"""The two losses ConsistentID is trained with, as functions of tensors.

Source: SPEC 7.1.
"""

from collections.abc import Mapping
from math import isqrt

import torch
from torch import Tensor
from torch.nn import functional

#: Facial parts per sample: face, ears, eyes, nose, mouth.
FACIAL_SLOTS = 5

#: Weight of the localisation loss beside the noise loss.
LOCALISATION_WEIGHT = 0.01

_EPSILON = 1e-5


def noise_losses(prediction: Tensor, noise: Tensor, foreground: Tensor | None = None) -> Tensor:
    """Mean squared error of each sample's predicted noise, (B,), over the foreground if one is given.

    prediction, noise: (B, C, h, w), in latent size.
    foreground: (B, H, W) in [0, 1], 1 = person, in any size; None for the whole picture. The
    mean runs over all elements all the same, as in the original, so a small person weighs little.
    """
    if foreground is not None:
        mask = functional.interpolate(
            foreground.to(noise)[:, None], size=noise.shape[-2:], mode="bilinear", align_corners=False
        )
        prediction, noise = prediction * mask, noise * mask
    return (prediction - noise).square().flatten(1).mean(1)


def noise_loss(prediction: Tensor, noise: Tensor, foreground: Tensor | None = None) -> Tensor:
    """The mean of :func:`noise_losses`; a scalar."""
    return noise_losses(prediction, noise, foreground).mean()


def facial_token_indices(facial_token_mask: Tensor, slots: int = FACIAL_SLOTS) -> tuple[Tensor, Tensor]:
    """The marked prompt rows as a list of fixed length.

    facial_token_mask: (B, 77) bool.
    Returns indices (B, slots), ascending and padded with 0, and which of them are real, (B, slots) bool.
    Raises ValueError if a prompt marks more rows than there are slots.
    """
    counts = facial_token_mask.sum(1)
    if int(counts.max()) > slots:
        raise ValueError(
            f"A prompt marks {int(counts.max())} facial words, but there are {slots} facial parts; "
            "remove markers from the prompt."
        )
    valid = torch.arange(slots, device=counts.device) < counts[:, None]
    # A stable sort brings the marked positions to the front and keeps them ascending.
    order = facial_token_mask.int().argsort(dim=1, descending=True, stable=True)[:, :slots]
    return order * valid, valid


def balanced_l1(attention: Tensor, masks: Tensor, *, normalize: bool = True) -> Tensor:
    """How much more attention falls outside its region than inside, per token.

    attention: (B, heads, n, k), attention of n positions to k tokens.
    masks: (B, heads or 1, n, k), 1 where token k belongs.
    normalize: divide each token's attention by its maximum over the positions.
    Returns (B, heads, k): mean attention outside minus mean attention inside.
    """
    if normalize:
        attention = attention / (attention.amax(dim=2, keepdim=True) + _EPSILON)
    outside = 1 - masks
    loss_outside = (attention * outside).sum(2) / (outside.sum(2) + _EPSILON)
    loss_inside = (attention * masks).sum(2) / (masks.sum(2) + _EPSILON)
    return loss_outside - loss_inside


def column_localisation_losses(
    columns: Tensor, part_masks: Tensor, valid: Tensor, *, normalize: bool = True
) -> Tensor:
    """Localisation loss of each sample in one layer, (B,); 0 for a sample without a valid slot.

    columns: (B, heads, n, slots), attention of n positions of a square feature map to each facial token.
    part_masks: (B, slots, H, W) in [0, 1], region of each facial part.
    valid: (B, slots) bool, which slots are real.
    Raises ValueError if n is no square.
    """
    side = isqrt(columns.shape[2])
    if side * side != columns.shape[2]:
        raise ValueError(
            f"An attention map has {columns.shape[2]} positions, which is no square; train on square pictures."
        )
    masks = functional.interpolate(
        part_masks.to(columns), size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )
    masks = masks.flatten(2).transpose(1, 2)[:, None]  # B slots h w -> B 1 n slots
    loss = balanced_l1(columns, masks, normalize=normalize)  # B heads slots
    real = valid[:, None].to(loss)
    return ((loss * real).sum(-1) / (real.sum(-1) + _EPSILON)).mean(1)


def map_localisation_loss(
    attention: Tensor, part_masks: Tensor, token_indices: Tensor, valid: Tensor, *, normalize: bool = True
) -> Tensor:
    """Localisation loss of one layer's whole attention map; a scalar.

    attention: (B * heads, n, keys), samples first; n positions of a square feature map.
    part_masks: (B, slots, H, W) in [0, 1], region of each facial part.
    token_indices, valid: (B, slots) from :func:`facial_token_indices`.
    Raises ValueError if n is no square or an index lies outside the keys.
    """
    positions, keys = attention.shape[1:]
    if int(token_indices.max()) >= keys:
        raise ValueError(
            f"Token index {int(token_indices.max())} lies outside an attention map with {keys} keys. "
            "Use maps of cross attention (77 keys), or leave out self-attention layers with fewer positions."
        )
    attention = attention.unflatten(0, (len(token_indices), -1))
    columns = token_indices[:, None, None, :].expand(-1, attention.shape[1], positions, -1)
    return column_localisation_losses(
        attention.gather(-1, columns), part_masks, valid, normalize=normalize
    ).mean()


def localisation_loss(
    maps: Mapping[str, Tensor],
    part_masks: Tensor,
    token_indices: Tensor,
    valid: Tensor,
    *,
    normalize: bool = True,
    weight: float = LOCALISATION_WEIGHT,
) -> Tensor:
    """Weighted mean of :func:`map_localisation_loss` over the captured layers; to add to the noise loss.

    maps: layer name -> attention map (B * heads, n, keys).  The other arguments as there.
    Raises ValueError if no map was captured (the original divides by zero).
    """
    if not maps:
        raise ValueError(
            "No attention map was captured, so there is nothing to localise. Compute attention in a way that "
            "exposes its probabilities (fused kernels do not), and check the names of the layers to capture."
        )
    losses = [
        map_localisation_loss(attention, part_masks, token_indices, valid, normalize=normalize)
        for attention in maps.values()
    ]
    return weight * torch.stack(losses).mean()
