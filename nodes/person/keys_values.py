"""What photos and ID embedding together say about a person: the keys and values of the ID tokens."""

import torch

from ...consistentid_core.faces.clip_pixels import clip_pixel_values
from ...consistentid_core.faces.face_parts import FaceParts
from ...consistentid_core.identity.id_embedding import MEAN, IDEmbedding
from ...consistentid_core.identity.photo_features import merge_photos, person_features
from ..host.pictures import to_pictures
from ..models.consistentid import ConsistentIDModel, KeysValues
from .clip_features import check_is_connected, encode_pixels, zero_image
from .facial_features import features_of


def keys_values_of(
    consistentid: ConsistentIDModel,
    clip_vision,
    id_embed: IDEmbedding,
    image: torch.Tensor | None,
    face_parts: FaceParts | None,
) -> KeysValues:
    """What the ID tokens of the person add to every cross-attention layer; or of a person for each latent.

    Raises ValueError without a photo, or if several people do not have one each.
    """
    features = _features_for(id_embed, clip_vision, image, face_parts)
    return consistentid.keys_values(id_embed.vector, features, id_embed.people)


def identity_and_nobody(
    consistentid: ConsistentIDModel,
    clip_vision,
    id_embed: IDEmbedding,
    image: torch.Tensor | None,
    face_parts: FaceParts | None,
) -> tuple[KeysValues, KeysValues]:
    """:func:`keys_values_of` the person, and those of nobody, which the negative reads.

    CLIP vision is done before the ID networks move to their device, and these move there and back once.
    """
    features = _features_for(id_embed, clip_vision, image, face_parts)
    nothing = zero_image(clip_vision, face_parts)
    with consistentid.id_networks():
        identity = consistentid.keys_values(id_embed.vector, features, id_embed.people)
        return identity, consistentid.no_identity_keys_values(nothing)


def _features_for(
    id_embed: IDEmbedding, clip_vision, image: torch.Tensor | None, face_parts: FaceParts | None
) -> torch.Tensor:
    _require_same_people(id_embed.people, image, face_parts)
    return features_of_person(clip_vision, image, face_parts, len(id_embed.vector), id_embed.combine)


def _require_same_people(people: int, image: torch.Tensor | None, face_parts: FaceParts | None) -> None:
    """Raise ValueError if the photos, where there are any, are not of as many people as the ID embedding."""
    if image is not None:
        shown = len(image) if people > 1 else 1  # several photos are of one person too
    else:
        shown = people if face_parts is None else len(face_parts.people)
    if shown != people:
        raise ValueError(
            f"The ID embedding is of {_counted(people)}, the photos are of {_counted(shown)}. For a person for each "
            "latent choose 'one per latent' both in ID Embedding and for the face parts, and give both the same photos."
        )


def _counted(people: int) -> str:
    return "one person" if people == 1 else f"{people} people"


def features_of_person(
    clip_vision,
    image: torch.Tensor | None,
    face_parts: FaceParts | None,
    vectors: int = 1,
    combine: str = MEAN,
) -> torch.Tensor:
    """CLIP features of the photos that show the person: (1, 257, 1280), or one set per vector or person.

    clip_vision: None for people from files, who need none.
    vectors, combine: of the ID embedding; as many photos as vectors stay apart, others are averaged in its way.
    Raises ValueError if there is no photo, or none of the CLIP vision model that has to see it.
    """
    check_is_connected(clip_vision, image, face_parts)
    if image is not None:
        encoded = encode_pixels(clip_vision, clip_pixel_values(to_pictures(image)))
        return merge_photos(encoded, vectors, combine=combine)
    if face_parts is not None:
        return person_features(face_parts, features_of(clip_vision, face_parts), vectors, combine)
    raise ValueError(
        "There is no photo of the person: connect image (the photo itself) or face_parts (from Parse Face)."
    )
