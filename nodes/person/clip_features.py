"""CLIP vision features of photos and face parts, each computed once.

The encoder is whatever CLIP_VISION the user wired; it must be ViT-H/14, the tower the
weights were trained with. The pixels are prepared as the original did (SPEC 2.2), so
the features do not depend on the host's own resizing.
"""

from collections import OrderedDict
from hashlib import blake2b

import comfy.model_management
import torch

from ...consistentid_core.errors import ModelMismatchError
from ...consistentid_core.faces.face_parts import FaceParts, ZeroImage
from ...consistentid_core.faces.pictures import no_picture
from ...consistentid_core.memory import remember

#: What makes a vision tower the right one: OpenCLIP ViT-H/14 trained on LAION-2B.
VIT_H = {"hidden_size": 1280, "num_hidden_layers": 32, "patch_size": 14}

#: Pictures whose features are kept per encoder: 1.3 MB each, enough for eight photos with five parts.
KEPT_PICTURES = 48

#: So many go through a network at once; more would take gigabytes of the graphics card for a batch of photos.
PICTURES_PER_PASS = 48

#: What ViT-H/14 makes of one picture: a class token and 16 x 16 patches.
FEATURES_SHAPE = (257, 1280)


def encode_pixels(clip_vision, pixel_values: torch.Tensor) -> torch.Tensor:
    """Penultimate hidden states of pictures; those not known yet go through together, as many as fit a pass.

    pixel_values: (n, 3, 224, 224) float32, n > 0, from ``clip_pixel_values`` of the core.
    Returns (n, 257, 1280) float32 on the CPU.
    Raises ModelMismatchError if the encoder is not ViT-H/14, or returns features of another shape or NaN.
    """
    check_is_vit_h(clip_vision)
    known: OrderedDict[bytes, torch.Tensor] = remember("features", (clip_vision.model,), OrderedDict)
    keys = [blake2b(pixels.numpy().tobytes(), digest_size=16).digest() for pixels in pixel_values]
    unknown = {key: i for i, key in enumerate(keys) if key not in known}
    if unknown:
        comfy.model_management.load_model_gpu(clip_vision.patcher)
        new_keys = iter(unknown)
        for batch in pixel_values[list(unknown.values())].split(PICTURES_PER_PASS):
            batch = batch.to(clip_vision.load_device)
            states = clip_vision.model(pixel_values=batch, intermediate_output=-2)[1]
            for features in _checked(states, len(batch)):
                known[next(new_keys)] = features.clone()
    for key in keys:
        known.move_to_end(key)
    result = torch.stack([known[key] for key in keys])
    while len(known) > KEPT_PICTURES:
        known.popitem(last=False)
    return result


def _checked(states: object, pictures: int) -> torch.Tensor:
    """The encoder's answer in float32 on the CPU; raises ModelMismatchError unless it can be what was asked for."""
    shape = tuple(getattr(states, "shape", ()))
    if not isinstance(states, torch.Tensor) or shape != (pictures, *FEATURES_SHAPE):
        raise ModelMismatchError(
            f"CLIP vision returned features of shape {shape} for {pictures} pictures; expected "
            f"{(pictures, *FEATURES_SHAPE)}, the hidden states before the last layer of ViT-H/14. Remove the node that "
            "changes the CLIP vision model, or load CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors anew."
        )
    features = states.float().cpu()
    broken = len(features) - int(features.isfinite().flatten(1).all(1).sum())
    if broken:
        raise ModelMismatchError(
            f"CLIP vision returned values that are not numbers (NaN or infinite) for {broken} of {pictures} pictures. "
            "Download its file again; if that does not help, its precision is too low on this device: start ComfyUI "
            "with --fp32-text-enc, which CLIP vision follows too."
        )
    return features


def zero_image(clip_vision, face_parts: FaceParts | None = None) -> ZeroImage:
    """The "zero image": zero pixel *values*, a mid-grey, not a black picture.

    A constant of the encoder, and one object for each. It stands for "no picture" in the unconditional
    branch and for padding (SPEC 2.5, 4).
    clip_vision: None if the stored photos of ``face_parts`` bring it along.
    Raises ValueError if they do not, ModelMismatchError if the encoder is not ViT-H/14.
    """
    if clip_vision is None:
        return _stored_zero_image(face_parts)
    return remember(
        "zero image", (clip_vision.model,), lambda: ZeroImage(encode_pixels(clip_vision, no_picture())[0])
    )


def check_is_connected(
    clip_vision, image: torch.Tensor | None = None, face_parts: FaceParts | None = None
) -> None:
    """Raise ValueError if a picture has to go through CLIP vision and there is none.

    image: a photo, used in place of those of ``face_parts``.
    """
    has_pictures = image is not None or (face_parts is not None and not face_parts.is_stored)
    if clip_vision is None and has_pictures:
        place = "face_parts" if image is None else "image"
        raise ValueError(
            f"clip_vision is not connected, but {place} brings a photo that CLIP has to see. Connect Load CLIP Vision "
            "with ViT-H/14, or use nothing but people from Load ID Embedding, who need none."
        )


def _stored_zero_image(face_parts: FaceParts | None) -> ZeroImage:
    if face_parts is None or face_parts.zero_image is None:
        raise ValueError(
            "clip_vision is not connected, and the file of this person lacks the features of the zero image: an older "
            "version of the pack saved it. Connect Load CLIP Vision with ViT-H/14; to do without it from now on, "
            "connect it and Load ID Embedding to Save ID Embedding once."
        )
    return face_parts.zero_image


def check_is_vit_h(clip_vision) -> None:
    """Raise ModelMismatchError unless the encoder is CLIP ViT-H/14."""
    found = {name: clip_vision.config.get(name) for name in VIT_H}
    if found != VIT_H:
        raise ModelMismatchError(
            f"This CLIP vision model has hidden size {found['hidden_size']}, {found['num_hidden_layers']} layers and "
            f"patch size {found['patch_size']}; ConsistentID needs ViT-H/14 (hidden size 1280, 32 layers, "
            "patch size 14). Load CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors (2.5 GB), which IP-Adapter uses too."
        )
