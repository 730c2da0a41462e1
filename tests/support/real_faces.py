"""Real recognisers, a detector and photos of 40 real people, out of public packages; see tools/real_faces.py."""

import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from consistentid_core.evaluation.recognisers import OnnxRecogniser, load_recogniser
from consistentid_core.identity.face_analysis import Face
from consistentid_core.identity.providers import CPU
from tools import real_faces

PEOPLE, PHOTOS_EACH = 40, 10
#: The photos are 92x112 and show little but the face; the detector wants it larger and with something around it.
_ENLARGED, _BORDER = 2.5, 40
_LOWEST_SCORE = 0.6


@cache
def folder() -> Path:
    """Everything, fetched if a test is run by hand before tools/test.py ever was."""
    return real_faces.prepare(Path(sys.executable))


@cache
def recogniser(name: str) -> OnnxRecogniser:
    """``sface`` (128 numbers) or ``fr_feature`` (512 numbers, as the one that conditions pictures)."""
    return load_recogniser(folder() / f"{name}.onnx", CPU)


@cache
def photo(person: int, number: int) -> np.ndarray:
    """Photo 0 to 9 of person 0 to 39, uint8 RGB (360, 310, 3), grey."""
    small = Image.open(folder() / "orl" / f"s{person + 1}" / f"{number + 1}.pgm").convert("RGB")
    large = cv2.resize(np.asarray(small), None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(large, *[_BORDER] * 4, cv2.BORDER_REPLICATE)


@cache
def _yunet() -> cv2.FaceDetectorYN:
    return cv2.FaceDetectorYN.create(str(folder() / "yunet.onnx"), "", (320, 320), _LOWEST_SCORE)


def detect(picture: np.ndarray) -> list[Face]:
    """The faces YuNet finds in a picture, uint8 RGB, surest first."""
    height, width = picture.shape[:2]
    _yunet().setInputSize((width, height))
    _, rows = _yunet().detect(np.ascontiguousarray(picture[..., ::-1]))  # RGB -> BGR
    faces = []
    for row in () if rows is None else rows:
        left, top, box_width, box_height = map(float, row[:4])
        box = (left, top, left + box_width, top + box_height)
        faces.append(Face(box, row[4:14].reshape(5, 2), float(row[14])))
    return sorted(faces, key=lambda face: -face.score)
