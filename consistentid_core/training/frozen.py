"""The models that training reads from and does not change, as the training step calls them.

Whoever trains supplies them: the pack's node and command line build them from ComfyUI's objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ..families import Family
from ..networks.unet_layers import AttentionLayer
from .schedule import Prediction


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """Texts with their markers taken out.

    rows: (B, 77, D).  pooled: (B, P) of SDXL's second encoder, None for SD1.5.
    indices: (B, 5) rows of the facial words in text order, 0 where there is none.  valid: (B, 5) bool, which are real.
    """

    rows: Tensor
    pooled: Tensor | None
    indices: Tensor
    valid: Tensor


class FrozenModels(Protocol):
    """UNet, VAE, text encoders and CLIP vision. Tensors go in and come out on ``device``, in float32.

    Pictures go into the encoders on the CPU.

    unet_module: holds an attention module with ``heads``, ``to_q``, ``to_k``, ``to_v`` and ``to_out`` under each
    layer's ``weight_prefix``; its parameters want no gradients.
    layers: of the UNet, in checkpoint order.
    alphas_cumprod: (T,) of the noise schedule.
    """

    family: Family
    cross_attention_dim: int
    layers: Sequence[AttentionLayer]
    unet_module: nn.Module
    device: torch.device
    alphas_cumprod: Tensor
    predicts: Prediction

    def unet(
        self, noisy: Tensor, timesteps: Tensor, rows: Tensor, pooled: Tensor | None, sizes: Tensor
    ) -> Tensor:
        """The prediction (B, 4, h, w); sizes: (B, 6) of SDXL: height, width, top, left, target height and width."""

    def encode_pictures(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the latents, scaled for the UNet; pixels: (B, 3, H, W) in [0, 1]."""

    def encode_clip(self, pixel_values: Tensor) -> Tensor:
        """Penultimate hidden states (n, 257, 1280) of prepared pictures (n, 3, 224, 224)."""

    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Texts with markers, from :func:`..text.training_text.training_text`."""

    def count_tokens(self, text: str) -> int:
        """Length of a text with start, end and one token per marker."""
