"""What the file of a saved person says for people to recognise it by: a name, a caption, a small picture.

All three are texts in the header of the safetensors file, where older versions of the pack pass over them and where a
list of files finds them without reading a tensor: ``name``, ``caption``, and ``thumbnail``, a JPEG in
hexadecimal digits.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import CheckpointError
from ..faces.face_parts import FacePhoto
from ..files.quoting import quoted

MAX_NAME = 80
MAX_CAPTION = 4_000
#: The side of a thumbnail in pixels, and the most that one of a file may measure and take.
THUMBNAIL_SIDE = 160
_LARGEST_SIDE = 512
_MAX_THUMBNAIL = 64_000
_QUALITY = 85

#: How much room a thumbnail shows around the parts of a face, as a share of their larger side.
_MARGIN = 0.25


@dataclass(frozen=True)
class Card:
    """name, caption: "" for none.  thumbnail: a JPEG in hexadecimal digits, as it is in the file; "" for none."""

    name: str = ""
    caption: str = ""
    thumbnail: str = ""

    def __post_init__(self) -> None:
        if len(self.name) > MAX_NAME or not self.name.isprintable():
            raise ValueError(
                f"'{quoted(self.name)}' cannot be the name of a person: it takes one line of at most {MAX_NAME} "
                "characters. Shorten it; what describes the person belongs into the caption."
            )
        if len(self.caption) > MAX_CAPTION:
            raise ValueError(
                f"The caption has {len(self.caption):,} characters; a file takes {MAX_CAPTION:,}. Shorten it: a prompt "
                "has room for some 300."
            )


def to_metadata(card: Card) -> dict[str, str]:
    """The texts for the header of a file; none for what there is not."""
    texts = {"name": card.name, "caption": card.caption, "thumbnail": card.thumbnail}
    return {key: text for key, text in texts.items() if text}


def from_metadata(metadata: Mapping[str, str]) -> Card:
    """What a header says, cut to what a card takes: a file that says more is still that person's."""
    name = "".join(letter for letter in metadata.get("name", "")[:MAX_NAME] if letter.isprintable())
    return Card(name, metadata.get("caption", "")[:MAX_CAPTION], metadata.get("thumbnail", ""))


def make_thumbnail(image: np.ndarray, photo: FacePhoto | None = None) -> str:
    """A small square picture of a face, as a file takes it.

    image: uint8 RGB (H, W, 3).  photo: the same with the parts that were found, to show the face alone; the middle of
    the picture otherwise.
    """
    left, top, side = _face_square(photo) if photo and photo.parts else _middle_square(image)
    square = Image.fromarray(image).crop((left, top, left + side, top + side))
    small = square.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return _jpeg(small).hex()


def thumbnail_jpeg(card: Card) -> bytes:
    """The thumbnail of a card, made anew: what else its file may hold is not handed on.

    Raises CheckpointError, saying what is wrong with it in one line, if it is no small JPEG.
    """
    if len(card.thumbnail) > _MAX_THUMBNAIL:
        raise CheckpointError(f"The thumbnail is larger than {_MAX_THUMBNAIL:,} bytes.")
    try:
        data = bytes.fromhex(card.thumbnail)
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            if max(picture.size) > _LARGEST_SIDE:
                raise CheckpointError(f"The thumbnail is larger than {_LARGEST_SIDE} pixels.")
            # Of the pixels alone: comments and colour profiles go along with a picture.
            return _jpeg(Image.fromarray(np.asarray(picture.convert("RGB"))))
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        raise CheckpointError("The thumbnail is damaged.") from None


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


def _middle_square(image: np.ndarray) -> tuple[int, int, int]:
    """Left, top and side."""
    height, width = image.shape[:2]
    side = min(height, width)
    return (width - side) // 2, (height - side) // 2, side


def _face_square(photo: FacePhoto) -> tuple[int, int, int]:
    """The square around all parts and some room, inside the photo: left, top and side."""
    height, width = photo.image.shape[:2]
    edges = []
    for part in photo.parts:
        rows, columns = (np.flatnonzero(part.mask.any(axis=axis)) for axis in (1, 0))
        down, across = height / part.mask.shape[0], width / part.mask.shape[1]
        edges.append((columns[0] * across, rows[0] * down, (columns[-1] + 1) * across, (rows[-1] + 1) * down))
    left, top = np.min(edges, axis=0)[:2]
    right, bottom = np.max(edges, axis=0)[2:]
    side = min(round(max(right - left, bottom - top) * (1 + 2 * _MARGIN)), height, width)
    column, row = round((left + right - side) / 2), round((top + bottom - side) / 2)
    return min(max(column, 0), width - side), min(max(row, 0), height - side), max(1, side)
