"""What the photos of a person contribute: CLIP features, and one vector per facial region.

Both depend on photos and models only and are kept as long as the parts are, so a changed
prompt costs one text encoding and the fusion. Stored photos bring their features along.
"""

from dataclasses import replace

import torch

from ...consistentid_core.faces.clip_pixels import clip_pixel_values
from ...consistentid_core.faces.face_parts import FaceParts, ZeroImage
from ...consistentid_core.faces.mixing import require_one_person
from ...consistentid_core.faces.pictures import (
    Features,
    mean_by_region,
    pictures_to_see,
    stored_features,
    without_pictures,
)
from ...consistentid_core.memory import remember
from ..models.consistentid import ConsistentIDModel
from .clip_features import PICTURES_PER_PASS, encode_pixels, zero_image


def features_of(clip_vision, face_parts: FaceParts) -> Features:
    """CLIP features of every photo that counts for the ID tokens, and of every part.

    clip_vision: may be None if only stored photos are left.
    Photos and crops always together: whichever node asks first, CLIP runs once for all of them. They are kept as
    long as the parts, because a large batch has more pictures than are kept for their own sake.
    """
    if face_parts.is_stored:
        return stored_features(face_parts)

    def see() -> Features:
        features = stored_features(face_parts)
        pictures = dict(pictures_to_see(face_parts))
        if pictures:
            encoded = encode_pixels(clip_vision, clip_pixel_values(pictures.values()))
            features |= dict(zip(pictures, encoded, strict=True))
        return features

    return remember("features", (face_parts, clip_vision.model), see)


def region_vectors(
    consistentid: ConsistentIDModel, clip_vision, face_parts: FaceParts
) -> list[dict[str, torch.Tensor]]:
    """For each person one vector (D,) per region that the parts show; of several photos of a person the CLIP
    features are averaged.

    clip_vision: may be None if only stored photos are left.
    """

    def encode() -> list[dict[str, torch.Tensor]]:
        features = features_of(clip_vision, face_parts)
        means = [mean_by_region(person, features) for person in face_parts.people]
        rows = [row for person in means for row in person.values()]
        vectors = iter(_encode(consistentid, torch.stack(rows)) if rows else ())
        return [{region: next(vectors) for region in person} for person in means]

    # What is stored is the same whatever model is connected.
    sources = () if face_parts.is_stored else (clip_vision.model,)
    return remember(("vectors", len(sources)), (face_parts, consistentid, *sources), encode)


def zero_vector(consistentid: ConsistentIDModel, zero_image: ZeroImage) -> torch.Tensor:
    """The vector (D,) of the zero image (SPEC 4)."""
    return remember(
        "zero vector",
        (consistentid, zero_image),
        lambda: _encode(consistentid, zero_image.features.unsqueeze(0))[0],
    )


def stored(clip_vision, face_parts: FaceParts) -> FaceParts:
    """The same face with features in place of pictures, to be written into a file.

    clip_vision: may be None if only stored photos are left. With it, a zero image that they lack is added.
    """
    require_one_person(face_parts)
    if face_parts.is_stored and (clip_vision is None or face_parts.zero_image is not None):
        return face_parts
    # Whatever counts now, the file may be used with other weights later.
    whole = face_parts if face_parts.id_weights is None else replace(face_parts, id_weights=None)
    return without_pictures(face_parts, features_of(clip_vision, whole), zero_image(clip_vision))


def _encode(consistentid: ConsistentIDModel, features: torch.Tensor) -> torch.Tensor:
    encoder = consistentid.facial_encoder
    network = encoder.loaded()
    passes = features.split(PICTURES_PER_PASS)
    return torch.cat([network.encode_parts(one.to(encoder.device)).cpu() for one in passes])
