"""What makes the parts of a photo poor material: they are of several faces, or too small for CLIP.

Neither is an error: parts of several faces are still parts, and the original says nothing. Both have the same
remedy, a photo cropped around one face.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..regions import CLASSES
from .clip_pixels import CLIP_SIZE
from .face_parts import FacePart, FacePhoto

#: Classes a face has one of, each in one piece.
_ONE_PER_FACE = tuple(
    CLASSES.index(name) for name in ("Left_Eye", "Right_Eye", "Nose", "Upper_Lip", "Lower_Lip")
)

#: Pieces smaller than this, as a part of the class's largest, are noise of the parser.
_LEAST_PIECE = 0.25

#: Pieces smaller than this part of the map show no face that could be used; and no more pieces than this are compared.
_LEAST_AREA = 1 / 40_000
_MOST_PIECES = 100

#: Pieces of one class that are nearer to each other than this many of their sizes are of one face: a strand of hair
#: over a nose parts it, and a face in profile may get two "left" eyes, 3.5 sizes apart.
_APART = 5.0

#: Half a patch of ViT-H/14: of what is smaller, CLIP sees a shade of one patch.
SMALLEST_SEEN = 7.0


@dataclass(frozen=True)
class PartWarnings:
    """What should be said of the parts of one photo.

    faces: how many faces they are of, if more than one; else 0.
    tiny: names of the regions of which CLIP sees next to nothing.
    """

    faces: int = 0
    tiny: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.faces or self.tiny)


def warnings_of(photo: FacePhoto, regions: Collection[str]) -> PartWarnings:
    """What should be said of a photo's parts that belong to the named regions."""
    faces = 0 if photo.label_map is None else count_faces(photo.label_map)
    tiny = tuple(
        part.region
        for part in photo.parts
        if part.region in regions and seen_size(part, photo.image) < SMALLEST_SEEN
    )
    return PartWarnings(faces if faces > 1 else 0, tiny)


def count_faces(label_map: np.ndarray) -> int:
    """How many faces the parts of a label map belong to: as many as two kinds of parts agree on.

    label_map: uint8 class ids (h, w).  Returns 0 if it shows none of these parts.
    """
    counts = sorted((_pieces_apart(label_map == class_id) for class_id in _ONE_PER_FACE), reverse=True)
    return max(counts[1], min(counts[0], 1))


def seen_size(part: FacePart, image: np.ndarray) -> float:
    """The longer side of a part in the square that CLIP sees of its photo, in CLIP's pixels, 0..224.

    image: (H, W, 3).
    """
    height, width = image.shape[:2]
    square = min(height, width)
    sides = []
    for axis, side in ((1, height), (0, width)):
        places = np.flatnonzero(part.mask.any(axis=axis))
        if not len(places):
            return 0.0
        scale = side / part.mask.shape[1 - axis]
        start = (side - square) / 2
        first, last = max(places[0] * scale, start), min((places[-1] + 1) * scale, start + square)
        if last <= first:
            return 0.0
        sides.append((last - first) * CLIP_SIZE / square)
    return max(sides)


def _pieces_apart(mask: np.ndarray) -> int:
    """The pieces of a mask that lie far from each other."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return count
    areas = np.bincount(pieces.ravel())[1:]
    largest = np.argsort(-areas, kind="stable")[:_MOST_PIECES]
    kept = largest[areas[largest] >= max(_LEAST_PIECE * areas.max(), _LEAST_AREA * mask.size)] + 1
    if not len(kept):
        return 0
    centres = np.array(ndimage.center_of_mass(mask, pieces, kept))
    reach = _APART * np.sqrt(areas[kept - 1])
    # Joined as long as one leads to the next.
    groups = np.arange(len(kept))
    for one in range(len(kept)):
        distances = np.linalg.norm(centres - centres[one], axis=1)
        near = distances < np.maximum(reach, reach[one])
        groups[np.isin(groups, groups[near])] = groups[one]
    return len(np.unique(groups))
