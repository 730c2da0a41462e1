"""The photos a set is built from: found in a folder, told apart by content, opened with care."""

import io
import os
import stat
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..faces.clip_pixels import MAX_ASPECT_RATIO
from ..faces.face_parts import MIN_PHOTO_SIDE

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")

#: More pixels than any camera takes; decoded they would fill a worker's memory.
MAX_PIXELS = 120_000_000

_EXIF_ORIENTATION = 0x0112
#: So many files are hashed ahead of the one that is asked for.
_AHEAD = 64


@dataclass(frozen=True)
class Source:
    """A photo's file. name: path below its folder, with ``/``.  size in bytes, time of change in ns."""

    path: str
    name: str
    size: int
    time: int


@dataclass(frozen=True)
class Refusal:
    """Why something is not part of a set.

    reason: one of a few, to be counted.  detail: of this one.
    """

    name: str
    reason: str
    detail: str = ""


class UnusableError(Exception):
    """A photo cannot be used; :attr:`reason` is one of a few, to be counted."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


# Reasons, as reports count them.
BROKEN = "cannot be decoded"
TOO_LARGE = "too many pixels"
TOO_SMALL = "too few pixels"
TOO_LONG = "too long and thin"
NO_PERMISSION = "no permission to read"
GONE = "gone or a broken link"
CHANGED = "changed while the set was built"
NOT_A_PICTURE = "not a picture by its extension"
DUPLICATE = "same content as another file"
NO_FACE = "no face found"
NO_PARTS = "no facial part found"
NO_CAPTION = "no caption in the file of captions"

# Notes of what was done to a photo, as reports count them.
TURNED = "turned upright by its EXIF"
CONVERTED = "converted to RGB"
FIRST_FRAME = "first frame of an animation"
SEVERAL_FACES = "several faces"


def find_sources(folder: Path) -> tuple[list[Source], list[Refusal]]:
    """All photos below a folder, by name; and what else lies there.

    Links to files and folders are followed, each real folder once. Hidden files are passed over.
    """
    found: list[Source] = []
    refused: list[Refusal] = []
    seen: set[str] = set()

    def no_entry(error: OSError) -> None:
        name = os.path.relpath(error.filename or folder, folder)
        refused.append(Refusal(Path(name).as_posix(), NO_PERMISSION, error.strerror or ""))

    for parent, folders, files in os.walk(folder, followlinks=True, onerror=no_entry):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            if not file.startswith("."):
                entry = _entry(Path(parent, file), folder)
                (found if isinstance(entry, Source) else refused).append(entry)  # type: ignore[arg-type]
    return found, refused


def _entry(path: Path, folder: Path) -> Source | Refusal:
    name = path.relative_to(folder).as_posix()
    if path.suffix.lower() not in EXTENSIONS:
        return Refusal(name, NOT_A_PICTURE, path.suffix)
    try:
        status = path.stat()
    except OSError as error:
        return Refusal(
            name, NO_PERMISSION if isinstance(error, PermissionError) else GONE, error.strerror or ""
        )
    if not stat.S_ISREG(status.st_mode):
        return Refusal(name, GONE, "not a file")
    return Source(str(path), name, status.st_size, status.st_mtime_ns)


def hash_sources(sources: Iterable[Source], *, threads: int = 4) -> Iterator[tuple[Source, str | Refusal]]:
    """The content hash of each photo in turn, or why it cannot be read; a few files are read ahead."""
    waiting = iter(sources)
    with ThreadPoolExecutor(threads) as pool:
        ahead = [(source, pool.submit(_hash, source)) for source in islice(waiting, _AHEAD)]
        while ahead:
            source, result = ahead.pop(0)
            ahead += [(more, pool.submit(_hash, more)) for more in islice(waiting, 1)]
            yield source, result.result()


def _hash(source: Source) -> str | Refusal:
    try:
        return content_id(Path(source.path).read_bytes())
    except OSError as error:
        reason = NO_PERMISSION if isinstance(error, PermissionError) else GONE
        return Refusal(source.name, reason, error.strerror or "")


def content_id(data: bytes) -> str:
    """32 hexadecimal digits that name a file's content."""
    return blake2b(data, digest_size=16).hexdigest()


def read_unchanged(path: str, expected_id: str) -> bytes:
    """The bytes of a photo that was hashed before; raises UnusableError if they are others now."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UnusableError(
            NO_PERMISSION if isinstance(error, PermissionError) else GONE, error.strerror or ""
        ) from error
    if content_id(data) != expected_id:
        raise UnusableError(CHANGED, "the next run takes it as it is then")
    return data


def open_photo(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    """A photo as uint8 RGB (H, W, 3), upright, and notes of what that took.

    Raises UnusableError for what cannot be decoded whole, or is no size for a face.
    """
    notes = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a size beyond PIL's own limit is refused below, in our words
            picture = Image.open(io.BytesIO(data))
        width, height = picture.size
        _check_size(width, height)
        if getattr(picture, "n_frames", 1) > 1:
            notes.append(FIRST_FRAME)
        turned = picture.getexif().get(_EXIF_ORIENTATION, 1) not in (0, 1)
        picture.load()
        upright = ImageOps.exif_transpose(picture) if turned else picture
        if turned:
            notes.append(TURNED)
        if upright.mode != "RGB":
            notes.append(CONVERTED)
            upright = _to_rgb(upright)
        return np.asarray(upright), tuple(notes)
    except UnusableError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise UnusableError(TOO_LARGE, str(error)[:200]) from error
    except Exception as error:  # decoders raise almost anything on bytes they do not expect
        raise UnusableError(BROKEN, str(error)[:200]) from error


def _check_size(width: int, height: int) -> None:
    size = f"{width}x{height}"
    if width * height > MAX_PIXELS:
        raise UnusableError(TOO_LARGE, f"{size}, at most {MAX_PIXELS:,}")
    if min(width, height) < MIN_PHOTO_SIDE:
        raise UnusableError(TOO_SMALL, f"{size}, at least {MIN_PHOTO_SIDE} on each side")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise UnusableError(TOO_LONG, size)


def _to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode as RGB; what is transparent becomes white, 16-bit grey keeps its high byte."""
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        grey = (values >> 8 if values.max(initial=0) > 255 else values).clip(0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")
