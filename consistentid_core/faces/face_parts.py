"""The facial parts of photos: what the face parser found and the user chose.

One :class:`FaceParts` describes one person, or one for each picture of a batch. Crops are made when asked for, because
a crop is as large as its photo. Of a photo that was saved and loaded again only the CLIP
features are left (:class:`StoredPhoto`), which is all that generation needs.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from ..checks import are_shares
from ..regions import CLASSES, REGION_NAMES, REGIONS, PairMode, classes_present, filled_mask, region_named
from ..text.pairing import AS_MODE, Pairing
from .crops import crop_part

#: With fewer pixels on the shorter side there is no face to be told apart.
MIN_PHOTO_SIDE = 32


@dataclass(frozen=True, eq=False)
class FacePart:
    """One part of a face.

    It belongs to one photo: what is derived from both may be kept with the part.

    name: ``Face``, ``Left_Eye`` ...; ``Eyes``, ``Ears``, ``Lips`` for both of a pair.
    region: name of its :class:`~..regions.Region`.
    mask: uint8 (h, w), 0 or 255, at the size of the label map; stretched over the photo.
    """

    name: str
    region: str
    mask: np.ndarray

    @property
    def area(self) -> float:
        """The share of the picture it covers, 0..1."""
        return float(np.count_nonzero(self.mask) / self.mask.size)


@dataclass(frozen=True, eq=False)
class FacePhoto:
    """A photo with its facial parts.

    image: uint8 RGB (H, W, 3).  parts: in crop order, at most one per region.
    label_map: uint8 class ids (h, w), or None if the masks came from elsewhere.
    """

    image: np.ndarray
    parts: tuple[FacePart, ...]
    label_map: np.ndarray | None = None

    def crop(self, part: FacePart) -> np.ndarray:
        """The photo with everything but the part in black, uint8 (H, W, 3) (SPEC 2.5)."""
        return crop_part(self.image, part.mask)


@dataclass(frozen=True, eq=False)
class StoredPart:
    """A part of a face of which only the CLIP features are left.

    name, region: as of a :class:`FacePart`.
    features: (257, 1280) float32 on the CPU.
    quality: what :func:`~.part_quality.part_quality` said of it when there was a photo.
    """

    name: str
    region: str
    features: Tensor
    quality: float = 0.0


@dataclass(frozen=True, eq=False)
class ZeroImage:
    """What CLIP vision makes of no picture. Compared by identity: what is derived from it may be kept with it.

    features: (257, 1280) float32 on the CPU, a constant of the CLIP vision model (SPEC 4).
    """

    features: Tensor


@dataclass(frozen=True, eq=False)
class StoredPhoto:
    """A photo of which only the CLIP features are left.

    features: of the whole photo, (257, 1280) float32 on the CPU.  parts: as of a :class:`FacePhoto`.
    zero_image: of the model that made them; None in files that lack it.
    """

    features: Tensor
    parts: tuple[StoredPart, ...]
    zero_image: ZeroImage | None = None


AnyPart = FacePart | StoredPart
AnyPhoto = FacePhoto | StoredPhoto


@dataclass(frozen=True, eq=False)
class FaceParts:
    """One or more photos of one person. Compared by identity: what is derived from it may be kept with it.

    photos: if several show a region, their CLIP features of it are averaged; see ``members`` for the exception.
    strengths: by region, how far the row of its word is moved from plain (0) to fused (1) and beyond; 1 if absent.
    pairing: which part goes to which word.
    id_weights: how much each photo counts in the CLIP features of the ID tokens, 0 and above; None: all alike.
    members: people of their own instead of one, the first for the first picture of a batch, and so on; their
    photos together are ``photos``. Made by :func:`one_each`.
    """

    photos: tuple[AnyPhoto, ...]
    strengths: Mapping[str, float] = field(default_factory=dict)
    pairing: Pairing = AS_MODE
    id_weights: tuple[float, ...] | None = None
    members: tuple["FaceParts", ...] = ()

    def __post_init__(self) -> None:
        weights = self.id_weights
        if weights is not None and not (len(weights) == len(self.photos) and are_shares(weights)):
            raise ValueError(
                f"ID weights {weights} do not fit {len(self.photos)} photos: give one of at least 0 for each, "
                "and more than 0 to one of them."
            )

    @property
    def people(self) -> tuple["FaceParts", ...]:
        """The people, in the order of the pictures they belong to."""
        return self.members or (self,)

    @property
    def is_stored(self) -> bool:
        """True if no picture is left of any photo."""
        return all(isinstance(photo, StoredPhoto) for photo in self.photos)

    @property
    def zero_image(self) -> ZeroImage | None:
        """The zero image of the first stored photo that brings one along: they are all alike."""
        stored = (photo for photo in self.photos if isinstance(photo, StoredPhoto))
        return next((photo.zero_image for photo in stored if photo.zero_image is not None), None)

    def strength(self, region: str) -> float:
        """How strongly the part of a region is fused into its word."""
        return self.strengths.get(region, 1.0)

    def parts(self) -> Iterator[tuple[AnyPhoto, AnyPart]]:
        """Every part with the photo it is from, photo by photo."""
        for photo in self.photos:
            for part in photo.parts:
                yield photo, part

    def pictured_parts(self) -> Iterator[tuple[FacePhoto, FacePart]]:
        """Every part whose photo is still there."""
        for photo in self.photos:
            if isinstance(photo, FacePhoto):
                for part in photo.parts:
                    yield photo, part

    def regions(self) -> tuple[str, ...]:
        """The regions that any photo shows, in crop order."""
        shown = {part.region for _, part in self.parts()}
        return tuple(name for name in REGION_NAMES if name in shown)


def one_each(people: Sequence[FaceParts]) -> FaceParts:
    """One person for each picture of a batch; a single one is one person as usual."""
    members = tuple(member for one in people for member in one.people)
    if len(members) == 1:
        return members[0]
    return FaceParts(tuple(photo for one in members for photo in one.photos), members=members)


def find_parts(label_map: np.ndarray, *, pair: PairMode = "original") -> tuple[FacePart, ...]:
    """The facial parts in a label map, in crop order, at most one per region.

    label_map: uint8 class ids (h, w); values that are no class are ignored.
    pair: ``original`` keeps the first of two eyes, ears or lips (left, upper); ``both`` unites them.
    Raises ValueError if the label map is not uint8 (h, w).  Source: SPEC 2.4.
    """
    if label_map.ndim != 2 or label_map.dtype != np.uint8:
        raise ValueError(f"A label map is uint8 (height, width); found {label_map.dtype} {label_map.shape}.")
    present = classes_present(label_map)
    parts = []
    for region in REGIONS:
        ids = [class_id for class_id in region.class_ids if class_id in present]
        if not ids:
            continue
        if pair == "original":
            ids = ids[:1]
        mask = np.logical_or.reduce([filled_mask(label_map == class_id) for class_id in ids])
        name = CLASSES[ids[0]] if len(ids) == 1 else region.united
        parts.append(FacePart(name, region.name, _to_uint8(mask)))
    return tuple(parts)


def parts_from_masks(masks: Mapping[str, np.ndarray]) -> tuple[FacePart, ...]:
    """Facial parts from one mask per region, in crop order; empty masks give no part.

    masks: bool (h, w) by region name, any size each. Holes are closed, as in :func:`find_parts`.
    """
    for name in masks:
        region_named(name)
    return tuple(
        FacePart(region.united, region.name, _to_uint8(filled_mask(masks[region.name])))
        for region in REGIONS
        if region.name in masks and masks[region.name].any()
    )


def twin_mask(part: FacePart, label_map: np.ndarray | None) -> np.ndarray | None:
    """What :func:`find_parts` left out of a pair: the other eye, ear or lip; None if there is none.

    part: of the photo with this label map.  Returns uint8 (h, w), 0 or 255.
    """
    if label_map is None or part.name not in CLASSES:
        return None
    others = [class_id for class_id in region_named(part.region).class_ids if CLASSES[class_id] != part.name]
    masks = [filled_mask(label_map == class_id) for class_id in others]
    both = np.logical_or.reduce(masks) if masks else np.zeros_like(label_map, bool)
    return _to_uint8(both) if both.any() else None


def choose_parts(parts: Collection[FacePart], regions: Collection[str]) -> tuple[FacePart, ...]:
    """The parts that belong to the named regions."""
    for name in regions:
        region_named(name)
    return tuple(part for part in parts if part.region in regions)


def with_regions(photo: AnyPhoto, regions: Collection[str]) -> AnyPhoto:
    """The photo with its parts of these regions alone; the very photo if these are all it has."""
    if all(part.region in regions for part in photo.parts):
        return photo
    if isinstance(photo, StoredPhoto):
        return replace(photo, parts=tuple(part for part in photo.parts if part.region in regions))
    return replace(photo, parts=choose_parts(photo.parts, regions))


def replace_parts(parts: Collection[FacePart], others: Collection[FacePart]) -> tuple[FacePart, ...]:
    """``parts`` with those of ``others`` put in place of the same region's, in crop order."""
    by_region = {part.region: part for part in (*parts, *others)}
    return tuple(by_region[name] for name in REGION_NAMES if name in by_region)


def _to_uint8(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, np.uint8(255), np.uint8(0))
