"""Small frozen models for the training core: ComfyUI's UNet with few channels, and fixed encoders.

Pictures become latents by the lowest frequencies of 4 x 4 squares, words become fixed rows, and "CLIP" is the colours
of a grid of squares through a fixed projection: what a picture shows is in all of them, and nothing was learnt.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b

import torch
from torch import Tensor, nn

from consistentid_core.networks.unet_layers import AttentionLayer, attention_layers
from consistentid_core.text.tokens import facial_slots, mark_tokens, row_positions, single_row
from consistentid_core.training.frozen import EncodedTexts

#: Width of a text row, and of a row of picture features.
ROW, CLIP_DIM = 64, 48

#: Frequencies (down, across) that are kept of each square of 4 x 4 pixels: of the lightness, and of two colours.
_LIGHTNESS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
_COLOUR = ((0, 0), (0, 1), (1, 0))
_SQUARE = 4
CHANNELS = len(_LIGHTNESS) + 2 * len(_COLOUR)

#: Three levels with attention in each, as SD1.5 has them; the inner ones are those that localisation looks at.
UNET = {
    "num_res_blocks": [1, 1, 1],
    "channel_mult": [1, 2, 2],
    "transformer_depth": [1, 1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1],
}
_WIDTH = 32

#: Sizes of the trained networks that differ from the released ones.
SIZES = {
    "facial_encoder": {"width": 64, "depth": 1, "heads": 1, "hidden_dim": 128, "clip_dim": CLIP_DIM},
    "id_projection": {"depth": 1, "heads": 1, "hidden_dim": 128, "id_hidden_dim": 128, "clip_dim": CLIP_DIM},
}


class World:
    """The frozen models of :mod:`consistentid_core.training.frozen`."""

    family = "sd15"
    predicts = "velocity"  # small models learn it in fewer steps, and most of it where identity counts
    cross_attention_dim = ROW
    device = torch.device("cpu")

    def __init__(self, unet: nn.Module):
        """unet: from :func:`new_unet`, trained by :mod:`.base`."""
        self.layers = attention_layers(UNET)
        self.unet_module = unet.requires_grad_(False)
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2  # Stable Diffusion's schedule
        self.alphas_cumprod = torch.cumprod(1 - betas, 0)
        generator = torch.Generator().manual_seed(0)
        self._clip = torch.randn(12, CLIP_DIM, generator=generator) / math.sqrt(12)
        self._places = torch.randn(65, CLIP_DIM, generator=generator)

    def base_weight(self, layer: AttentionLayer, name: str) -> Tensor:
        """A frozen attention matrix; name: ``to_q`` ... ``to_out``."""
        target = "to_out.0" if name == "to_out" else name
        return self.unet_module.get_parameter(f"{layer.weight_prefix}.{target}.weight")

    def unet(self, noisy, timesteps, rows, pooled, sizes):
        """The UNet; see the core's protocol."""
        return self.unet_module(noisy, timesteps.float(), context=rows, transformer_options={})

    def encode_pictures(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Latents without any deviation."""
        latents = to_latents(pixels)
        return latents, torch.zeros_like(latents)

    def encode_clip(self, pixel_values: Tensor) -> Tensor:
        """(n, 65, CLIP_DIM): a row for all and one for each of 8 x 8 squares, from its colours and place."""
        quarters = nn.functional.avg_pool2d(pixel_values, 14)
        squares = nn.functional.pixel_unshuffle(quarters, 2).flatten(2).transpose(1, 2)  # n 64 12
        rows = torch.cat((squares.mean(1, keepdim=True), squares), 1)
        return rows @ self._clip + self._places

    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """A fixed row for each word, wherever it stands."""
        marked = [mark_tokens(text, _words) for text in texts]
        words = [single_row(one.tokens, start="", end=" ", pad=" ", keep_end=False) for one in marked]
        slots = [facial_slots(row_positions(one.markers)) for one in marked]
        indices, valid = (torch.tensor(values) for values in zip(*slots, strict=True))
        return EncodedTexts(
            torch.stack([torch.stack([_row(w) for w in row]) for row in words]), None, indices, valid
        )

    @staticmethod
    def count_tokens(text: str) -> int:
        """A token for each word."""
        return mark_tokens(text, _words).length


def new_unet(seed: int) -> nn.Module:
    """ComfyUI's UNet with new weights; ComfyUI leaves them unfilled."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    unet = UNetModel(
        image_size=16, in_channels=CHANNELS, out_channels=CHANNELS, model_channels=_WIDTH, num_heads=-1,
        num_head_channels=32, use_spatial_transformer=True, context_dim=ROW, legacy=False,
        use_linear_in_transformer=False, dtype=torch.float32, device="cpu",
        operations=comfy.ops.disable_weight_init, **UNET,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if parameter.ndim > 1:
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter[0].numel())
                )
                if name.endswith(("out.2.weight", "out_layers.3.weight", "proj_out.weight")):
                    parameter.mul_(0.02)  # blocks add nothing yet
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    return unet


