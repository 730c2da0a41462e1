"""What the photos of a person contribute: CLIP features, and one vector per facial region.

Both depend on photos and models only and are kept as long as the parts are, so a changed
prompt costs one text encoding and the fusion. Stored photos bring their features along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import torch

from ...consistentid_core.faces.clip_pixels import CLIP_SIZE, clip_pixel_values
from ...consistentid_core.faces.face_parts import (
    AnyPart,
    AnyPhoto,
    FacePart,
    FaceParts,
    FacePhoto,
    StoredPart,
    StoredPhoto,
    ZeroImage,
)
from ...consistentid_core.faces.mixing import require_one_person
from ...consistentid_core.faces.part_quality import quality_of
from ...consistentid_core.identity.id_embedding import MEAN, NORM_MEAN
from ..models.consistentid import ConsistentIDModel
from .clip_features import PICTURES_PER_PASS, encode_pixels, zero_image

#: Pictures as CLIP sees them, (1, 3, 224, 224); kept apart, because mixed faces share parts.
_photo_pixels: WeakKeyDictionary[FacePhoto, torch.Tensor] = WeakKeyDictionary()
_crop_pixels: WeakKeyDictionary[FacePart, torch.Tensor] = WeakKeyDictionary()
_features_of: WeakKeyDictionary[FaceParts, WeakKeyDictionary] = WeakKeyDictionary()
_vectors: WeakKeyDictionary[FaceParts, WeakKeyDictionary] = WeakKeyDictionary()
_zero_vectors: WeakKeyDictionary[ConsistentIDModel, WeakKeyDictionary] = WeakKeyDictionary()


def crop_pixels(face_parts: FaceParts) -> torch.Tensor:
    """The crops of all pictured parts as CLIP sees them, (n, 3, 224, 224), photo by photo."""
    crops = [_pixels_of_crop(photo, part) for photo, part in face_parts.pictured_parts()]
    return torch.cat(crops) if crops else torch.empty(0, 3, CLIP_SIZE, CLIP_SIZE)


def person_features(
    clip_vision, face_parts: FaceParts, vectors: int = 1, combine: str = MEAN
) -> torch.Tensor:
    """CLIP features for the ID tokens of one person: (1, 257, 1280), or one set per vector or person.

    vectors, combine: of the ID embedding. See :func:`merge_photos`.
    """
    features = _features(clip_vision, face_parts)
    people = [
        merge_photos(
            torch.stack([features[photo] for photo in _counting_photos(person)]),
            vectors if person is face_parts else 1,
            [weight for weight in person.id_weights or () if weight],
            combine,
        )
        for person in face_parts.people
    ]
    return torch.cat(people)


def merge_photos(
    features: torch.Tensor,
    vectors: int = 1,
    weights: Sequence[float] | None = None,
    combine: str = MEAN,
) -> torch.Tensor:
    """The features of several photos as one set, or as one set per vector of a concatenated ID embedding.

    features: (n, 257, 1280).  weights: (n), how much each counts; None or equal: all alike.
    combine: how the vectors were combined: with ``norm mean`` the rows of the mean get back the length that those
    of the photos have on average.
    Photos that count alike and are as many as the vectors stay apart, the k-th for the k-th vector;
    all others are averaged. Returns (1 or vectors, 257, 1280).
    """
    alike = len(set(weights or ())) <= 1
    if alike and len(features) == vectors:
        return features
    shares = torch.tensor([1.0] * len(features) if alike else weights, dtype=features.dtype)
    shares = (shares / shares.sum()).view(-1, 1, 1)
    mean = (shares * features).sum(0, keepdim=True)
    if combine == NORM_MEAN:
        lengths = (shares * features.norm(dim=-1, keepdim=True)).sum(0, keepdim=True)
        mean = mean * lengths / mean.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(mean.dtype).tiny)
    return mean


def region_vectors(
    consistentid: ConsistentIDModel, clip_vision, face_parts: FaceParts
) -> list[dict[str, torch.Tensor]]:
    """For each person one vector (D,) per region that the parts show; of several photos of a person the CLIP
    features are averaged.

    clip_vision: may be None if only stored photos are left.
    """
    by_source = _vectors.setdefault(face_parts, WeakKeyDictionary()).setdefault(
        consistentid, WeakKeyDictionary()
    )
    # What is stored is the same whatever model is connected.
    source = face_parts if face_parts.is_stored else clip_vision.model
    if source not in by_source:
        features = _features(clip_vision, face_parts)
        means = [_mean_by_region(person, features) for person in face_parts.people]
        rows = [row for person in means for row in person.values()]
        vectors = iter(_encode(consistentid, torch.stack(rows)) if rows else ())
        by_source[source] = [{region: next(vectors) for region in person} for person in means]
    return by_source[source]


def _mean_by_region(
    person: FaceParts, features: Mapping[AnyPhoto | AnyPart, torch.Tensor]
) -> dict[str, torch.Tensor]:
    by_region: dict[str, list[torch.Tensor]] = {}
    for _, part in person.parts():
        by_region.setdefault(part.region, []).append(features[part])
    return {region: torch.stack(several).mean(0) for region, several in by_region.items()}


def zero_vector(consistentid: ConsistentIDModel, zero_image: ZeroImage) -> torch.Tensor:
    """The vector (D,) of the zero image (SPEC 4)."""
    vectors = _zero_vectors.setdefault(consistentid, WeakKeyDictionary())
    if zero_image not in vectors:
        vectors[zero_image] = _encode(consistentid, zero_image.features.unsqueeze(0))[0]
    return vectors[zero_image]


def stored(clip_vision, face_parts: FaceParts) -> FaceParts:
    """The same face with features in place of pictures, to be written into a file.

    clip_vision: may be None if only stored photos are left. With it, a zero image that they lack is added.
    """
    require_one_person(face_parts)
    if face_parts.is_stored and (clip_vision is None or face_parts.zero_image is not None):
        return face_parts
    # Whatever counts now, the file may be used with other weights later.
    whole = face_parts if face_parts.id_weights is None else replace(face_parts, id_weights=None)
    features = _features(clip_vision, whole)
    nothing = zero_image(clip_vision)
    photos = tuple(
        StoredPhoto(
            features[photo],
            tuple(
                StoredPart(part.name, part.region, features[part], quality)
                for part, quality in quality_of(photo)
            ),
            nothing,
        )
        for photo in face_parts.photos
    )
    return replace(face_parts, photos=photos)


def _features(clip_vision, face_parts: FaceParts) -> Mapping[AnyPhoto | AnyPart, torch.Tensor]:
    """CLIP features (257, 1280) of every photo that counts for the ID tokens, and of every part.

    Photos and crops always together: whichever node asks first, CLIP runs once for all of them. They are kept as
    long as the parts, because a large batch has more pictures than are kept for their own sake.
    """
    if face_parts.is_stored:
        return _stored_features(face_parts)
    by_model = _features_of.setdefault(face_parts, WeakKeyDictionary())
    if clip_vision.model not in by_model:
        pictures: dict[FacePhoto | FacePart, torch.Tensor] = {}
        for photo in _counting_photos(face_parts):
            if isinstance(photo, FacePhoto):
                pictures[photo] = _pixels_of_photo(photo)
        for photo, part in face_parts.pictured_parts():
            pictures[part] = _pixels_of_crop(photo, part)
        features = _stored_features(face_parts)
        if pictures:
            encoded = encode_pixels(clip_vision, torch.cat(list(pictures.values())))
            features |= dict(zip(pictures, encoded, strict=True))
        by_model[clip_vision.model] = features
    return by_model[clip_vision.model]


def _stored_features(face_parts: FaceParts) -> dict[AnyPhoto | AnyPart, torch.Tensor]:
    """What stored photos and parts bring along."""
    photos = [photo for photo in face_parts.photos if isinstance(photo, StoredPhoto)]
    parts = [part for _, part in face_parts.parts() if isinstance(part, StoredPart)]
    return {one: one.features for one in (*photos, *parts)}


def _counting_photos(face_parts: FaceParts) -> list[AnyPhoto]:
    """The photos whose CLIP features the ID tokens are made from."""
    counting: list[AnyPhoto] = []
    for person in face_parts.people:
        weights = person.id_weights or (1.0,) * len(person.photos)
        counting += [photo for photo, weight in zip(person.photos, weights, strict=True) if weight]
    return counting


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
    network = encoder.loaded()
    passes = features.split(PICTURES_PER_PASS)
    return torch.cat([network.encode_parts(one.to(encoder.device)).cpu() for one in passes])
