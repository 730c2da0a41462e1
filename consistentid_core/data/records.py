"""The JSON of one portrait, as the original's FGID folder has it: read and written (SPEC 7.2).

A record names files; paths are relative to the folder of their kind. Keys of our own say more and are
ignored by the original's loader.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import CheckpointError

# The folders of a set, and the list of all its records.
ORIGIN, RESIZED, LABEL_MAPS, COLOURED = (
    "FGID_Origin",
    "FGID_resize",
    "FGID_parsing_mask",
    "FGID_parsing_color",
)
JSON, FACE_IDS, ALL = "FGID_JSON", "FGID_faceID", "JSON_all.json"

#: Under these keys the caption of the face was written; the trainer reads the first, documentation names the others.
FACE_CAPTION_KEYS = ("vqa_llva_more_face_detail", "vqa_llva_face_caption", "vqa_llva_facial")
CAPTION_KEY = "vqa_llva"

_FILES = {
    "origin": ("origin_IMG", ORIGIN),
    "resized": ("resize_IMG", RESIZED),
    "label_map": ("parsing_mask_IMG", LABEL_MAPS),
    "coloured": ("parsing_color_IMG", COLOURED),
    "id_original": ("id_embed_file_origin", FACE_IDS),
    "id_resized": ("id_embed_file_resize", FACE_IDS),
}

#: A record of a portrait is a few hundred bytes; something of this size is another file.
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Record:
    """What is known of one portrait.

    origin, resized, label_map, coloured, id_original, id_resized: files, relative to the folder of their kind;
    empty if there is none. caption, face_caption: empty if there is none.
    content_id: hash of the photo's file.  source: its path below the folder it came from.
    source_size, source_time: of that file, in bytes and ns, to see whether it changed.
    parts: names of the facial parts found.  faces: how many faces the photo shows.
    face_height: of the face, as a share of the photo's.  notes: what was done to the photo.
    """

    origin: str = ""
    resized: str = ""
    label_map: str = ""
    coloured: str = ""
    id_original: str = ""
    id_resized: str = ""
    caption: str = ""
    face_caption: str = ""
    content_id: str = ""
    source: str = ""
    source_size: int = 0
    source_time: int = 0
    parts: tuple[str, ...] = ()
    faces: int = 0
    face_height: float = 0.0
    notes: tuple[str, ...] = ()

    def path(self, kind: str, root: Path) -> Path:
        """The file of one kind (``origin``, ``label_map`` ...) below the folder of a set.

        Raises ValueError if the record names none, or one outside its folder.
        """
        key, folder = _FILES[kind]
        name = getattr(self, kind)
        # The original writes some paths with a leading separator.
        relative = PurePosixPath(name.replace("\\", "/").lstrip("/"))
        if not name or ".." in relative.parts or ":" in relative.parts[0]:
            raise ValueError(
                f"{key} is '{name[:200]}'. Expected is a path inside the folder {folder}: build the set again, or mend "
                "the record."
            )
        return root / folder / relative


def to_json(record: Record) -> str:
    """A record as a JSON text; what is not known is left out, as in the original."""
    content: dict[str, Any] = {
        key: name for kind, (key, _) in _FILES.items() if (name := getattr(record, kind))
    }
    if record.caption:
        content[CAPTION_KEY] = record.caption
    if record.face_caption:
        content[FACE_CAPTION_KEYS[0]] = record.face_caption
    content |= {
        "content_id": record.content_id,
        "source": record.source,
        "source_size": record.source_size,
        "source_time": record.source_time,
        "parts": list(record.parts),
        "faces": record.faces,
        "face_height": round(record.face_height, 4),
        "notes": list(record.notes),
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def from_json(content: Mapping[str, Any]) -> Record:
    """The record in a decoded JSON object, ours or the original's.

    Raises CheckpointError if a value is of another type than it should be.
    """
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"A record is a JSON object with keys such as origin_IMG; found {type(content).__name__}. "
            "Give the folder that holds FGID_JSON, or build the set again."
        )
    wanted: dict[str, tuple[str, ...]] = {kind: (key,) for kind, (key, _) in _FILES.items()}
    wanted |= {"caption": (CAPTION_KEY,), "face_caption": FACE_CAPTION_KEYS}
    wanted |= {name: (name,) for name in ("content_id", "source")}
    values: dict[str, Any] = {name: _text(content, keys) for name, keys in wanted.items()}
    for name, kind in (("source_size", int), ("source_time", int), ("faces", int), ("face_height", float)):
        values[name] = _number(content, name, kind)
    for name in ("parts", "notes"):
        values[name] = tuple(str(value) for value in content.get(name) or ())
    return Record(**values)


def read_record(path: Path) -> Record:
    """The record in a file, whatever its extension: that of a ``.jpg`` carries the picture's own name.

    Raises CheckpointError if it holds none, OSError if it cannot be read.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise CheckpointError(
            f"'{path.name}' has {path.stat().st_size:,} bytes, too many for the record of one portrait. "
            "Move it out of FGID_JSON."
        )
    try:
        return from_json(json.loads(path.read_text("utf-8")))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"'{path.name}' is no record of a portrait: {str(error)[:200]}. Build this portrait again."
        ) from error


def _text(content: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        value = content.get(key)
        if value is None:
            continue
        if not isinstance(value, str):
            raise CheckpointError(
                f"{key} is {type(value).__name__}, expected a text. Mend the record, or build this portrait again."
            )
        if value:
            return value
    return ""


def _number(content: Mapping[str, Any], key: str, kind: type) -> Any:
    value = content.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise CheckpointError(
            f"{key} is {type(value).__name__}, expected a number. Mend the record, or build this portrait again."
        )
    return kind(value)
