"""A small stand-in for the packs that patch attention in the way that became customary.

One mutable object per block sits in ``patches_replace["attn2"]``; a later node of any such
pack calls ``.add`` on the object it finds, in place. Keys are pairs on SD1.5 and triples on
SDXL, the middle block is (wrongly) number 1, and the host reads the noise level in every layer.
"""

import torch
from comfy.ldm.modules.attention import optimized_attention
from sampling import random

#: Tokens of the picture another pack shows the model.
PICTURE_TOKENS = 4


class PeerAttention:
    """Ordinary attention, plus what each callback adds to it inside its range of noise levels."""

    def __init__(self, callback, **kwargs):
        self.callback = [callback]
        self.kwargs = [kwargs]

    def add(self, callback, **kwargs):
        self.callback.append(callback)
        self.kwargs.append(kwargs)

    def to(self, device):
        return self

    def __call__(self, q, k, v, extra_options):
        sigma = extra_options["sigmas"].detach().cpu()[0].item()
        out = optimized_attention(q, k, v, extra_options["n_heads"])
        for callback, kwargs in zip(self.callback, self.kwargs, strict=True):
            if kwargs["sigma_end"] <= sigma <= kwargs["sigma_start"]:
                out = out + callback(out, q, k, v, extra_options, **kwargs)
        return out


def picture_attention(out, q, k, v, extra_options, *, weight, cond, uncond, **_):
    """Attention to picture tokens, other ones for the negative; told apart by the order in the batch."""
    width, chunks = q.shape[-1], extra_options["cond_or_uncond"]
    per_chunk = q.shape[0] // len(chunks)
    tokens = torch.cat([(cond, uncond)[i][..., :width].repeat(per_chunk, 1, 1) for i in chunks])
    return weight * optimized_attention(q, tokens, tokens, extra_options["n_heads"])


def apply_peer(model, number: int = 0, weight: float = 0.8):
    """The model after such a pack's node."""
    cond, uncond = (random(1, PICTURE_TOKENS, 1280, seed=400 + 2 * number + i) for i in range(2))
    arguments = {
        "weight": weight, "cond": cond, "uncond": uncond, "sigma_start": 999999999.9, "sigma_end": 0.0,
    }  # fmt: skip
    patched = model.clone()
    options = patched.model_options["transformer_options"] = patched.model_options[
        "transformer_options"
    ].copy()
    replacements = options["patches_replace"] = options.get("patches_replace", {}).copy()
    attn2 = replacements["attn2"] = replacements.get("attn2", {}).copy()
    for key in _blocks(model):
        if key in attn2:
            attn2[key].add(picture_attention, **arguments)
        else:
            attn2[key] = PeerAttention(picture_attention, **arguments)
    return patched


def peer_objects(model) -> list[PeerAttention]:
    """The objects such packs share, of a model."""
    replacements = model.model_options["transformer_options"].get("patches_replace", {})
    return list(replacements.get("attn2", {}).values())


def _blocks(model) -> list[tuple]:
    """Written down by the packs, not read off the model."""
    if model.model.model_config.unet_config["context_dim"] == 768:
        inputs = [("input", number) for number in (1, 2, 4, 5, 7, 8)]
        return inputs + [("output", number) for number in range(3, 12)] + [("middle", 1)]
    deep = range(2)
    inputs = [("input", number, i) for number in (4, 5, 7, 8) for i in deep]
    return (
        inputs
        + [("output", number, i) for number in range(6) for i in deep]
        + [("middle", 1, i) for i in deep]
    )
