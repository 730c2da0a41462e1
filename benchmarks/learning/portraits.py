"""The drawn people as training reads them: portraits of a set, and a face vector that a picture alone decides.

The vector is what a recogniser would give: 512 numbers in which somebody is more like themselves than like others.
Behind it are the colours and sizes of the parts, spread over so many numbers by a fixed random network.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from consistentid_core.data.portrait import Portrait
from consistentid_core.families import FAMILIES
from consistentid_core.identity.face_analysis import EMBEDDING_WIDTH
from consistentid_core.regions import CLASSES

from .people import Person, View, draw, draw_person, draw_view

#: Side of a picture in pixels.
SIDE = 64

#: Classes whose colours and sizes the recogniser looks at.
_SEEN = ("Face", "Hair", "Left_Eye", "Right_Eye", "Left_Ear", "Right_Ear", "Nose", "Upper_Lip", "Lower_Lip")

#: Seed of people who are in no set.
_STRANGERS = 2**32 + 512


class People:
    """A set of portraits: ``pictures`` of each of some people, one after another.

    A sample source as :class:`consistentid_core.training.trainer.Trainer` reads it.
    """

    def __init__(self, numbers: Sequence[int], pictures: int, seed: int):
        """numbers: of the people; the same number is the same person in every set of the same seed."""
        self.numbers, self.pictures, self.seed = tuple(numbers), pictures, seed
        self._portrait = lru_cache(maxsize=None)(self._make)

    def __len__(self) -> int:
        return len(self.numbers) * self.pictures

    def __getitem__(self, index: int) -> Portrait:
        return self._portrait(index)

    def _make(self, index: int) -> Portrait:
        who, which = divmod(index, self.pictures)
        number = self.numbers[who]
        return portrait(person_of(self.seed, number), view_of(self.seed, number, which), f"{number}-{which}")


def person_of(seed: int, number: int) -> Person:
    """The person of a number."""
    return draw_person(np.random.default_rng([seed, 0, number]))


def view_of(seed: int, number: int, which: int) -> View:
    """How a picture of a person was taken."""
    return draw_view(np.random.default_rng([seed, 1, number, which]))


def portrait(person: Person, view: View, key: str) -> Portrait:
    """One portrait with its exact label map, a caption that says nothing about who it is, and its face vector."""
    picture, label_map = draw(person, view, SIDE)
    return Portrait(
        key=key,
        picture=picture,
        label_map=label_map,
        general_caption=view.caption,
        face_caption=FAMILIES["sd15"].default_caption,
        id_original=face_vector(picture, label_map),
    )


def face_vector(picture: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """(512,) float32 of unit length, from a uint8 picture and its label map of the same size."""
    usual, spread, first, second = _recogniser()
    hidden = np.tanh((_looks(picture, label_map) - usual) / spread @ first)
    vector = (hidden @ second).astype(np.float32)
    return vector / np.linalg.norm(vector)


def _looks(picture: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """Colour, width and height of each part; 0 for one that is hidden."""
    colours = picture.astype(np.float64) / 255
    masks = [label_map == CLASSES.index(name) for name in _SEEN]
    size = np.sqrt(sum(mask.sum() for name, mask in zip(_SEEN, masks, strict=True) if name != "Hair"))
    numbers = np.zeros((len(_SEEN), 5))
    for row, mask in zip(numbers, masks, strict=True):
        if mask.any():
            extents = [np.ptp(places) / size for places in np.nonzero(mask)]
            row[:] = *np.median(colours[mask], 0), *extents
    return numbers.flatten()


@lru_cache(maxsize=1)
def _recogniser() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What is usual and how far people are from it, over some strangers; and the two layers of the network."""
    strangers = [_looks(*draw(person_of(_STRANGERS, n), view_of(_STRANGERS, n, 0), SIDE)) for n in range(200)]
    generator, hidden = np.random.default_rng(_STRANGERS), 256
    return (
        np.mean(strangers, 0),
        np.std(strangers, 0),
        generator.standard_normal((len(strangers[0]), hidden)) / np.sqrt(len(strangers[0])),
        generator.standard_normal((hidden, EMBEDDING_WIDTH)) / np.sqrt(hidden),
    )
