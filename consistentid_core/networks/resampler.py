"""Transformer in which a few query tokens read the CLIP features of a picture.

Both networks of ConsistentID are built on it: the ID projection, whose queries come
from the face embedding, and the facial encoder, whose one query is learned.
Source: SPEC 1.2 (parameter names), 4 (mathematics).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

#: Width of one attention head in every released network (SPEC 4).
HEAD_DIM = 64

#: Width of the CLIP ViT-H/14 features the released networks read.
CLIP_DIM = 1280


class PerceiverAttention(nn.Module):
    """Attention from the queries to the image tokens and to the queries themselves."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        operations: Any = nn,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        inner = heads * HEAD_DIM
        self.heads = heads
        self.norm1 = operations.LayerNorm(width, **place)
        self.norm2 = operations.LayerNorm(width, **place)
        self.to_q = operations.Linear(width, inner, bias=False, **place)
        self.to_kv = operations.Linear(width, inner * 2, bias=False, **place)
        self.to_out = operations.Linear(inner, width, bias=False, **place)

    def forward(self, image: Tensor, queries: Tensor) -> Tensor:
        """image: (B, n, width).  queries: (B, m, width).  Returns (B, m, width), to add to the queries."""
        image, queries = self.norm1(image), self.norm2(queries)
        q = self._split_heads(self.to_q(queries))
        k, v = self.to_kv(torch.cat((image, queries), dim=1)).chunk(2, dim=-1)
        k, v = self._split_heads(k), self._split_heads(v)
        # Half of the usual 1/sqrt(d) on each side keeps float16 products small.
        scale = HEAD_DIM**-0.25
        scores = (q * scale) @ (k * scale).transpose(-2, -1)
        attended = scores.softmax(dim=-1, dtype=torch.float32).to(v.dtype) @ v
        return self.to_out(attended.transpose(1, 2).flatten(2))

    def _split_heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, HEAD_DIM)).transpose(1, 2)  # B n (h d) -> B h n d


class Resampler(nn.Module):
    """Queries that read CLIP features through a stack of attention and feed-forward blocks.

    width: of the tokens inside.  out_dim: of the tokens returned.  clip_dim: of the
    features read.  hidden_dim: of the feed-forward layers.
    """

    def __init__(
        self,
        *,
        width: int,
        out_dim: int,
        depth: int,
        heads: int,
        hidden_dim: int,
        clip_dim: int = CLIP_DIM,
        operations: Any = nn,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.proj_in = operations.Linear(clip_dim, width, **place)
        self.proj_out = operations.Linear(width, out_dim, **place)
        self.norm_out = operations.LayerNorm(out_dim, **place)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (
                    PerceiverAttention(width, heads, operations=operations, **place),
                    nn.Sequential(
                        operations.LayerNorm(width, **place),
                        operations.Linear(width, hidden_dim, bias=False, **place),
                        nn.GELU(),
                        operations.Linear(hidden_dim, width, bias=False, **place),
                    ),
                )
            )
            for _ in range(depth)
        )

    @staticmethod
    def sizes(state_dict: Mapping[str, Tensor], prefix: str) -> dict[str, Any]:
        """The constructor's sizes, read off the tensors under ``prefix`` (which ends with a dot)."""

        def shape(key: str) -> torch.Size:
            return state_dict[prefix + key].shape

        blocks = {
            key[len(prefix) :].split(".")[1] for key in state_dict if key.startswith(prefix + "layers.")
        }
        return {
            "width": shape("proj_in.weight")[0],
            "clip_dim": shape("proj_in.weight")[1],
            "out_dim": shape("proj_out.weight")[0],
            "depth": len(blocks),
            "heads": max(1, shape("layers.0.0.to_q.weight")[0] // HEAD_DIM),
            "hidden_dim": shape("layers.0.1.1.weight")[0],
        }

    def forward(self, queries: Tensor, clip_embeds: Tensor) -> Tensor:
        """queries: (B, m, width).  clip_embeds: (B, n, clip_dim), same dtype.  Returns (B, m, out_dim)."""
        image = self.proj_in(clip_embeds)
        for block in self.layers:
            attention, feed_forward = block.children()
            queries = queries + attention(image, queries)
            queries = queries + feed_forward(queries)
        return self.norm_out(self.proj_out(queries))
