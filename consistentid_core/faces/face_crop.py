"""Where a photo is cut around a face, and the mask that hides the seam when the cut-out is pasted back.

Nothing is ever added around a photo: near its edge the box is moved inside, and where the photo ends on both
sides the box is smaller than the margin asks for. So every pixel of a cut-out is one of the photo, and pasting it
back needs no more than the box.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

#: A face's longer side as a part of the photo's shorter one, which CLIP sees as 224 pixels. Below this it has fewer
#: than 45 of them, an eye fewer than the 14 of one patch of ViT-H/14.
SMALL_FACE_SHARE = 0.2

#: A smaller face has too few pixels to tell whose it is: recognition looks at 112, of which this fills a seventh.
MIN_FACE_SIDE = 16

#: VAEs and the latents of a second pass count in these.
_STEP = 8

#: How much of a cut-out's side the soft edge of its mask takes.
_SEAM = 0.125

#: Left, top, right, bottom in pixels; may lie outside the photo.
FaceBox = tuple[float, float, float, float]


class Box(NamedTuple):
    """A rectangle inside a photo, in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column behind it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.y + self.height

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.x <= x < self.right and self.y <= y < self.bottom


@dataclass(frozen=True)
class CropPlan:
    """What is cut out of the photos of a batch.

    boxes: one for each photo.  is_whole: of each, whether the photo is taken as it is.
    width, height: of every cut-out, to which smaller boxes are enlarged.
    """

    boxes: tuple[Box, ...]
    is_whole: tuple[bool, ...]
    width: int
    height: int


def face_side(face: FaceBox, width: int, height: int) -> float:
    """The longer side of a face in pixels, as far as it lies inside a photo of this size."""
    left, top, right, bottom = _inside(face, width, height)
    return max(right - left, bottom - top)


def face_share(face: FaceBox, width: int, height: int) -> float:
    """The longer side of a face as a part of the photo's shorter side, above 0."""
    return face_side(face, width, height) / min(width, height)


def plan_crops(
    faces: Sequence[FaceBox | None],
    width: int,
    height: int,
    *,
    margin: float,
    square: bool,
    smallest: int = 0,
    below_share: float = 0.0,
    below_pixels: int = 0,
) -> CropPlan:
    """Decide where a batch of photos is cut.

    faces: the face of each photo; None: this photo is taken as it is.
    width, height: of every photo.
    margin: what is added around a face on each side, as a part of the face's longer side.
    square: whether the cut-outs are, or have the photo's shape.
    smallest: the least shorter side of a cut-out, in pixels; smaller ones are enlarged. 0: none is.
    below_share, below_pixels: a photo is cut only if its face is smaller than one of these, a
    :func:`face_share` or :func:`face_side`; 0 leaves a limit out, and without limits every photo is cut.
    If any photo is taken as it is, the cut-outs of the others have its shape and size.
    """
    whole = Box(0, 0, width, height)
    is_whole = tuple(
        face is None or not _is_small(face, width, height, below_share, below_pixels) for face in faces
    )
    boxes = tuple(
        whole
        if as_is or face is None
        else crop_box(face, width, height, margin, square and not any(is_whole))
        for face, as_is in zip(faces, is_whole, strict=True)
    )
    size = (width, height) if any(is_whole) else _common_size(boxes, smallest)
    return CropPlan(boxes, is_whole, *size)


def crop_box(face: FaceBox, width: int, height: int, margin: float, square: bool) -> Box:
    """The box around a face in a photo; arguments as of :func:`plan_crops`."""
    left, top, right, bottom = _inside(face, width, height)
    across, down = right - left, bottom - top
    around = 2 * margin * max(across, down)
    if square:
        side = _whole_steps(max(across, down) + around, min(width, height))
        box_width, box_height = side, side
    else:
        scale = min(1.0, max((across + around) / width, (down + around) / height))
        box_width, box_height = _whole_steps(scale * width, width), _whole_steps(scale * height, height)
    x = round((left + right - box_width) / 2)
    y = round((top + bottom - box_height) / 2)
    return Box(min(max(x, 0), width - box_width), min(max(y, 0), height - box_height), box_width, box_height)


def seam_mask(box: Box, photo: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """1 inside a cut-out, falling to 0 towards its edges; where the photo itself ends there is no seam to hide.

    photo, size: width and height of the photo and of the mask, which is stretched over the box.
    Returns float32 (height, width), [0, 1].
    """
    rows = _ramp(size[1], box.y > 0, box.bottom < photo[1])
    columns = _ramp(size[0], box.x > 0, box.right < photo[0])
    return rows[:, None] * columns[None, :]


def _ramp(length: int, fades_in: bool, fades_out: bool) -> np.ndarray:
    """(length) float32: 1, falling in a smooth step to 0 at the ends that fade."""
    places = (np.arange(length, dtype=np.float32) + 0.5) / max(_SEAM * length, 1.0)
    rising = np.clip(places, 0.0, 1.0)
    rising = rising * rising * (3.0 - 2.0 * rising)
    ramp = np.ones(length, np.float32)
    if fades_in:
        ramp *= rising
    if fades_out:
        ramp *= rising[::-1]
    return ramp


def _is_small(face: FaceBox, width: int, height: int, below_share: float, below_pixels: int) -> bool:
    if not below_share and not below_pixels:
        return True
    return face_share(face, width, height) < below_share or face_side(face, width, height) < below_pixels


def _inside(face: FaceBox, width: int, height: int) -> FaceBox:
    """The part of a face's box that lies inside the photo; at least a pixel, for a box that lies outside."""
    left, top = min(max(face[0], 0.0), width - 1.0), min(max(face[1], 0.0), height - 1.0)
    right, bottom = max(min(face[2], float(width)), left + 1.0), max(min(face[3], float(height)), top + 1.0)
    return left, top, right, bottom


def _whole_steps(side: float, most: int) -> int:
    """A side rounded up to the step of the latents, as far as the photo reaches."""
    rounded = _STEP * math.ceil(side / _STEP)
    if rounded < most:
        return rounded
    # The whole photo stays whole; less than it is cut in steps.
    return most if side >= most or most < _STEP else most // _STEP * _STEP


def _common_size(boxes: Sequence[Box], smallest: int) -> tuple[int, int]:
    """Width and height of all cut-outs: those of the largest box, or larger."""
    largest = max(boxes, key=lambda box: box.width * box.height)
    short = min(largest.width, largest.height)
    if short >= smallest:
        return largest.width, largest.height
    scale = smallest / short
    return tuple(_STEP * math.ceil(round(scale * side, 6) / _STEP) for side in largest[2:])  # type: ignore[return-value]
