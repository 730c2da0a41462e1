"""What the files of saved people hold, read from their headers alone, so that a folder of them is listed at once."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .embedding_file import FORMAT
from .person_card import Card, from_metadata

#: Headers of files with sixteen photos take a tenth of this.
_MAX_HEADER = 1_000_000


@dataclass(frozen=True)
class Summary:
    """What a file holds, as its header says.  photos: that its ID embedding is from.  has_parts: CLIP features too."""

    card: Card
    photos: int
    has_parts: bool


def read_summary(path: str | os.PathLike[str]) -> Summary:
    """What a file of Save ID Embedding holds; its tensors are not read.

    Raises CheckpointError, in one line without the file's name, for another file and for one that cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _MAX_HEADER:
                raise CheckpointError("This is no file of Save ID Embedding.")
            header: Any = json.loads(file.read(length))
            metadata = header["__metadata__"]
            if metadata["format"] != FORMAT or not all(isinstance(text, str) for text in metadata.values()):
                raise CheckpointError("This is no file of Save ID Embedding.")
            photos = metadata["photos"]
            return Summary(
                from_metadata(metadata),
                int(photos) if photos.isdecimal() and len(photos) < 7 else 0,
                "face_parts" in metadata,
            )
    except OSError as error:
        raise CheckpointError(f"The file cannot be read: {error.strerror}.") from None
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise CheckpointError("This is no file of Save ID Embedding, or it is damaged.") from None
