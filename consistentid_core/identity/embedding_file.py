"""A person in a file: ID embedding, and CLIP features of photos and facial parts.

A safetensors file, readable by that library alone. With the features it replaces the photo, the
face recogniser and CLIP vision at generation time; the vectors and features fit SD1.5 and SDXL alike.

Metadata: ``format``, ``version``, ``kind``; of the embedding ``recogniser``, ``channel_order``,
``combine``, ``photos``, ``source``; with features also ``clip_vision`` (hidden size, layers, patch
size) and ``face_parts``, JSON with the parts of each photo and how they are to be used; by choice what
:mod:`.person_card` describes.
Tensors: ``id_embeds`` (k, 512) float32; ``photo.<i>`` and ``photo.<i>.<region>`` (257, 1280)
float16, which moves the ID tokens by less than 1e-4 of their length (float32 if a value is too large);
``zero_image`` likewise, which the first files did not have: with those, CLIP vision is still needed.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ..errors import CheckpointError
from ..faces.face_parts import FaceParts, StoredPart, StoredPhoto, ZeroImage
from ..faces.mixing import check_strengths
from ..files.catalogue import RECOGNISER
from ..files.quoting import quoted
from ..files.state_dict import is_finite
from ..files.weights_file import read_header, read_weights
from ..regions import region_of_part
from ..text.pairing import PAIRINGS
from .id_embedding import CHANNEL_ORDERS, COMBINE_METHODS, IDEmbedding
from .person_card import Card, from_metadata, to_metadata

EXTENSION = ".safetensors"

FORMAT = "consistentid_embedding"
VERSION = 1
KIND = "person"
CREATED_BY = "ConsistentID for ComfyUI"

#: Hidden size, layers and patch size of CLIP ViT-H/14, and the shape of its features.
CLIP_VISION = "1280 32 14"
FEATURES_SHAPE = (257, 1280)

_ID_EMBEDS = "id_embeds"
_ZERO_IMAGE = "zero_image"

#: A mean is shorter than the unit vectors it is of; the rest is rounding.
_LONGEST_VECTOR = 1.01
_MOST_DIGITS = 6
_FEATURE_TYPES = (torch.float16, torch.float32)

_SAVE_AGAIN = "Make the file again with Save ID Embedding."


@dataclass(frozen=True, eq=False)
class Person:
    """What a file holds. face_parts: of stored photos; None if only the ID embedding was saved."""

    embedding: IDEmbedding
    face_parts: FaceParts | None = None
    card: Card = Card()


def to_bytes(person: Person) -> bytes:
    """The contents of a file.

    Raises ValueError for several people, for values that are not numbers, or if a photo of ``face_parts`` is not a
    stored one, TypeError for none of our types.
    """
    embedding = person.embedding
    if embedding.people > 1:
        raise ValueError(
            f"This ID embedding is of {embedding.people} people, one per latent, but a file holds one. Save each "
            "on its own; Load ID Embedding can give a folder of them as a batch."
        )
    tensors = _tensors(person)
    odd = [key for key, tensor in tensors.items() if not is_finite(tensor)]
    if odd:
        raise ValueError(
            f"This person cannot be saved: {', '.join(odd)} holds values that are not numbers or infinite. Look at the "
            "picture and the model it was made with, and make it again."
        )
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "kind": KIND,
        "created_by": CREATED_BY,
        "recogniser": embedding.recogniser,
        "channel_order": embedding.channel_order,
        "combine": embedding.combine,
        "photos": str(embedding.photos),
        "source": embedding.source,
        **to_metadata(person.card),
    }
    if person.face_parts is not None:
        metadata["clip_vision"] = CLIP_VISION
        metadata["face_parts"] = json.dumps(_described(person.face_parts), ensure_ascii=False)
    return save(
        {key: value.contiguous() if key == _ID_EMBEDS else _compact(value) for key, value in tensors.items()},
        metadata,
    )


def read_person(path: str | os.PathLike[str]) -> Person:
    """The person in a file.

    Raises MissingModelError if there is none, CheckpointError if it is damaged, of another kind or version,
    or made with another recogniser or CLIP vision model.
    """
    path = Path(path)
    if path.suffix.lower() != EXTENSION:
        raise CheckpointError(
            f"'{path}' is no file of Save ID Embedding: those end in {EXTENSION}. Choose such a file."
        )
    try:
        tensors: dict[str, Tensor] = read_weights(path, mapped=False)
    except CheckpointError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise CheckpointError(
            f"'{path}' cannot be read: it is damaged, cut short or something else, such as a pickle. Copy it again "
            "from where it was saved, or make it again with Save ID Embedding."
        ) from error
    metadata = read_header(path)
    _check_header(path, metadata)
    try:
        embedding = _embedding(tensors, metadata)
        face_parts = _face_parts(tensors, metadata) if "face_parts" in metadata else None
    except (AttributeError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"The contents of '{path}' do not fit its header: {quoted(error, 300)}. {_SAVE_AGAIN}"
        ) from error
    return Person(embedding, face_parts, from_metadata(metadata))


def _check_header(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"'{path}' is no file of Save ID Embedding: its header says "
            f"'{quoted(metadata.get('format', 'nothing about its format'))}', not '{FORMAT}'. Choose another file."
        )
    version = metadata.get("version", "")
    if version != str(VERSION):
        raise CheckpointError(
            f"'{path}' has version '{quoted(version)}' of the file format; this pack reads version {VERSION}. "
            "Update the pack, or save the person again with this one."
        )
    for key, found, expected in (
        ("kind", metadata.get("kind"), (KIND,)),
        ("recogniser", metadata.get("recogniser"), (RECOGNISER.name,)),
        ("channel order", metadata.get("channel_order"), CHANNEL_ORDERS),
        ("combine method", metadata.get("combine"), COMBINE_METHODS),
        ("CLIP vision model", metadata.get("clip_vision", CLIP_VISION), (CLIP_VISION,)),
    ):
        if found not in expected:
            raise CheckpointError(
                f"'{path}' was made with the {key} '{quoted(found)}'; ConsistentID needs {' or '.join(expected)}. "
                f"{_SAVE_AGAIN}"
            )


def _embedding(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> IDEmbedding:
    vector = tensors[_ID_EMBEDS]
    if not is_finite(vector):
        raise ValueError("the ID embedding contains values that are not numbers")
    embedding = IDEmbedding(
        vector.clone(),
        metadata["channel_order"],
        metadata["recogniser"],
        photos=_count(metadata["photos"]),
        combine=metadata["combine"],
        source=metadata.get("source", ""),
    )
    longest = float(vector.norm(dim=1).max())
    if longest > _LONGEST_VECTOR:
        raise ValueError(f"the ID embedding has the length {longest:.4g}, more than 1")
    return embedding


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise ValueError(f"'{quoted(text)}' is no number of photos")
    return int(text)


def _described(face_parts: FaceParts) -> dict[str, Any]:
    return {
        "photos": [
            [{"name": part.name, "region": part.region, "quality": part.quality} for part in photo.parts]
            for photo in _stored(face_parts)
        ],
        "strengths": dict(face_parts.strengths),
        "pairing": face_parts.pairing,
        "id_weights": None if face_parts.id_weights is None else list(face_parts.id_weights),
    }


def _tensors(person: Person) -> dict[str, Tensor]:
    """What is saved, by key, as it is."""
    features = {} if person.face_parts is None else _features(person.face_parts)
    return {_ID_EMBEDS: person.embedding.vector, **features}


def _features(face_parts: FaceParts) -> dict[str, Tensor]:
    features = {}
    for i, photo in enumerate(_stored(face_parts)):
        features[f"photo.{i}"] = photo.features
        for part in photo.parts:
            features[f"photo.{i}.{part.region}"] = part.features
    if face_parts.zero_image is not None:
        features[_ZERO_IMAGE] = face_parts.zero_image.features
    return features


def _compact(features: Tensor) -> Tensor:
    half = features.half()
    return (half if half.isfinite().all() else features).contiguous()


def _stored(face_parts: FaceParts) -> list[StoredPhoto]:
    photos = [photo for photo in face_parts.photos if isinstance(photo, StoredPhoto)]
    if len(photos) != len(face_parts.photos):
        raise ValueError("Only stored photos can be written: encode them with CLIP vision before.")
    return photos


def _face_parts(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> FaceParts:
    described = json.loads(metadata["face_parts"])
    zero_image = ZeroImage(_checked(tensors, _ZERO_IMAGE)) if _ZERO_IMAGE in tensors else None
    photos = tuple(
        StoredPhoto(_checked(tensors, f"photo.{i}"), _parts(tensors, f"photo.{i}", parts), zero_image)
        for i, parts in enumerate(described["photos"])
    )
    strengths = {str(region): _number(strength) for region, strength in described["strengths"].items()}
    if not photos or described["pairing"] not in PAIRINGS:
        raise ValueError("the description of the face cannot be used")
    check_strengths(strengths)
    weights = described["id_weights"]
    face_parts = FaceParts(
        photos, strengths, described["pairing"], None if weights is None else tuple(map(_number, weights))
    )
    surplus = [key for key in tensors if key.startswith("photo.") and key not in _features(face_parts)]
    if surplus:
        raise ValueError(f"'{quoted(surplus[0])}' is in the file but not described")
    return face_parts


def _parts(tensors: Mapping[str, Tensor], photo: str, described: Any) -> tuple[StoredPart, ...]:
    parts = tuple(_part(tensors, f"{photo}.{part['region']}", part) for part in described)
    regions = [part.region for part in parts]
    if len(set(regions)) < len(regions):
        raise ValueError(f"'{photo}' has a part twice: {', '.join(regions)}")
    return parts


def _part(tensors: Mapping[str, Tensor], key: str, described: Mapping[str, Any]) -> StoredPart:
    name, region = described["name"], described["region"]
    if region_of_part(name) != region:
        raise ValueError(f"'{quoted(name)}' is no part of the {quoted(region)}")
    return StoredPart(name, region, _checked(tensors, key), _number(described["quality"]))


def _number(value: Any) -> float:
    """A number of the description: finite and at least 0, as all in it are."""
    if not (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf):
        raise ValueError(f"'{quoted(value)}' is no number of at least 0")
    return float(value)


def _checked(tensors: Mapping[str, Tensor], key: str) -> Tensor:
    if tensors[key].dtype not in _FEATURE_TYPES:
        raise ValueError(f"'{quoted(key)}' has the type {tensors[key].dtype}, not float16 or float32")
    features = tensors[key].float()
    if features.shape != FEATURES_SHAPE:
        raise ValueError(f"'{quoted(key)}' has the shape {tuple(features.shape)}, not {FEATURES_SHAPE}")
    if not is_finite(features):
        raise ValueError(f"'{quoted(key)}' contains values that are not numbers")
    return features
