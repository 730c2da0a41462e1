"""The CLIP features that the ID tokens are made from, of one photo or several."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..faces.face_parts import FaceParts
from ..faces.pictures import Features, photos_of_id_tokens
from .id_embedding import MEAN, NORM_MEAN


def person_features(
    face_parts: FaceParts, features: Features, vectors: int = 1, combine: str = MEAN
) -> Tensor:
    """CLIP features for the ID tokens of one person: (1, 257, 1280), or one set per vector or person.

    features: of every photo of :func:`~..faces.pictures.photos_of_id_tokens`.
    vectors, combine: of the ID embedding. See :func:`merge_photos`.
    """
    people = [
        merge_photos(
            torch.stack([features[photo] for photo in photos_of_id_tokens(person)]),
            vectors if person is face_parts else 1,
            [weight for weight in person.id_weights or () if weight],
            combine,
        )
        for person in face_parts.people
    ]
    return torch.cat(people)


def merge_photos(
    features: Tensor,
    vectors: int = 1,
    weights: Sequence[float] | None = None,
    combine: str = MEAN,
) -> Tensor:
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
