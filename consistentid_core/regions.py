"""The facial regions, one row each: the words that name them, the classes of a label map that form them, their looks.

A new facial part is a new row; captions, pairing, crops, nodes and previews read the rows.

A label map is what face parsing produces: uint8 (h, w), one class id per pixel. It
follows the parser's square input, not the photo's aspect ratio.
Source: SPEC 2.3 (class list), 2.4 (masks) and 3.1 (words and their order).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

#: The classes of the BiSeNet checkpoint, by id. Names used for facial parts are the
#: original's; for ids 6, 9, 15, 17 and 18 its table is wrong and this one is not.
CLASSES: tuple[str, ...] = (
    "Background",
    "Face",
    "Left_Eyebrow",
    "Right_Eyebrow",
    "Left_Eye",
    "Right_Eye",
    "Glasses",
    "Left_Ear",
    "Right_Ear",
    "Earring",
    "Nose",
    "Mouth_Interior",
    "Upper_Lip",
    "Lower_Lip",
    "Neck",
    "Necklace",
    "Cloth",
    "Hair",
    "Hat",
)

BACKGROUND = 0

#: Which of a pair to use: the first one present, as the original does, or both united.
PairMode = Literal["original", "both"]
PAIR_MODES: tuple[PairMode, ...] = ("original", "both")


@dataclass(frozen=True)
class Region:
    """One of the facial regions that carry identity.

    name: what inputs of nodes and entries of files call it.
    words: lower-case words of a prompt that name it; the weights were trained with the first.
    text_rank: its place among the clauses of a description, as in the training texts.
    parts: its classes, by name; for a pair, the first one present is the original's choice.
    united: what all its parts together are called; the part's own name if there is one.
    label: how an interface shows it.  colour: 8-bit RGB.
    lies_below: its mask covers other regions, so it is drawn fainter.
    """

    name: str
    words: tuple[str, ...]
    text_rank: int
    parts: tuple[str, ...]
    united: str
    label: str
    colour: tuple[int, int, int]
    lies_below: bool = False

    @property
    def word(self) -> str:
        """The word the weights were trained with."""
        return self.words[0]

    @property
    def class_ids(self) -> tuple[int, ...]:
        """The ids of its parts in a label map."""
        return tuple(CLASSES.index(part) for part in self.parts)


#: The regions in crop order (SPEC 2.4). The colours differ in lightness as well as in hue,
#: so that they stay apart for every kind of colour vision, and on light and dark skin.
REGIONS: tuple[Region, ...] = (
    Region(
        name="face",
        words=("face", "faces"),
        text_rank=0,
        parts=("Face",),
        united="Face",
        label="Face",
        colour=(110, 120, 255),
        lies_below=True,
    ),
    Region(
        name="eyes",
        words=("eyes", "eye"),
        text_rank=2,
        parts=("Left_Eye", "Right_Eye"),
        united="Eyes",
        label="Eyes",
        colour=(255, 218, 72),
    ),
    Region(
        name="ears",
        words=("ears", "ear"),
        text_rank=1,
        parts=("Left_Ear", "Right_Ear"),
        united="Ears",
        label="Ears",
        colour=(92, 225, 200),
    ),
    Region(
        name="nose",
        words=("nose", "noses"),
        text_rank=3,
        parts=("Nose",),
        united="Nose",
        label="Nose",
        colour=(228, 122, 62),
    ),
    Region(
        name="mouth",
        words=("mouth", "mouths", "lips", "lip"),
        text_rank=4,
        parts=("Upper_Lip", "Lower_Lip"),
        united="Lips",
        label="Mouth",
        colour=(196, 48, 112),
    ),
)

REGION_NAMES: tuple[str, ...] = tuple(region.name for region in REGIONS)

_REGIONS_BY_NAME = {region.name: region for region in REGIONS}
_REGION_OF_PART = {part: region.name for region in REGIONS for part in (*region.parts, region.united)}
_REGION_OF_WORD = {word: region.name for region in REGIONS for word in region.words}


def region_named(name: str) -> Region:
    """The region called ``name``; raises ValueError for any other name."""
    try:
        return _REGIONS_BY_NAME[name]
    except KeyError:
        raise ValueError(
            f"No facial region is called '{name}'. There are: {', '.join(REGION_NAMES)}."
        ) from None


def region_of_part(part: str) -> str:
    """The region a part belongs to; raises ValueError for a name that is no part."""
    try:
        return _REGION_OF_PART[part]
    except KeyError:
        raise ValueError(
            f"'{part}' is not a facial part. Expected one of: {', '.join(_REGION_OF_PART)}."
        ) from None


def region_of_word(word: str) -> str | None:
    """The region that a word of a prompt names, in whatever case; None if it names none."""
    return _REGION_OF_WORD.get(word.lower())


def classes_present(label_map: np.ndarray) -> dict[int, float]:
    """The values of a label map, ascending, with the share of pixels each takes (0..1)."""
    counts = np.bincount(label_map.ravel(), minlength=256)
    return {int(value): float(counts[value] / label_map.size) for value in np.flatnonzero(counts)}


def class_masks(label_map: np.ndarray) -> dict[str, np.ndarray]:
    """The filled mask of every class present, ascending by id; values that are no class are skipped.

    Before ``Background`` comes ``WithoutBackground``, the inverse of the filled background:
    empty where background surrounds the whole head.
    Returns bool (h, w) masks by class name.  Source: SPEC 2.4.
    """
    masks: dict[str, np.ndarray] = {}
    for value in classes_present(label_map):
        if value >= len(CLASSES):
            continue
        mask = filled_mask(label_map == value)
        if value == BACKGROUND:
            masks["WithoutBackground"] = ~mask
        masks[CLASSES[value]] = mask
    return masks


def filled_mask(mask: np.ndarray) -> np.ndarray:
    """A bool (h, w) mask with its holes closed: every area that is cut off from the border.

    So the skin's mask covers eyes, nose and mouth as well (SPEC 2.4 step 2).
    """
    filled = np.zeros_like(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        # Nothing outside the bounding box can be a hole, so looking inside it is enough.
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        filled[box] = ndimage.binary_fill_holes(mask[box])
    return filled
