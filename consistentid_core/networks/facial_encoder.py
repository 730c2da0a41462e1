"""Facial features merged into the prompt embeddings of the words that name them.

Source: SPEC 1.2 (group ``FacialEncoder``), 4 ("Facial visual projection", "Fusion", "FacialEncoder").
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .from_weights import FromWeights
from .resampler import CLIP_DIM, Resampler


class FacialProjection(Resampler):
    """One learned query that sums up the CLIP features of one facial part."""

    def __init__(
        self,
        *,
        width: int,
        operations: Any = nn,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **sizes: Any,
    ):
        super().__init__(width=width, operations=operations, device=device, dtype=dtype, **sizes)
        self.latents = nn.Parameter(torch.randn(1, 1, width, device=device, dtype=dtype) * width**-0.5)

    def forward(self, clip_embeds: Tensor) -> Tensor:  # type: ignore[override]
        """clip_embeds: (n, 257, 1280).  Returns (n, 1, D)."""
        # A host may leave a bare parameter on another device or in another dtype than the layers.
        latents = self.latents.to(device=clip_embeds.device, dtype=clip_embeds.dtype)
        return super().forward(latents.expand(len(clip_embeds), -1, -1), clip_embeds)


class FusionMLP(nn.Module):
    """Layer norm, then two layers with a GELU between; no residual inside."""

    def __init__(self, in_dim: int, out_dim: int, *, operations: Any, **place: Any):
        super().__init__()
        self.layernorm = operations.LayerNorm(in_dim, **place)
        self.fc1 = operations.Linear(in_dim, out_dim, **place)
        self.fc2 = operations.Linear(out_dim, out_dim, **place)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(self.layernorm(x))))


class FusionModule(nn.Module):
    """Merges one prompt row with the vector of one facial part."""

    def __init__(self, dim: int, *, operations: Any, **place: Any):
        super().__init__()
        self.mlp1 = FusionMLP(2 * dim, dim, operations=operations, **place)
        self.mlp2 = FusionMLP(dim, dim, operations=operations, **place)
        self.layer_norm = operations.LayerNorm(dim, **place)

    def forward(self, rows: Tensor, parts: Tensor) -> Tensor:
        fused = rows + self.mlp1(torch.cat((rows, parts), dim=-1))
        return self.layer_norm(fused + self.mlp2(fused))


class FacialEncoder(FromWeights):
    """Fuses CLIP features of facial parts into prompt embeddings.

    cross_attention_dim (D below): width of a prompt row, 768 for SD1.5 and 2048 for
    SDXL.  The other sizes are those of the inner transformer and default to the
    released files, which have the same for both.
    """

    def __init__(
        self,
        cross_attention_dim: int,
        *,
        width: int = 1024,
        depth: int = 8,
        heads: int = 16,
        hidden_dim: int = 4096,
        clip_dim: int = CLIP_DIM,
        operations: Any = nn,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        self.visual_projection = FacialProjection(
            width=width,
            out_dim=cross_attention_dim,
            depth=depth,
            heads=heads,
            hidden_dim=hidden_dim,
            clip_dim=clip_dim,
            operations=operations,
            device=device,
            dtype=dtype,
        )
        self.fuse_module = FusionModule(
            cross_attention_dim, operations=operations, device=device, dtype=dtype
        )

    @staticmethod
    def sizes(state_dict: Mapping[str, Tensor]) -> dict[str, Any]:
        """The constructor's sizes, read off the tensors of a checkpoint's ``facial_encoder``."""
        sizes = Resampler.sizes(state_dict, "visual_projection.")
        return {"cross_attention_dim": sizes.pop("out_dim"), **sizes}

    def encode_parts(self, clip_embeds: Tensor) -> Tensor:
        """Sum up each facial part; depends on the photo only, not on the prompt.

        clip_embeds: (n, 257, 1280), one set of features per part.  Returns (n, D).
        """
        return self.visual_projection(clip_embeds).squeeze(1)

    def fuse(self, rows: Tensor, parts: Tensor) -> Tensor:
        """Merge prompt rows with facial parts, the k-th with the k-th.

        rows: (n, D) prompt embeddings of the words.  parts: (n, D) from :meth:`encode_parts`.
        Returns the new rows (n, D), dtype of ``rows``.  Raises ValueError if the shapes differ.
        """
        if rows.shape != parts.shape:
            raise ValueError(
                f"Cannot fuse prompt rows of shape {tuple(rows.shape)} with facial parts of shape "
                f"{tuple(parts.shape)}; pass one part vector for each row."
            )
        return self.fuse_module(rows, parts.to(rows.dtype))

    def forward(
        self, prompt_embeds: Tensor, clip_embeds: Tensor, facial_token_mask: Tensor, valid: Tensor
    ) -> Tensor:
        """Fuse the valid parts of each prompt into its marked rows, in order.

        prompt_embeds: (B, 77, D).  clip_embeds: (B, 5, 257, 1280), in crop order.
        facial_token_mask: (B, 77) bool, True at the rows to replace.  valid: (B, 5) bool,
        True for the parts to use: as many per prompt as rows are marked.
        Returns new prompt embeddings (B, 77, D); the input is not changed (the original writes into it).
        Raises ValueError if rows and parts of a prompt differ in number.
        """
        rows_marked, parts_valid = facial_token_mask.sum(1).tolist(), valid.sum(1).tolist()
        if rows_marked != parts_valid:
            raise ValueError(
                f"The prompts mark {rows_marked} rows but come with {parts_valid} facial parts; "
                "the numbers must be equal for each prompt."
            )
        fused = prompt_embeds.clone()
        if any(rows_marked):
            parts = self.encode_parts(clip_embeds[valid])
            fused[facial_token_mask] = self.fuse(prompt_embeds[facial_token_mask], parts)
        return fused
