"""The steps between a photo and a portrait; each is a callable ``row -> row`` that loads its network once.

An error of one photo becomes its ``reason``; what is wrong with the build itself (a missing model file, a full
disk) is raised. Source: SPEC 7.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ConsistentIDError
from ..faces.bisenet import BiSeNet, load_weights, parse_picture
from ..faces.face_parts import find_parts
from ..files.resolve import find_face_models
from ..identity.face_analysis import load_face_analyser
from ..identity.providers import AUTO
from .captions import caption_source, check_caption_choice
from .portrait import from_encoded, to_png
from .rows import Row
from .sources import NO_FACE, NO_PARTS, SEVERAL_FACES, UnusableError, open_photo, read_unchanged

#: Side of the square copy that is parsed, and of the label map.
SIDE = 512

Step = Callable[[Row], Row]


@dataclass(frozen=True)
class Settings:
    """What the steps need to know; plain values, so that workers can be told.

    face_parser: file of the parser.  insightface: folders that hold ``buffalo_l``.
    captions: see :func:`.captions.caption_source`.
    device: ``cpu``, ``cuda`` ... for parser and captioner.  provider: for face recognition.
    keep_faceless: keep photos without a recognised face, as the original does; training then knows nobody in them.
    """

    face_parser: str
    insightface: tuple[str, ...]
    captions: str = "sentence"
    device: str = "cpu"
    provider: str = AUTO
    keep_faceless: bool = False


def check_settings(settings: Settings) -> None:
    """Raise what the steps would raise once they load their networks: before a photo is read or a worker started.

    Raises MissingModelError, CheckpointError or ValueError. LLaVA's weights alone are not opened.
    """
    load_weights(settings.face_parser)
    find_face_models(settings.insightface)
    check_caption_choice(settings.captions)


def guarded(step: Step) -> Step:
    """The step for rows that are still good; what it finds unusable becomes the row's reason."""

    def run(row: Row) -> Row:
        if row["reason"]:
            return row
        try:
            return step(row)
        except UnusableError as error:
            return row | Row(reason=error.reason, detail=error.detail)
        except (ConsistentIDError, MemoryError, OSError):
            raise
        except Exception as error:  # of one photo nobody foresaw: it is named, and the others go on
            return row | Row(
                reason=f"failed in {type(step).__name__}", detail=f"{type(error).__name__}: {error}"[:300]
            )

    return run


class Read:
    """Opens the photo, checks that it is what was listed, and makes the square copy."""

    def __init__(self, settings: Settings):
        pass

    def __call__(self, row: Row) -> Row:
        data = read_unchanged(row["path"], row["content_id"])
        picture, notes = open_photo(data)
        suffix = Path(row["name"]).suffix.lower()
        if notes:  # the file alone would be read differently by others
            data, suffix = to_png(picture), ".png"
        square = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        height, width = picture.shape[:2]
        return row | Row(
            data=data,
            suffix=suffix,
            width=width,
            height=height,
            resized=to_png(np.asarray(square)),
            notes=[*row["notes"], *notes],
        )


class Parse:
    """Makes the label map of the square copy, and names the parts in it."""

    def __init__(self, settings: Settings):
        self._network = BiSeNet()
        self._network.load_state_dict(load_weights(settings.face_parser))
        self._network.train(False).to(settings.device)

    def __call__(self, row: Row) -> Row:
        label_map = parse_picture(self._network, from_encoded(row["resized"]), SIDE)
        parts = find_parts(label_map)
        if not parts:
            raise UnusableError(NO_PARTS)
        return row | Row(label_map=to_png(label_map), parts=[part.name for part in parts])


class Recognise:
    """Face vectors of the photo and of its square copy, of the face the detector is surest of (BGR)."""

    def __init__(self, settings: Settings):
        self._analyser = load_face_analyser(settings.insightface, settings.provider)
        self._keep_faceless = settings.keep_faceless

    def __call__(self, row: Row) -> Row:
        picture = from_encoded(row["data"])
        original, faces, height = self._vector(picture)
        resized, _, _ = self._vector(from_encoded(row["resized"]))
        if not (original or resized or self._keep_faceless):
            raise UnusableError(NO_FACE)
        notes = [SEVERAL_FACES] if faces > 1 else []
        return row | Row(
            id_original=original,
            id_resized=resized,
            faces=faces,
            face_height=height,
            notes=[*row["notes"], *notes],
        )

    def _vector(self, picture: np.ndarray) -> tuple[bytes, int, float]:
        """The vector as bytes, how many faces there are, and the height of the first as a share."""
        pixels = np.ascontiguousarray(picture[..., ::-1])  # RGB -> BGR
        faces = self._analyser.detect(pixels).faces
        if not faces:
            return b"", 0, 0.0
        _, top, _, bottom = faces[0].box
        share = min(1.0, (bottom - top) / picture.shape[0])
        return self._analyser.embed(pixels, faces[0]).tobytes(), len(faces), share


class Caption:
    """The two captions."""

    def __init__(self, settings: Settings):
        self._source = caption_source(settings.captions, settings.device)

    def __call__(self, row: Row) -> Row:
        general, face = self._source.captions(from_encoded(row["data"]), row["name"], row["content_id"])
        return row | Row(caption=general, face_caption=face)


#: In order. Captions come last: they take longest, and only of photos that are kept.
STEPS: dict[str, Callable[[Settings], Any]] = {
    "read": Read,
    "parse": Parse,
    "recognise": Recognise,
    "caption": Caption,
}
