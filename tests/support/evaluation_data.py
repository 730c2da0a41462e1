"""People, a workflow, a plan, and networks whose numbers can be worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from drawn_faces import draw
from PIL import Image

from consistentid_core.evaluation.checksums import Network
from consistentid_core.evaluation.networks import Networks
from consistentid_core.evaluation.people import find_people
from consistentid_core.evaluation.plan import Plan, make_plan
from consistentid_core.evaluation.prompts import named
from consistentid_core.evaluation.protocols import OWN
from consistentid_core.identity.face_analysis import Face

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "workflows" / "api" / "consistentid_sd15_api.json"


def workflow() -> dict[str, Any]:
    return json.loads(WORKFLOW.read_text("utf-8"))


def save(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def write_people(folder: Path, names: tuple[str, ...] = ("anna", "ben")) -> Path:
    """A reference and a second photo of each."""
    for number, name in enumerate(names):
        for photo in range(2):
            portrait = draw(96, 120, (48, 60, 50 + 2 * photo), tint=3 * number)
            save(folder / name / f"{photo}.png", portrait)
    return folder


def small_plan(folder: Path, *, people: tuple[str, ...] = ("anna", "ben"), **options: Any) -> Plan:
    """Two people × two prompts, and the plain model."""
    found, _ = find_people(write_people(folder, people))
    prompts = named([("{person} in a hat", "clothing"), ("{person} on a beach", "background")], "test")
    return make_plan(OWN, found, prompts, workflow(), **options)


# ---------------------------------------------------------------- networks


def painted(angle: float | None, side: int = 64) -> np.ndarray:
    """A picture in whose face the networks below see this angle in degrees; None: no face."""
    picture = np.full((side, side, 3), 10, np.uint8)
    if angle is not None:
        picture[8:56, 8:56] = (200, round(angle) % 256, 0)
    return picture


def unit(angle: float) -> np.ndarray:
    radians = np.radians(angle)
    return np.array([np.cos(radians), np.sin(radians)], np.float32)


def find_painted(picture: np.ndarray) -> list[Face]:
    """One face where the picture is painted, with the points of an upright face."""
    if picture[32, 32, 0] != 200:
        return []
    points = np.array([[23, 26], [41, 26], [32, 36], [25, 46], [39, 46]], np.float32)
    return [Face((8.0, 8.0, 56.0, 56.0), points, 0.9)]


def several(*angles: float | None) -> np.ndarray:
    """A picture with a painted face for each angle, 64 pixels each."""
    return np.concatenate([painted(angle) for angle in angles], axis=1)


def find_several(picture: np.ndarray) -> list[Face]:
    """The faces of such a picture, from left to right."""
    found = []
    for left in range(0, picture.shape[1], 64):
        for face in find_painted(picture[:, left : left + 64]):
            box = (face.box[0] + left, face.box[1], face.box[2] + left, face.box[3])
            found.append(replace(face, box=box, points=face.points + [left, 0]))
    return found


class Angles:
    """A recogniser that reads the painted angle off the middle of a face, turned by so many degrees."""

    def __init__(self, name: str = "angles", turn: float = 0.0):
        self.name, self.sha256, self.size, self._turn = name, f"{name}-sha", 2, turn
        self.calls = 0

    def embed(self, faces: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.array([unit(float(face[56, 56, 1]) + self._turn) for face in faces], np.float32).reshape(
            -1, 2
        )


class Clip:
    """Pictures by their painted angle, texts by the number in them."""

    name, sha256 = "clip", "clip-sha"

    def prepare(self, picture: np.ndarray) -> float:
        return float(picture[32, 32, 1])

    def encode_prepared(self, angles: Any) -> np.ndarray:
        return np.stack([unit(angle) for angle in angles])

    def encode_texts(self, texts: Any) -> np.ndarray:
        return np.stack([unit(float(text.split()[-1])) for text in texts])

    def is_cut_off(self, text: str) -> bool:
        return len(text) > 60


class Inception:
    """Two numbers of a picture."""

    name, sha256 = "inception", "inception-sha"

    def encode(self, pictures: Any) -> list[np.ndarray]:
        return [np.array([picture[32, 32, 1], picture.mean()], np.float32) for picture in pictures]


class Perceptual:
    """The difference of two faces' angles."""

    name, sha256 = "lpips", "lpips-sha"

    def distances(self, pairs: Any) -> np.ndarray:
        return np.array([abs(float(a[64, 64, 1]) - float(b[64, 64, 1])) / 100 for a, b in pairs])


def hand_networks(**others: Any) -> Networks:
    """Networks whose every number follows from :func:`painted`."""
    networks = Networks(
        detect=find_painted,
        detector_sha256="detector-sha",
        recognisers=[Angles("conditioner"), Angles("judge", 5.0)],
        clips=[Clip()],  # type: ignore[list-item]
        inception=Inception(),  # type: ignore[arg-type]
        perceptual=Perceptual(),  # type: ignore[arg-type]
        used=[Network("face recogniser", name, f"{name}-sha") for name in ("conditioner", "judge", "clip")],
        conditioners={"conditioner"},
    )
    for name, value in others.items():
        setattr(networks, name, value)
    return networks


def metric(result: dict[str, Any], key: str) -> SimpleNamespace:
    return SimpleNamespace(**next(one for one in result["metrics"] if one["key"] == key))
