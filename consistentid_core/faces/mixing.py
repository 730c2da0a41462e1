"""A face put together from several people's photos, or from the best of several photos.

Nothing is cut or pasted: a part is a picture of its own for the facial encoder, so a mixed
face is a choice of parts, and the prompt's words carry them as before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..checks import are_shares
from ..errors import NoFaceError
from ..regions import REGION_NAMES, region_named
from ..text.pairing import AS_MODE, Pairing
from .face_parts import AnyPhoto, FaceParts, with_regions
from .part_quality import quality_of

#: Strength of a part in its word's row: nothing, as trained, exaggerated.
MIN_STRENGTH, MAX_STRENGTH = 0.0, 2.0


def mix_parts(
    base: FaceParts,
    sources: Mapping[str, FaceParts],
    *,
    strengths: Mapping[str, float] | None = None,
    pairing: Pairing = AS_MODE,
    id_weight: float = 1.0,
    id_weights: Mapping[str, float] | None = None,
) -> FaceParts:
    """Replace regions of a face by those of other photos.

    base: the face the other regions are from.
    sources: by region, the photos to take it from; of several that show it, the features are averaged.
    strengths: by region, 0..2, multiplied with the strengths that ``base`` and ``sources`` have already.
    pairing: "as the mode says" leaves the base's.
    id_weight, id_weights: how much the photos of ``base``, and those of ``sources`` by region, count in
    the CLIP features of the ID tokens; several photos of one input share its weight.
    Raises NoFaceError for a source that does not show its region, ValueError for a strength or weight out of
    range, or if several people are given.
    """
    strengths, id_weights = dict(strengths or {}), dict(id_weights or {})
    require_one_person(base, *sources.values())
    check_strengths(strengths)
    _check_weights(id_weight, id_weights, sources)
    for region, source in sources.items():
        _require_region(region, source)

    regions_of: dict[FaceParts, list[str]] = {base: [name for name in REGION_NAMES if name not in sources]}
    weight_of: dict[FaceParts, float] = {base: id_weight}
    for region, source in sources.items():
        regions_of.setdefault(source, []).append(region)
        weight_of[source] = weight_of.get(source, 0.0) + id_weights.get(region, 0.0)

    photos: list[AnyPhoto] = []
    weights: list[float] = []
    for source, regions in regions_of.items():
        for photo, weight in zip(source.photos, _shares(source, weight_of[source]), strict=True):
            photo = with_regions(photo, regions)
            if photo.parts or weight:
                photos.append(photo)
                weights.append(weight)
    mixed_strengths = {
        region: strengths.get(region, 1.0) * source.strength(region)
        for source, regions in regions_of.items()
        for region in regions
    }
    return FaceParts(
        tuple(photos),
        {region: strength for region, strength in mixed_strengths.items() if strength != 1.0},
        base.pairing if pairing == AS_MODE else pairing,
        None if base.id_weights is None and len(set(weights)) == 1 else tuple(weights),
    )


def best_parts(people: Sequence[FaceParts], keep: int = 1) -> FaceParts:
    """Of each region only the best pictures, from all photos of one person.

    people: parsed photos of the same person; strengths and pairing are those of the first.
    keep: how many pictures of each region to keep; their features are averaged.
    The ID tokens are made from all photos, whatever parts they give.  What is best: :mod:`.part_quality`.
    """
    if keep < 1:
        raise ValueError(f"Of each part at least one picture must be kept, not {keep}.")
    pooled = pool(people)
    ranked: dict[str, list[tuple[float, int]]] = {}
    for number, photo in enumerate(pooled.photos):
        for part, quality in quality_of(photo):
            ranked.setdefault(part.region, []).append((-quality, number))
    kept = {(region, number) for region, rows in ranked.items() for _, number in sorted(rows)[:keep]}
    photos = tuple(
        with_regions(photo, [region for region in REGION_NAMES if (region, number) in kept])
        for number, photo in enumerate(pooled.photos)
    )
    return replace(pooled, photos=photos)


def pool(people: Sequence[FaceParts]) -> FaceParts:
    """All photos of several inputs as one person; strengths and pairing are those of the first.

    Raises ValueError if an input is of several people.
    """
    require_one_person(*people)
    first = people[0]
    if len(people) == 1:
        return first
    photos = tuple(photo for one in people for photo in one.photos)
    weights = None
    if any(one.id_weights is not None for one in people):
        weights = tuple(share for one in people for share in _shares(one, float(len(one.photos))))
    return FaceParts(photos, first.strengths, first.pairing, weights)


def require_one_person(*faces: FaceParts) -> None:
    """Raises ValueError if several people, one per latent, are given where one face is needed."""
    for face_parts in faces:
        if len(face_parts.people) > 1:
            raise ValueError(
                f"These face parts are of {len(face_parts.people)} people, one per latent, but here they must be of "
                "one person. Choose 'one person' for the batch where they come from, or take single photos out of it."
            )


def _shares(face_parts: FaceParts, weight: float) -> list[float]:
    """A weight shared out among photos, in the proportions they have already."""
    own = face_parts.id_weights or (1.0,) * len(face_parts.photos)
    return [weight * share / sum(own) for share in own]


def _require_region(region: str, source: FaceParts) -> None:
    region_named(region)
    shown = source.regions()
    if region not in shown:
        count = len(source.photos)
        photos = "The photo" if count == 1 else f"None of the {count} photos"
        verb = "shows no" if count == 1 else "shows"
        raise NoFaceError(
            f"{photos} connected to '{region}' {verb} {region_named(region).word}, only: "
            f"{', '.join(shown) or 'nothing'}. Switch that part on in Parse Face, or take it from another photo."
        )


def check_strengths(strengths: Mapping[str, float]) -> None:
    """Raises ValueError for a strength, by region, that is no number or out of range."""
    for region, strength in strengths.items():
        region_named(region)
        if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
            raise ValueError(
                f"The strength of '{region}' is {strength:g}; it must be between {MIN_STRENGTH:g} and {MAX_STRENGTH:g}."
            )


def _check_weights(base: float, weights: Mapping[str, float], sources: Mapping[str, FaceParts]) -> None:
    unused = [region for region, weight in weights.items() if weight and region not in sources]
    if unused:
        raise ValueError(
            f"The ID tokens are to be taken from the photo of '{unused[0]}', but none is connected there. "
            f"Connect one, or set id_from_{unused[0]} to 0."
        )
    if not are_shares((base, *weights.values())):
        raise ValueError(
            "The ID tokens need a photo: every ID weight must be at least 0, and one of them above 0."
        )
