"""How good a picture of a facial part is: large and sharp.

Measured in the very picture CLIP sees, 224 pixels square: what lies outside it or is lost by
shrinking to it cannot help. Quality is the part's area in pixels times the variance of the
Laplacian inside it, the common measure of focus (Pech-Pacheco et al., ICPR 2000). It compares
pictures of the same part with each other and says nothing on its own. Strong noise counts as
sharp, since the Laplacian cannot tell it from detail.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from .clip_pixels import centre_square
from .crops import fit_mask
from .face_parts import AnyPart, AnyPhoto, FacePart, FacePhoto, StoredPart

#: Share of red, green and blue in brightness (ITU-R BT.601).
_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)


def quality_of(photo: AnyPhoto) -> Iterator[tuple[AnyPart, float]]:
    """Every part of a photo with its quality; 0 for a part that CLIP does not see."""
    detail = None
    for part in photo.parts:
        if isinstance(part, StoredPart):
            yield part, part.quality
            continue
        assert isinstance(photo, FacePhoto)
        if detail is None:
            detail = _laplacian(photo.image)
        yield part, _quality(detail, photo, part)


def part_quality(photo: FacePhoto, part: FacePart) -> float:
    """The quality of one part: area in pixels of 1/255 brightness squared."""
    return _quality(_laplacian(photo.image), photo, part)


def _quality(detail: np.ndarray, photo: FacePhoto, part: FacePart) -> float:
    mask = fit_mask(part.mask, photo.image)
    inside = centre_square(np.repeat(mask[:, :, None], 3, axis=2))[:, :, 0] >= 128
    area = int(inside.sum())
    return area * float(detail[inside].var()) if area else 0.0


def _laplacian(image: np.ndarray) -> np.ndarray:
    """Of the brightness of the picture CLIP sees, float32 (224, 224)."""
    return ndimage.laplace(centre_square(image).astype(np.float32) @ _BRIGHTNESS)
