"""From a face embedding and the CLIP features of the photo to ID tokens.

Source: SPEC 1.2 (group ``image_proj``), 4 ("ID projection").
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .from_weights import FromWeights
from .resampler import CLIP_DIM, HEAD_DIM, Resampler

#: Length of the face-recognition vector (InsightFace ``w600k_r50``).
ID_DIM = 512


class IDProjection(FromWeights):
    """Projects one face into tokens that the UNet's cross-attention can read.

    cross_attention_dim: width of a token, 768 for SD1.5 and 2048 for SDXL.  The other
    sizes default to those of the released files; ``depth`` counts resampler blocks.
    """

    def __init__(
        self,
        cross_attention_dim: int,
        *,
        num_tokens: int = 4,
        depth: int = 4,
        heads: int | None = None,
        hidden_dim: int | None = None,
        id_dim: int = ID_DIM,
        id_hidden_dim: int = 2 * ID_DIM,
        clip_dim: int = CLIP_DIM,
        operations: Any = nn,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.num_tokens = num_tokens
        self.cross_attention_dim = cross_attention_dim
        self.proj = nn.Sequential(
            operations.Linear(id_dim, id_hidden_dim, **place),
            nn.GELU(),
            operations.Linear(id_hidden_dim, num_tokens * cross_attention_dim, **place),
        )
        self.norm = operations.LayerNorm(cross_attention_dim, **place)
        self.perceiver_resampler = Resampler(
            width=cross_attention_dim,
            out_dim=cross_attention_dim,
            depth=depth,
            heads=heads or max(1, cross_attention_dim // HEAD_DIM),
            hidden_dim=hidden_dim or 4 * cross_attention_dim,
            clip_dim=clip_dim,
            operations=operations,
            **place,
        )

    @staticmethod
    def sizes(state_dict: Mapping[str, Tensor]) -> dict[str, Any]:
        """The constructor's sizes, read off the tensors of a checkpoint's ``id_projection``."""
        resampler = Resampler.sizes(state_dict, "perceiver_resampler.")
        cross_attention_dim = state_dict["norm.weight"].shape[0]
        return {
            "cross_attention_dim": cross_attention_dim,
            "num_tokens": max(1, state_dict["proj.2.weight"].shape[0] // cross_attention_dim),
            "id_dim": state_dict["proj.0.weight"].shape[1],
            "id_hidden_dim": state_dict["proj.0.weight"].shape[0],
            **{name: resampler[name] for name in ("depth", "heads", "hidden_dim", "clip_dim")},
        }

    def forward(
        self, id_embeds: Tensor, clip_embeds: Tensor, *, shortcut: bool, scale: float = 1.0
    ) -> Tensor:
        """Project faces into ID tokens.

        id_embeds: (B, 512), unit length, or zeros for "nobody".  clip_embeds: (B, 257, 1280).
        shortcut: add the resampled tokens to the projected face, or return them alone; see the family's row.
        scale: factor of the resampled tokens; only used with the shortcut.
        Returns (B, num_tokens, cross_attention_dim), dtype of ``id_embeds``.
        Raises ValueError if the batch sizes differ.
        """
        if len(id_embeds) != len(clip_embeds):
            raise ValueError(
                f"Got {len(id_embeds)} face embeddings and CLIP features of {len(clip_embeds)} photos; "
                "pass one set of CLIP features per face."
            )
        tokens = self.proj(id_embeds).unflatten(-1, (self.num_tokens, self.cross_attention_dim))
        tokens = self.norm(tokens)
        resampled = self.perceiver_resampler(tokens, clip_embeds.to(id_embeds.dtype))
        return tokens + scale * resampled if shortcut else resampled
