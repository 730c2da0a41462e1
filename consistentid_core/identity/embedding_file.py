"""A person in a file: ID embedding, and CLIP features of photos and facial parts.

A safetensors file, readable by that library alone. With the features it replaces the photo, the
face recogniser and CLIP vision at generation time; the vectors and features fit SD1.5 and SDXL alike.

Metadata: ``format``, ``version``, ``kind``; of the embedding ``recogniser``, ``channel_order``,
``combine``, ``photos``, ``source``; with features also ``clip_vision`` (hidden size, layers, patch
size) and ``face_parts``, JSON with the parts of each photo and how they are to be used.
Tensors: ``id_embeds`` (k, 512) float32; ``photo.<i>`` and ``photo.<i>.<region>`` (257, 1280)
float16, which moves the ID tokens by less than 1e-4 of their length (float32 if a value is too large);
``zero_image`` likewise, which the first files did not have: with those, CLIP vision is still needed.
"""

import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import CheckpointError
from ..faces.face_parts import FaceParts, StoredPart, StoredPhoto, ZeroImage
from ..faces.mixing import check_strengths
from ..files.catalogue import RECOGNISER
from ..files.weights_file import read_weights
from ..regions import region_of_part
from ..text.pairing import PAIRINGS
from .id_embedding import CHANNEL_ORDERS, COMBINE_METHODS, IDEmbedding

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

_SAVE_AGAIN = "Make the file again with Save ID Embedding."


@dataclass(frozen=True, eq=False)
class Person:
    """What a file holds. face_parts: of stored photos; None if only the ID embedding was saved."""

    embedding: IDEmbedding
    face_parts: FaceParts | None = None


def to_bytes(person: Person) -> bytes:
    """The contents of a file.

    Raises ValueError for several people, or if a photo of ``face_parts`` is not a stored one, TypeError for none
    of our types.
    """
    embedding = person.embedding
    if embedding.people > 1:
        raise ValueError(
            f"This ID embedding is of {embedding.people} people, one per latent, but a file holds one. Save each "
            "on its own; Load ID Embedding can give a folder of them as a batch."
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
    }
    tensors = {_ID_EMBEDS: embedding.vector.contiguous()}
    if person.face_parts is not None:
        metadata["clip_vision"] = CLIP_VISION
        metadata["face_parts"] = json.dumps(_described(person.face_parts), ensure_ascii=False)
        for key, features in _features(person.face_parts).items():
            tensors[key] = _compact(features)
    return save(tensors, metadata)


def write_numbered(
    data: bytes,
    folder: Path,
    name: str,
    number: int = 1,
    *,
    is_taken: Callable[[str], bool] = lambda file: False,
) -> Path:
    """Write ``<name>_<number>_.safetensors`` in one step: a reader finds all of it or nothing.

    number: where to start; an existing file is never replaced, the next free number is taken.
    is_taken: whether a file name cannot be used for another reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}_{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        while True:
            path = folder / f"{name}_{number:05}_{EXTENSION}"
            if not is_taken(path.name) and _publish(temporary, path):
                return path
            number += 1
    finally:
        temporary.unlink(missing_ok=True)


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
        tensors: dict[str, Tensor] = read_weights(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"'{path}' cannot be read: it is damaged, cut short or something else, such as a pickle. Copy it again "
            "from where it was saved, or make it again with Save ID Embedding."
        ) from error
    with safe_open(path, framework="pt") as file:
        metadata: dict[str, str] = file.metadata() or {}
    _check_header(path, metadata)
    try:
        embedding = _embedding(tensors, metadata)
        face_parts = _face_parts(tensors, metadata) if "face_parts" in metadata else None
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"The contents of '{path}' do not fit its header: {error}. {_SAVE_AGAIN}"
        ) from error
    return Person(embedding, face_parts)


def _check_header(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"'{path}' is no file of Save ID Embedding: its header says "
            f"{metadata.get('format', 'nothing about its format')!r}, not {FORMAT!r}. Choose another file."
        )
    version = metadata.get("version", "")
    if version != str(VERSION):
        raise CheckpointError(
            f"'{path}' has version '{version}' of the file format; this pack reads version {VERSION}. "
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
                f"'{path}' was made with the {key} '{found}'; ConsistentID needs {' or '.join(expected)}. {_SAVE_AGAIN}"
            )


def _embedding(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> IDEmbedding:
    vector = tensors[_ID_EMBEDS]
    if not vector.isfinite().all():
        raise ValueError("the ID embedding contains values that are not numbers")
    return IDEmbedding(
        vector.clone(),
        metadata["channel_order"],
        metadata["recogniser"],
        photos=int(metadata["photos"]),
        combine=metadata["combine"],
        source=metadata.get("source", ""),
    )


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
        StoredPhoto(
            _checked(tensors, f"photo.{i}"),
            tuple(_part(tensors, f"photo.{i}.{part['region']}", part) for part in parts),
            zero_image,
        )
        for i, parts in enumerate(described["photos"])
    )
    strengths = {str(region): float(strength) for region, strength in described["strengths"].items()}
    if not photos or described["pairing"] not in PAIRINGS:
        raise ValueError("the description of the face cannot be used")
    check_strengths(strengths)
    weights = described["id_weights"]
    return FaceParts(
        photos, strengths, described["pairing"], None if weights is None else tuple(map(float, weights))
    )


def _part(tensors: Mapping[str, Tensor], key: str, described: Mapping[str, Any]) -> StoredPart:
    name, region = described["name"], described["region"]
    if region_of_part(name) != region:
        raise ValueError(f"'{name}' is no part of the {region}")
    return StoredPart(name, region, _checked(tensors, key), float(described["quality"]))


def _checked(tensors: Mapping[str, Tensor], key: str) -> Tensor:
    features = tensors[key].float()
    if features.shape != FEATURES_SHAPE:
        raise ValueError(f"'{key}' has the shape {tuple(features.shape)}, not {FEATURES_SHAPE}")
    if not features.isfinite().all():
        raise ValueError(f"'{key}' contains values that are not numbers")
    return features


def _publish(temporary: Path, path: Path) -> bool:
    """Give a finished file its name; False if the name is taken."""
    try:
        os.link(temporary, path)  # unlike a move, this cannot replace a file
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        os.replace(temporary, path)
    return True
