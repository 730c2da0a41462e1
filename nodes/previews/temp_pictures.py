"""Small pictures in ComfyUI's temporary folder, for the interface to show."""

import io
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
from PIL import Image

from ...consistentid_core.files.atomic import write_whole

MAX_SIDE = 768
MAX_PICTURE_BYTES = 110_000

_JPEG_QUALITIES = (88, 75, 60, 45, 30, 15, 5)
_SUBFOLDER = "consistentid"


def shrunk(picture: np.ndarray) -> np.ndarray:
    """The picture with its longer side at most MAX_SIDE.  picture: uint8 (H, W, 3)."""
    height, width = picture.shape[:2]
    factor = MAX_SIDE / max(height, width)
    if factor >= 1:
        return picture
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def jpeg(picture: np.ndarray) -> bytes:
    """As good as MAX_PICTURE_BYTES allows.  picture: uint8 (H, W, 3)."""
    data = b""
    for quality in _JPEG_QUALITIES:
        data = encoded(Image.fromarray(picture), "JPEG", quality=quality, optimize=True)
        if len(data) <= MAX_PICTURE_BYTES:
            break
    return data


def photo_entry(photo: np.ndarray, small: np.ndarray, index: int, total: int) -> dict[str, Any]:
    """What the list of a widget says of a photo first: its place in the batch, its size, and a file to show.

    photo, small: as it is and as :func:`shrunk`, uint8 (H, W, 3).
    """
    height, width = photo.shape[:2]
    return {
        "index": index,
        "total": total,
        "width": width,
        "height": height,
        "photo": save(jpeg(small), ".jpg"),
    }


def encoded(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    """The picture as a file's content."""
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def save(data: bytes, suffix: str) -> dict[str, str]:
    """Write a file named after its content, so that it is stored once and no browser shows a stale one.

    Returns what ComfyUI's ``/view`` needs to find it.
    """
    name = f"preview_{blake2b(data, digest_size=12).hexdigest()}{suffix}"
    folder = os.path.join(folder_paths.get_temp_directory(), _SUBFOLDER)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        write_whole(Path(path), data, lasting=False)  # ComfyUI clears the folder when it starts
    return {"filename": name, "subfolder": _SUBFOLDER, "type": "temp"}
