"""What the photos of a person contribute: CLIP features, and one vector per facial region.

Both depend on photos and models only and are kept as long as the parts are, so a changed
prompt costs one text encoding and the fusion.
"""

from weakref import WeakKeyDictionary

import torch

from ..consistentid_core.clip_pixels import clip_pixel_values
from ..consistentid_core.face_parts import FaceParts
from .clip_features import encode_pixels, zero_image_features
from .models import ConsistentIDModel

_pixels: WeakKeyDictionary[FaceParts, torch.Tensor] = WeakKeyDictionary()
_vectors: WeakKeyDictionary[FaceParts, WeakKeyDictionary] = WeakKeyDictionary()
_zero_vectors: WeakKeyDictionary[ConsistentIDModel, WeakKeyDictionary] = WeakKeyDictionary()


def crop_pixels(face_parts: FaceParts) -> torch.Tensor:
    """The crops of all parts as CLIP sees them, (n, 3, 224, 224), photo by photo."""
    return _photo_and_crop_pixels(face_parts)[len(face_parts.photos) :]


def photo_features(clip_vision, face_parts: FaceParts) -> torch.Tensor:
    """CLIP features of the photos, (n, 257, 1280)."""
    return _features(clip_vision, face_parts)[: len(face_parts.photos)]


def region_vectors(
    consistentid: ConsistentIDModel, clip_vision, face_parts: FaceParts
) -> dict[str, torch.Tensor]:
    """One vector (D,) per region that the parts show; of several photos the CLIP features are averaged."""
    by_model = _vectors.setdefault(face_parts, WeakKeyDictionary()).setdefault(
        consistentid, WeakKeyDictionary()
    )
    if clip_vision.model not in by_model:
        by_region: dict[str, list[torch.Tensor]] = {}
        regions = [part.region for photo in face_parts.photos for part in photo.parts]
        crops = _features(clip_vision, face_parts)[len(face_parts.photos) :]
        for region, features in zip(regions, crops, strict=True):
            by_region.setdefault(region, []).append(features)
        means = [torch.stack(several).mean(0) for several in by_region.values()]
        vectors = _encode(consistentid, torch.stack(means)) if means else []
        by_model[clip_vision.model] = dict(zip(by_region, vectors, strict=True))
    return by_model[clip_vision.model]


def zero_vector(consistentid: ConsistentIDModel, clip_vision) -> torch.Tensor:
    """The vector (D,) of the zero image: a constant of the two models (SPEC 4)."""
    by_model = _zero_vectors.setdefault(consistentid, WeakKeyDictionary())
    if clip_vision.model not in by_model:
        by_model[clip_vision.model] = _encode(consistentid, zero_image_features(clip_vision))[0]
    return by_model[clip_vision.model]


def _features(clip_vision, face_parts: FaceParts) -> torch.Tensor:
    # Photos and crops always together: whichever node asks first, CLIP runs once for all of them.
    return encode_pixels(clip_vision, _photo_and_crop_pixels(face_parts))


def _photo_and_crop_pixels(face_parts: FaceParts) -> torch.Tensor:
    """First the photos, then the crops of all their parts."""
    if face_parts not in _pixels:
        photos = [clip_pixel_values([photo.image]) for photo in face_parts.photos]
        # A generator, because each crop is as large as its photo.
        crops = clip_pixel_values(photo.crop(part) for photo in face_parts.photos for part in photo.parts)
        _pixels[face_parts] = torch.cat([*photos, crops])
    return _pixels[face_parts]


def _encode(consistentid: ConsistentIDModel, features: torch.Tensor) -> torch.Tensor:
    encoder = consistentid.facial_encoder
    return encoder.loaded().encode_parts(features.to(encoder.device)).cpu()
