"""Stand-ins for everything training reads: a tiny UNet with SD1.5's 32 attention layers, encoders, drawn people."""

import numpy as np
import torch
from torch import nn

from consistentid_core.data.portrait import Portrait
from consistentid_core.networks.unet_layers import attention_layers
from consistentid_core.text.tokens import facial_slots, mark_tokens, row_positions, single_row
from consistentid_core.training.config import from_mapping
from consistentid_core.training.frozen import EncodedTexts
from consistentid_core.training.modules import new_modules

WIDTH, HEADS, CROSS_ATTENTION_DIM, CLIP_DIM = 8, 2, 12, 10

UNET_CONFIG = {
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
}

#: Sizes of the trained networks that differ from the released ones.
SIZES = {
    "facial_encoder": {"width": 16, "depth": 1, "heads": 1, "hidden_dim": 16, "clip_dim": CLIP_DIM},
    "id_projection": {
        "num_tokens": 2,
        "depth": 1,
        "hidden_dim": 16,
        "id_hidden_dim": 16,
        "clip_dim": CLIP_DIM,
    },
}


class SecondOfTwo:
    """The second of two processes, without the first.

    answer: what the other one says to every question; None repeats what is asked.
    """

    rank, world = 1, 2

    def __init__(self, answer: bool | None = None):
        self.answer = answer

    def add_up(self, tensors):
        pass

    def any(self, condition):
        return condition if self.answer is None else self.answer


CAPTION = "The person has one face, one nose, two eyes, two ears, and one mouth."


class SmallAttention(nn.Module):
    def __init__(self, context_dim):
        super().__init__()
        self.heads = HEADS
        self.to_q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.to_k = nn.Linear(context_dim, WIDTH, bias=False)
        self.to_v = nn.Linear(context_dim, WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(WIDTH, WIDTH))

    def forward(self, x, context):
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context)
        q, k, v = (one.unflatten(-1, (HEADS, -1)).transpose(1, 2) for one in (q, k, v))
        out = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.to_out(out.transpose(1, 2).flatten(2))


class SmallBlock(nn.Module):
    """One transformer block; ``options["block"]`` is noted in a shared dictionary, as the host does."""

    def __init__(self):
        super().__init__()
        self.attn1, self.attn2 = SmallAttention(WIDTH), SmallAttention(CROSS_ATTENTION_DIM)

    def forward(self, x, context, options):
        # Something that depends on the dictionary, so that a second run which sees another one goes wrong.
        x = x * (1 + 0.01 * options["block"])
        x = x + self.attn1(x, x)
        return x + self.attn2(x, context)


class SmallUNet(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.read, self.time = nn.Linear(4, WIDTH), nn.Linear(1, WIDTH)
        self.write = nn.Linear(WIDTH, 4)
        self.blocks = []
        for layer in layers[::2]:
            block, at = SmallBlock(), self
            *parents, last = layer.weight_prefix.rpartition(".")[0].split(".")
            for name in parents:
                if not hasattr(at, name):
                    at.add_module(name, nn.Module())
                at = at.get_submodule(name)
            at.add_module(last, block)
            self.blocks.append(block)

    def forward(self, noisy, timesteps, context):
        x = self.read(noisy.flatten(2).transpose(1, 2)) + self.time(timesteps[:, None, None] / 1000)
        options = {}
        for number, block in enumerate(self.blocks):
            options["block"] = number
            x = block(x, context, options)
        return self.write(x).transpose(1, 2).unflatten(-1, noisy.shape[2:])


class SmallModels:
    """The frozen models of :mod:`consistentid_core.training.frozen`, in a few thousand numbers."""

    family = "sd15"
    predicts = "noise"
    cross_attention_dim = CROSS_ATTENTION_DIM
    device = torch.device("cpu")

    def __init__(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layers = attention_layers(UNET_CONFIG)
            self.unet_module = SmallUNet(self.layers).requires_grad_(False)
            self._words, self._clip = torch.randn(512, CROSS_ATTENTION_DIM), torch.randn(3, CLIP_DIM)
        self.alphas_cumprod = torch.linspace(0.999, 0.005, 1000)
        self.clip_pictures = 0

    def base_weight(self, layer, name):
        target = "to_out.0" if name == "to_out" else name
        return self.unet_module.get_parameter(f"{layer.weight_prefix}.{target}.weight")

    def unet(self, noisy, timesteps, rows, pooled, sizes):
        return self.unet_module(noisy, timesteps.float(), rows)

    def encode_pictures(self, pixels):
        colours = nn.functional.avg_pool2d(pixels * 2 - 1, 8)
        mean = torch.cat((colours, colours.mean(1, keepdim=True)), 1)
        return mean, torch.full_like(mean, 0.1)

    def encode_clip(self, pixel_values):
        self.clip_pictures += len(pixel_values)
        return nn.functional.avg_pool2d(pixel_values, 112).flatten(2).transpose(1, 2) @ self._clip

    def encode_texts(self, texts):
        marked = [mark_tokens(text, self._ids) for text in texts]
        ids = [single_row(one.tokens, start=510, end=511, pad=511, keep_end=False) for one in marked]
        slots = [facial_slots(row_positions(one.markers)) for one in marked]
        indices, valid = (torch.tensor(values) for values in zip(*slots, strict=True))
        return EncodedTexts(self._words[torch.tensor(ids)], None, indices, valid)

    @classmethod
    def count_tokens(cls, text):
        return mark_tokens(text, cls._ids).length

    @staticmethod
    def _ids(piece):
        return [sum(map(ord, word)) % 500 for word in piece.split()]


class SmallPeople:
    """Portraits of squares: every number is a person of its own."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        generator = np.random.default_rng(index)
        label_map = np.zeros((64, 64), np.uint8)
        label_map[8:60, 10:54] = 1
        for class_id, (top, left) in {4: (20, 16), 7: (28, 10), 10: (32, 28), 12: (46, 26)}.items():
            label_map[top : top + 8, left : left + 8] = class_id
        picture = generator.integers(0, 256, (19, 3), np.uint8)[label_map]
        vector = generator.standard_normal(512).astype(np.float32)
        return Portrait(
            key=f"person {index}",
            picture=picture,
            label_map=label_map,
            general_caption=f"A person of the number {index}. Nothing else.",
            face_caption=CAPTION,
            id_original=vector / np.linalg.norm(vector),
        )


def small_config(**settings):
    """A configuration for the stand-ins: 64 pixels, two samples, exact numbers."""
    defaults = {
        "resolution": 64, "precision": "fp32", "rank": 2, "steps": 4, "warmup_steps": 1, "learning_rate": 1e-2,
        "save_every": 0, "validate_every": 0, "log_every": 1, "ema_decay": 0.9, "validation_samples": 2,
        "validation_timesteps": [200, 700], "sample_every": 0, "cache_gigabytes": 0,
    }  # fmt: skip
    return from_mapping({**defaults, **settings})


def small_modules(frozen, **settings):
    """New networks to train for the stand-ins."""
    return new_modules(
        frozen.layers, frozen.base_weight, frozen.cross_attention_dim,
        **{"seed": 0, "rank": 2, **SIZES, **settings},
    )  # fmt: skip
