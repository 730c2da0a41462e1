"""Where the two captions of a portrait come from: a fixed sentence, a file, or LLaVA."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import CheckpointError, MissingModelError
from ..families import FAMILIES
from ..text.captioner import check_llava_folder
from .records import CAPTION_KEY, FACE_CAPTION_KEYS
from .sources import NO_CAPTION, UnusableError


class CaptionSource(Protocol):
    """Gives the captions of a picture."""

    def captions(self, picture: np.ndarray, name: str, content_id: str) -> tuple[str, str]:
        """The general caption and that of the face.

        picture: uint8 RGB (H, W, 3).  name: of its file.  Raises UnusableError if there are none.
        """
        ...


class FixedSentence:
    """The original's sentence for every portrait: for a start without a captioner."""

    def __init__(self, sentence: str = ""):
        self._sentence = sentence or FAMILIES["sd15"].default_caption

    def captions(self, picture: np.ndarray, name: str, content_id: str) -> tuple[str, str]:
        return "A photo of a person.", self._sentence


class CaptionFile:
    """Captions somebody made before: a JSON, JSONL or CSV file.

    Each entry has ``name`` (the photo's path below its folder, with or without extension) or ``content_id``,
    ``caption``, and ``face_caption``; the keys of the original's records work too.
    """

    def __init__(self, path: Path):
        self._captions: dict[str, tuple[str, str]] = {}
        for number, entry in enumerate(_entries(path), 1):
            face = _first(entry, "face_caption", *FACE_CAPTION_KEYS)
            general = _first(entry, "caption", CAPTION_KEY) or face
            keys = [_first(entry, key) for key in ("content_id", "name", "source", "origin_IMG")]
            if not face or not any(keys):
                raise CheckpointError(
                    f"Entry {number} of '{path.name}' lacks a face_caption or a name. Each entry needs name (or "
                    "content_id), caption and face_caption."
                )
            for key in filter(None, keys):
                self._captions[key.lstrip("/")] = general, face

    def captions(self, picture: np.ndarray, name: str, content_id: str) -> tuple[str, str]:
        for key in (content_id, name, name.rsplit(".", 1)[0]):
            if key in self._captions:
                return self._captions[key]
        raise UnusableError(NO_CAPTION)


class Llava:
    """The two questions the original asked, answered by LLaVA 1.5 from a folder."""

    def __init__(self, folder: Path, device: str = "cpu"):
        import torch

        from ..text.captioner import load_captioner

        dtype = torch.float32 if device == "cpu" else torch.float16
        self._captioner = load_captioner(folder, dtype)
        self._captioner.model.to(device)

    def captions(self, picture: np.ndarray, name: str, content_id: str) -> tuple[str, str]:
        from ..text.captioner import DESCRIBE_FACE, DESCRIBE_PERSON

        general, face = (
            self._captioner.caption(picture, question) for question in (DESCRIBE_PERSON, DESCRIBE_FACE)
        )
        return general, face


def caption_source(choice: str, device: str = "cpu") -> CaptionSource:
    """``sentence``, ``file:PATH`` or ``llava:FOLDER``.

    Raises ValueError for anything else, MissingModelError if there is no such file.
    """
    kind, _, place = choice.partition(":")
    if choice == "sentence":
        return FixedSentence()
    if kind == "file" and place:
        return CaptionFile(Path(place))
    if kind == "llava" and place:
        return Llava(Path(place), device)
    raise ValueError(
        f"captions is '{choice}'. Expected sentence, file:PATH (JSON, JSONL or CSV) or llava:FOLDER (a model such as "
        "llava-hf/llava-1.5-7b-hf on this disk)."
    )


def check_caption_choice(choice: str) -> None:
    """Raise what :func:`caption_source` would, but leave a captioner's weights on the disk."""
    kind, _, place = choice.partition(":")
    if kind == "llava" and place:
        check_llava_folder(Path(place))
    else:
        caption_source(choice)


def _entries(path: Path) -> list[Mapping[str, Any]]:
    if not path.is_file():
        raise MissingModelError(f"No file of captions at '{path}'. Check the path after 'file:'.")
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".csv":
            return list(csv.DictReader(text.splitlines()))
        if path.suffix.lower() == ".jsonl":
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            content = json.loads(text)
        if isinstance(content, dict):
            content = [{"name": name, **entry} for name, entry in content.items()]
        if not all(isinstance(entry, dict) for entry in content):
            raise ValueError("its entries are no objects")
        return content
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"'{path.name}' cannot be read as captions: {str(error)[:200]}. Expected a JSON list, JSONL or CSV whose "
            "entries have name, caption and face_caption."
        ) from error


def _first(entry: Mapping[str, Any], *keys: str) -> str:
    return next(
        (value.strip() for key in keys if isinstance(value := entry.get(key), str) and value.strip()), ""
    )
