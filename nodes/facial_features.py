"""What the photos of a person contribute to a prompt: one vector per facial region.

The vectors depend on the photos and the two models only. They are kept as long as the
parts are, so a changed prompt costs one text encoding and the fusion.
"""

from weakref import WeakKeyDictionary

import torch

from ..consistentid_core.face_parts import FaceParts
from .clip_features import encode_pictures, zero_image_features
from .models import ConsistentIDModel

_kept: WeakKeyDictionary[FaceParts, WeakKeyDictionary] = WeakKeyDictionary()


def region_vectors(
    consistentid: ConsistentIDModel, clip_vision, face_parts: FaceParts
) -> dict[str, torch.Tensor]:
    """One vector (D,) per region that the parts show; of several photos the CLIP features are averaged.

    The photos go through CLIP in the same pass, because Apply ConsistentID needs them.
    """
    by_model = _kept.setdefault(face_parts, WeakKeyDictionary()).setdefault(consistentid, WeakKeyDictionary())
    if clip_vision.model not in by_model:
        photos = [photo.image for photo in face_parts.photos]
        parts = [(photo, part) for photo in face_parts.photos for part in photo.parts]
        features = encode_pictures(clip_vision, photos + [photo.crop(part) for photo, part in parts])[len(photos) :]
        regions = {part.region: None for _, part in parts}
        means = [
            torch.stack([f for f, (_, part) in zip(features, parts, strict=True) if part.region == region]).mean(0)
            for region in regions
        ]
        vectors = _encode(consistentid, torch.stack(means)) if means else []
        by_model[clip_vision.model] = dict(zip(regions, vectors, strict=True))
    return by_model[clip_vision.model]


def zero_vector(consistentid: ConsistentIDModel, clip_vision) -> torch.Tensor:
    """The vector (D,) of the all-zero picture: a constant of the two models (SPEC 4)."""
    by_model = _kept_zero.setdefault(consistentid, WeakKeyDictionary())
    if clip_vision.model not in by_model:
        by_model[clip_vision.model] = _encode(consistentid, zero_image_features(clip_vision))[0]
    return by_model[clip_vision.model]


_kept_zero: WeakKeyDictionary[ConsistentIDModel, WeakKeyDictionary] = WeakKeyDictionary()


def _encode(consistentid: ConsistentIDModel, features: torch.Tensor) -> torch.Tensor:
    encoder = consistentid.facial_encoder
    return encoder.loaded().encode_parts(features.to(encoder.device)).cpu()
