"""What the photos of a person contribute: CLIP features, and one vector per facial region.

Both depend on photos and models only and are kept as long as the parts are, so a changed
prompt costs one text encoding and the fusion. Stored photos bring their features along.
"""

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import torch

from ..consistentid_core.clip_pixels import CLIP_SIZE, clip_pixel_values
from ..consistentid_core.face_parts import (
    AnyPart,
    AnyPhoto,
    FacePart,
    FaceParts,
    FacePhoto,
    StoredPart,
    StoredPhoto,
)
from ..consistentid_core.part_quality import quality_of
from .clip_features import encode_pixels, zero_image_features
from .models import ConsistentIDModel

#: Pictures as CLIP sees them, (1, 3, 224, 224); kept apart, because mixed faces share parts.
_photo_pixels: WeakKeyDictionary[FacePhoto, torch.Tensor] = WeakKeyDictionary()
_crop_pixels: WeakKeyDictionary[FacePart, torch.Tensor] = WeakKeyDictionary()
_vectors: WeakKeyDictionary[FaceParts, WeakKeyDictionary] = WeakKeyDictionary()
_zero_vectors: WeakKeyDictionary[ConsistentIDModel, WeakKeyDictionary] = WeakKeyDictionary()


def crop_pixels(face_parts: FaceParts) -> torch.Tensor:
    """The crops of all pictured parts as CLIP sees them, (n, 3, 224, 224), photo by photo."""
    crops = [_pixels_of_crop(photo, part) for photo, part in face_parts.pictured_parts()]
    return torch.cat(crops) if crops else torch.empty(0, 3, CLIP_SIZE, CLIP_SIZE)


def photo_features(clip_vision, face_parts: FaceParts) -> torch.Tensor:
    """CLIP features of the photos that count for the ID tokens, (n, 257, 1280)."""
    features = _features(clip_vision, face_parts)
    return torch.stack([features[photo] for photo in _counting_photos(face_parts)])


def person_features(clip_vision, face_parts: FaceParts, vectors: int = 1) -> torch.Tensor:
    """CLIP features for the ID tokens of one person: (1, 257, 1280), or one set per vector.

    vectors: of the ID embedding. See :func:`merge_photos`.
    """
    weights = [weight for weight in face_parts.id_weights or () if weight]
    return merge_photos(photo_features(clip_vision, face_parts), vectors, weights)


def merge_photos(
    features: torch.Tensor, vectors: int = 1, weights: Sequence[float] | None = None
) -> torch.Tensor:
    """The features of several photos as one set, or as one set per vector of a concatenated ID embedding.

    features: (n, 257, 1280).  weights: (n), how much each counts; None or equal: all alike.
    Photos that count alike and are as many as the vectors stay apart, the k-th for the k-th vector;
    all others are averaged. Returns (1 or vectors, 257, 1280).
    """
    if weights and len(set(weights)) > 1:
        shares = torch.tensor(weights, dtype=features.dtype) / sum(weights)
        return torch.einsum("n,nrc->rc", shares, features).unsqueeze(0)
    return features if len(features) == vectors else features.mean(0, keepdim=True)


def region_vectors(
    consistentid: ConsistentIDModel, clip_vision, face_parts: FaceParts
) -> dict[str, torch.Tensor]:
    """One vector (D,) per region that the parts show; of several photos the CLIP features are averaged."""
    by_model = _vectors.setdefault(face_parts, WeakKeyDictionary()).setdefault(
        consistentid, WeakKeyDictionary()
    )
    if clip_vision.model not in by_model:
        features = _features(clip_vision, face_parts)
        by_region: dict[str, list[torch.Tensor]] = {}
        for _, part in face_parts.parts():
            by_region.setdefault(part.region, []).append(features[part])
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


def stored(clip_vision, face_parts: FaceParts) -> FaceParts:
    """The same face with features in place of pictures, to be written into a file.

    clip_vision: may be None if only stored photos are left.
    """
    if face_parts.is_stored:
        return face_parts
    # Whatever counts now, the file may be used with other weights later.
    features = _features(clip_vision, replace(face_parts, id_weights=None))
    photos = tuple(
        StoredPhoto(
            features[photo],
            tuple(
                StoredPart(part.name, part.region, features[part], quality)
                for part, quality in quality_of(photo)
            ),
        )
        for photo in face_parts.photos
    )
    return replace(face_parts, photos=photos)


def _features(clip_vision, face_parts: FaceParts) -> dict[AnyPhoto | AnyPart, torch.Tensor]:
    """CLIP features (257, 1280) of every photo that counts for the ID tokens, and of every part."""
    features: dict[AnyPhoto | AnyPart, torch.Tensor] = {}
    pixels: dict[FacePhoto | FacePart, torch.Tensor] = {}
    for photo in _counting_photos(face_parts):
        if isinstance(photo, StoredPhoto):
            features[photo] = photo.features
        else:
            pixels[photo] = _pixels_of_photo(photo)
    for photo, part in face_parts.parts():
        if isinstance(part, StoredPart):
            features[part] = part.features
        else:
            pixels[part] = _pixels_of_crop(photo, part)
    # Photos and crops always together: whichever node asks first, CLIP runs once for all of them.
    encoded = encode_pixels(
        clip_vision, torch.cat([torch.empty(0, 3, CLIP_SIZE, CLIP_SIZE), *pixels.values()])
    )
    return features | dict(zip(pixels, encoded, strict=True))


def _counting_photos(face_parts: FaceParts) -> list[AnyPhoto]:
    """The photos whose CLIP features the ID tokens are made from."""
    weights = face_parts.id_weights or (1.0,) * len(face_parts.photos)
    return [photo for photo, weight in zip(face_parts.photos, weights, strict=True) if weight]


def _pixels_of_photo(photo: FacePhoto) -> torch.Tensor:
    if photo not in _photo_pixels:
        _photo_pixels[photo] = clip_pixel_values([photo.image])
    return _photo_pixels[photo]


def _pixels_of_crop(photo: FacePhoto, part: FacePart) -> torch.Tensor:
    if part not in _crop_pixels:
        _crop_pixels[part] = clip_pixel_values([photo.crop(part)])
    return _crop_pixels[part]


def _encode(consistentid: ConsistentIDModel, features: torch.Tensor) -> torch.Tensor:
    encoder = consistentid.facial_encoder
    return encoder.loaded().encode_parts(features.to(encoder.device)).cpu()
