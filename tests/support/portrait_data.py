"""A folder of photos, and networks that see something in them, for the tests of training data."""

from pathlib import Path

import numpy as np
from drawn_faces import draw
from PIL import Image

from consistentid_core.data.folder_store import FolderStore
from consistentid_core.data.portrait import to_png
from consistentid_core.data.rows import Row
from consistentid_core.data.steps import Settings
from tools.standins import bisenet, insightface

#: Of the random parser's weights; with these it finds parts of a face in almost any picture.
PARSER_SEED = 2


def photo(number: int, width: int = 160, height: int = 200) -> np.ndarray:
    """A drawn portrait; every number is another person."""
    return draw(width, height, (width / 2, height / 2, 90), tint=2 * number)


def write_photos(folder: Path, count: int) -> list[str]:
    """Photos 00.png, 01.png ... of so many people; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:02}.png" for number in range(count)]
    for number, name in enumerate(names):
        Image.fromarray(photo(number)).save(folder / name)
    return names


def store_portraits(folder: Path, count: int) -> None:
    """Portraits of so many people in a set, as :func:`quick_steps` makes them."""
    rows = []
    for number in range(count):
        read = Row(
            reason="", name=f"{number}.png", content_id=f"{number:032x}", size=1, time=1, data=to_png(photo(number)),
            resized=to_png(photo(number, 64, 64)), suffix=".png", width=160, height=200, notes=[],
        )  # fmt: skip
        rows.append(quick_steps(read))
    FolderStore(folder).store(rows)


def write_networks(folder: Path) -> Settings:
    """Stand-ins of the face parser and of InsightFace's networks, and settings that name them."""
    parser = folder / "face_parsing.safetensors"
    bisenet.write(parser, seed=PARSER_SEED)
    buffalo = folder / "insightface" / "models" / "buffalo_l"
    buffalo.mkdir(parents=True)
    insightface.write(buffalo)
    return Settings(face_parser=str(parser), insightface=(str(folder / "insightface"),), provider="CPU")


def quick_steps(row: Row) -> Row:
    """What the steps make of a good photo, without their networks."""
    label_map = np.zeros((8, 8), np.uint8)
    label_map[2:6, 2:6], label_map[3, 3] = 1, 10
    vector = np.zeros(512, np.float32)
    vector[0] = 1
    return row | Row(
        label_map=to_png(label_map),
        parts=["Face", "Nose"],
        faces=1,
        face_height=0.5,
        id_original=vector.tobytes(),
        id_resized=vector.tobytes(),
        caption="A person.",
        face_caption="The face is round, the nose is small.",
    )
