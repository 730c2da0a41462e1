"""Pictures with faces at known places, and the InsightFace stand-ins that see them."""

import cv2
import numpy as np

from tools.standins.insightface import NOT_SKIN, SKIN

BACKGROUND = (70, 90, 160)


def draw(width: int, height: int, *faces: tuple[float, float, float], tint: int = 0) -> np.ndarray:
    """An RGB picture with a face per (x, y, diameter), a little higher than wide.

    tint: makes the skin of these faces look different to the recogniser.
    """
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    for x, y, diameter in faces:
        axes = round(diameter * 0.47), round(diameter * 0.53)
        skin = SKIN[0], SKIN[1] - tint, SKIN[2] - tint
        cv2.ellipse(picture, (round(x), round(y)), axes, 0, 0, 360, skin, cv2.FILLED)
        for dx in (-0.18, 0.18):
            cv2.circle(
                picture,
                (round(x + dx * diameter), round(y - 0.1 * diameter)),
                round(diameter / 14),
                NOT_SKIN,
                cv2.FILLED,
            )
    return picture


def middle(box) -> tuple[float, float]:
    """The middle of a (left, top, right, bottom) box."""
    left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2