def to_latents(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] -> (B, CHANNELS, H / 4, W / 4) of about unit size."""
    planes = torch.einsum("pc,bchw->bphw", _COLOURS, pixels * 2 - 1)
    squares = nn.functional.pixel_unshuffle(planes, _SQUARE).unflatten(1, (3, -1))  # B 3 16 h w
    kept = [torch.einsum("fn,bnhw->bfhw", _waves(w), squares[:, p]) for p, w in enumerate(_KEPT)]
    return torch.cat(kept, 1) / _SPREAD[:, None, None]


def to_pixels(latents: Tensor) -> Tensor:
    """The pictures of latents, (B, 3, H, W) in [0, 1]; what :func:`to_latents` leaves out is lost."""
    parts = (latents * _SPREAD[:, None, None]).split([len(waves) for waves in _KEPT], 1)
    squares = [torch.einsum("fn,bfhw->bnhw", _waves(w), part) for w, part in zip(_KEPT, parts, strict=True)]
    planes = nn.functional.pixel_shuffle(torch.cat(squares, 1), _SQUARE)
    pixels = torch.einsum("cp,bphw->bchw", _COLOURS.inverse(), planes)
    return ((pixels + 1) / 2).clamp(0, 1)


_KEPT = (_LIGHTNESS, _COLOUR, _COLOUR)
_COLOURS = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [-0.25, 0.5, -0.25]])
#: Measured on drawn people and rounded; the finest waves are left weaker than the noise, as in any VAE's latents.
_SPREAD = torch.tensor([1.2, 0.4, 0.4, 0.3, 0.3, 0.3, 0.95, 0.3, 0.3, 0.5, 0.2, 0.2])


def _waves(frequencies: Sequence[tuple[int, int]]) -> Tensor:
    """(frequencies, 16): orthonormal cosine waves of a square."""
    places = (torch.arange(_SQUARE) + 0.5) * math.pi / _SQUARE
    scale = [math.sqrt(1 / _SQUARE), *[math.sqrt(2 / _SQUARE)] * (_SQUARE - 1)]
    line: Callable[[int], Tensor] = lambda f: scale[f] * torch.cos(f * places)  # noqa: E731
    return torch.stack([torch.outer(line(down), line(across)).flatten() for down, across in frequencies])


def _words(piece: str) -> list[str]:
    return piece.replace(".", " . ").replace(",", " , ").split()


_ROWS: dict[str, Tensor] = {}


def _row(word: str) -> Tensor:
    if word not in _ROWS:
        seed = int.from_bytes(blake2b(word.encode(), digest_size=7).digest(), "little")
        _ROWS[word] = torch.randn(ROW, generator=torch.Generator().manual_seed(seed))
    return _ROWS[word]
