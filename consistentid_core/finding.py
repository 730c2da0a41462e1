"""Which file is which, by what it holds: keys and shapes, never the name.

Released names only decide between files that fit equally. What a file is stays known as long as nobody changes it.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from torch import Tensor

from .errors import AmbiguousModelError, CheckpointError, MissingModelError
from .faces.bisenet import match_weights
from .families import FAMILIES, Family
from .files.catalogue import CLIP_VISION, CONSISTENTID_SD15, CONSISTENTID_SDXL, FACE_PARSER, ModelFile
from .files.state_dict import flatten, kind_of
from .files.weights_file import SAFETENSORS_EXTENSIONS, read_weights
from .networks.checkpoint import recognise

logger = logging.getLogger(__name__)

#: The released adapter of each family.
ADAPTERS: dict[Family, ModelFile] = {"sd15": CONSISTENTID_SD15, "sdxl": CONSISTENTID_SDXL}

#: ViT-H/14's vision half in the two ways its keys are written: the least that tells it from other sizes.
_VIT_H = (
    {
        "vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14),
        "vision_model.encoder.layers.31.layer_norm1.weight": (1280,),
    },
    {"visual.conv1.weight": (1280, 3, 14, 14)},
)

#: More names than this tell a reader nothing.
_MOST_NAMES = 8


@dataclass(frozen=True)
class Content:
    """What a file holds: a file of the catalogue or its like; else None and, in words, what was seen."""

    file: ModelFile | None
    kind: str


@dataclass(frozen=True)
class Candidate:
    """A file to choose from: its name in a loader's list, and where it lies."""

    name: str
    path: Path


#: Path -> (time and size of the file, what it holds).
_known: dict[Path, tuple[tuple[int, int], Content]] = {}


def content_of(path: Path) -> Content:
    """What a weights file holds. Large files are mapped for it, not read; asked again, nothing is opened.

    Known are adapters, the face parser and CLIP ViT-H. A file that cannot be read is one of another kind.
    """
    try:
        status = os.stat(path)
    except OSError:
        return Content(None, "gone")
    stamp = status.st_mtime_ns, status.st_size
    known = _known.get(path)
    if known is None or known[0] != stamp:
        known = _known[path] = stamp, _look_into(path)
    return known[1]


def _look_into(path: Path) -> Content:
    try:
        weights = read_weights(path)
        if not isinstance(weights, Mapping):
            return Content(None, "no weights")
        flat = flatten(weights, str(path))
    except (CheckpointError, MissingModelError):
        return Content(None, "unreadable")
    for recognised in _RECOGNISERS:
        file = recognised(flat)
        if file is not None:
            return Content(file, file.what)
    return Content(None, kind_of(flat) or "of an unknown kind")


def _adapter(weights: Mapping[str, Any]) -> ModelFile | None:
    try:
        return ADAPTERS[recognise(weights).family]
    except CheckpointError:
        return None


def _face_parser(weights: Mapping[str, Any]) -> ModelFile | None:
    try:
        match_weights(weights, source="")
    except CheckpointError:
        return None
    return FACE_PARSER


def _clip_vision(weights: Mapping[str, Any]) -> ModelFile | None:
    shapes = {key: tuple(value.shape) for key, value in weights.items() if isinstance(value, Tensor)}
    is_vit_h = any(all(shapes.get(key) == shape for key, shape in form.items()) for form in _VIT_H)
    return CLIP_VISION if is_vit_h else None


_RECOGNISERS: tuple[Callable[[Mapping[str, Any]], ModelFile | None], ...] = (
    _adapter,
    _face_parser,
    _clip_vision,
)


def family_of(file: ModelFile) -> Family:
    """The family an adapter of the catalogue is made for."""
    return next(family for family, adapter in ADAPTERS.items() if adapter is file)


def adapters_of(family: Family | None) -> tuple[ModelFile, ...]:
    """The adapter for a family; for None those of all."""
    return tuple(ADAPTERS.values()) if family is None else (ADAPTERS[family],)


def fitting(candidates: Iterable[Candidate], *wanted: ModelFile) -> list[Candidate]:
    """Those that hold one of the wanted files."""
    return [one for one in candidates if content_of(one.path).file in wanted]


def choose(candidates: Sequence[Candidate], folders: Iterable[str], *wanted: ModelFile) -> Candidate:
    """The one that is wanted. Several are no question if one has a released name, or all are conversions of one.

    folders: that were looked into, for messages.
    Raises MissingModelError, saying what there is instead; AmbiguousModelError, naming those that fit.
    """
    fits = fitting(candidates, *wanted)
    if not fits:
        raise MissingModelError(_nothing_fits(candidates, folders, wanted))
    released = [one for one in fits if content_of(one.path).file.is_called(one.name)]  # type: ignore[union-attr]
    preferred = released or fits
    kinds = {content_of(one.path).file for one in preferred}
    stems = {PurePath(one.name).stem.lower() for one in preferred}
    if len(kinds) > 1 or (not released and len(stems) > 1):
        raise AmbiguousModelError(
            f"auto found {len(fits)} files that fit: {_named(fits)}. Choose one of them in the node instead"
            + (", or connect the model it is for." if len(kinds) > 1 else ".")
        )
    chosen = min(preferred, key=lambda one: one.path.suffix.lower() not in SAFETENSORS_EXTENSIONS)
    if len(fits) > 1:
        others = [one for one in fits if one is not chosen]
        logger.info("auto took %s; %s would fit as well.", chosen.name, _named(others))
    return chosen


def how_to_get(*files: ModelFile) -> str:
    """Where files come from and go to, as sentences."""
    places = " or ".join(f"{file} from {file.address}" for file in files)
    keys = " or ".join(file.key for file in files)
    return (
        f"Put {places} into models/{files[0].place} and press R, or run in the pack's folder: "
        f"python -m consistentid_core.files fetch {keys}"
    )


def _nothing_fits(
    candidates: Sequence[Candidate], folders: Iterable[str], wanted: Sequence[ModelFile]
) -> str:
    what = " or ".join(file.what for file in wanted)
    there = f"only {_named(candidates)}" if candidates else "nothing"
    return f"auto found no {what}: {there} in {', '.join(folders)}. {how_to_get(*wanted)}"


def _named(candidates: Sequence[Candidate]) -> str:
    more = f" and {len(candidates) - _MOST_NAMES} more" if len(candidates) > _MOST_NAMES else ""
    shown = (f"{one.name} ({_kind(one.path)})" for one in candidates[:_MOST_NAMES])
    return ", ".join(shown) + more


def _kind(path: Path) -> str:
    content = content_of(path)
    return FAMILIES[family_of(content.file)].label if content.file in ADAPTERS.values() else content.kind  # type: ignore[arg-type]
