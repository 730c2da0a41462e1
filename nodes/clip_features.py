"""CLIP vision features of photos and face parts, each computed once.

The encoder is whatever CLIP_VISION the user wired; it must be ViT-H/14, the tower the
weights were trained with. The pixels are prepared as the original did (SPEC 2.2), so
the features do not depend on the host's own resizing.
"""

from collections import OrderedDict
from hashlib import blake2b
from weakref import WeakKeyDictionary

import comfy.model_management
import torch

from ..consistentid_core.clip_pixels import CLIP_SIZE
from ..consistentid_core.errors import ModelMismatchError

#: What makes a vision tower the right one: OpenCLIP ViT-H/14 trained on LAION-2B.
VIT_H = {"hidden_size": 1280, "num_hidden_layers": 32, "patch_size": 14}

#: Pictures whose features are kept per encoder: 1.3 MB each, enough for eight photos with five parts.
KEPT_PICTURES = 48

_features: WeakKeyDictionary[torch.nn.Module, OrderedDict[bytes, torch.Tensor]] = WeakKeyDictionary()


def encode_pixels(clip_vision, pixel_values: torch.Tensor) -> torch.Tensor:
    """Penultimate hidden states of pictures, all that are not known yet in one pass.

    pixel_values: (n, 3, 224, 224) float32 from :func:`~..consistentid_core.clip_pixels.clip_pixel_values`.
    Returns (n, 257, 1280) float32 on the CPU.
    Raises ModelMismatchError if the encoder is not ViT-H/14.
    """
    check_is_vit_h(clip_vision)
    if not len(pixel_values):
        return torch.empty(0, 257, VIT_H["hidden_size"])
    known = _features.setdefault(clip_vision.model, OrderedDict())
    keys = [blake2b(pixels.numpy().tobytes(), digest_size=16).digest() for pixels in pixel_values]
    unknown = {key: i for i, key in enumerate(keys) if key not in known}
    if unknown:
        comfy.model_management.load_model_gpu(clip_vision.patcher)
        batch = pixel_values[list(unknown.values())].to(clip_vision.load_device)
        states = clip_vision.model(pixel_values=batch, intermediate_output=-2)[1]
        for key, features in zip(unknown, states.float().cpu(), strict=True):
            known[key] = features.clone()
    for key in keys:
        known.move_to_end(key)
    result = torch.stack([known[key] for key in keys])
    while len(known) > KEPT_PICTURES:
        known.popitem(last=False)
    return result


def zero_image_features(clip_vision) -> torch.Tensor:
    """Features of the "zero image": zero pixel *values*, a mid-grey, not a black picture.

    A constant of the encoder. It stands for "no picture" in the unconditional branch
    and for padding (SPEC 2.5, 4). Returns (1, 257, 1280) float32 on the CPU.
    """
    return encode_pixels(clip_vision, torch.zeros(1, 3, CLIP_SIZE, CLIP_SIZE))


def check_is_vit_h(clip_vision) -> None:
    """Raise ModelMismatchError unless the encoder is CLIP ViT-H/14."""
    found = {name: clip_vision.config.get(name) for name in VIT_H}
    if found != VIT_H:
        raise ModelMismatchError(
            f"This CLIP vision model has hidden size {found['hidden_size']}, {found['num_hidden_layers']} layers and "
            f"patch size {found['patch_size']}; ConsistentID needs ViT-H/14 (hidden size 1280, 32 layers, "
            "patch size 14). Load CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors (2.5 GB), which IP-Adapter uses too."
        )
