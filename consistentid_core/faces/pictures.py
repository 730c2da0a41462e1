"""Which pictures of a face CLIP has to see, and what the features it makes of them stand for.

A photo goes one way: its pictures (here), their features (whoever has the CLIP vision model), then one
mean per facial region (here, for the words of the prompt) and one set for the ID tokens
(:mod:`..identity.photo_features`). Stored photos come with features in place of pictures.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..memory import remember
from .clip_pixels import CLIP_SIZE, centre_square
from .face_parts import (
    AnyPart,
    AnyPhoto,
    FacePart,
    FaceParts,
    FacePhoto,
    StoredPart,
    StoredPhoto,
    ZeroImage,
)
from .mixing import require_one_person
from .part_quality import quality_of

#: CLIP features (257, 1280) of whole photos and of parts.
Features = Mapping[AnyPhoto | AnyPart, Tensor]


def no_picture() -> Tensor:
    """What CLIP gets where there is no picture, (1, 3, 224, 224) float32: zero pixel *values*.

    A mid-grey, not a black picture. It stands for a missing crop, and for everything in the unconditional
    branch and in samples without text (SPEC 2.5, 4, 7.1).
    """
    return torch.zeros(1, 3, CLIP_SIZE, CLIP_SIZE)


def pictures_to_see(face_parts: FaceParts) -> Iterator[tuple[FacePhoto | FacePart, np.ndarray]]:
    """Every picture of a face that CLIP has to see, and what it shows; each made when its turn comes.

    Whole photos first, as far as they count for the ID tokens, then the crops, photo by photo.
    Pictures are uint8 RGB of any size, for :func:`~.clip_pixels.clip_pixel_values`.
    """
    for photo in photos_of_id_tokens(face_parts):
        if isinstance(photo, FacePhoto):
            yield photo, photo.image
    yield from crops(face_parts)


def crops(face_parts: FaceParts) -> Iterator[tuple[FacePart, np.ndarray]]:
    """The crop of every pictured part as CLIP sees it, uint8 RGB (224, 224, 3).

    Kept with the part: the crop of a 12 megapixel photo takes most of a second, and a view of the prompt
    shows it again with every changed word.
    """
    for photo, part in face_parts.pictured_parts():
        yield part, remember("crop", (part,), partial(_crop, photo, part))


def _crop(photo: FacePhoto, part: FacePart) -> np.ndarray:
    return centre_square(photo.crop(part))


def photos_of_id_tokens(face_parts: FaceParts) -> list[AnyPhoto]:
    """The photos whose CLIP features the ID tokens are made from: those with a weight, person by person."""
    counting: list[AnyPhoto] = []
    for person in face_parts.people:
        weights = person.id_weights or (1.0,) * len(person.photos)
        counting += [photo for photo, weight in zip(person.photos, weights, strict=True) if weight]
    return counting


def stored_features(face_parts: FaceParts) -> dict[AnyPhoto | AnyPart, Tensor]:
    """The features that stored photos and their parts bring along."""
    everything = (*face_parts.photos, *(part for _, part in face_parts.parts()))
    return {one: one.features for one in everything if isinstance(one, StoredPhoto | StoredPart)}


def mean_by_region(person: FaceParts, features: Features) -> dict[str, Tensor]:
    """One set of features (257, 1280) for each region a person shows: the mean of the photos that show it."""
    by_region: dict[str, list[Tensor]] = {}
    for _, part in person.parts():
        by_region.setdefault(part.region, []).append(features[part])
    return {region: torch.stack(several).mean(0) for region, several in by_region.items()}


def without_pictures(face_parts: FaceParts, features: Features, zero_image: ZeroImage) -> FaceParts:
    """The same face with features in place of pictures, to be written into a file.

    features: of every photo and part.  zero_image: of the CLIP vision model that made them.
    Raises ValueError if it is of several people.
    """
    require_one_person(face_parts)
    photos = tuple(
        StoredPhoto(
            features[photo],
            tuple(
                StoredPart(part.name, part.region, features[part], quality)
                for part, quality in quality_of(photo)
            ),
            zero_image,
        )
        for photo in face_parts.photos
    )
    return replace(face_parts, photos=photos)
