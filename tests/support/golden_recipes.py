"""Inputs that the golden manifests describe in words: ``softmax(normal('loss.a',(16,64,77),std=2.0))``."""

import re

import torch
from golden_set import image, normal

_IMAGE = re.compile(r"synthetic\.image\('([^']+)',\s*(\d+),\s*(\d+)\)")
_NORMAL = re.compile(r"normal\('([^']+)',\s*\(([\d,\s]+)\)(?:,\s*std=([\d.]+))?\)")


def shape(text: str) -> tuple[int, ...]:
    """The first bracketed shape in a text: "fe.image2 (2,5,257,1280)" -> (2, 5, 257, 1280)."""
    return tuple(int(size) for size in re.search(r"\(([\d,\s]+)\)", text)[1].split(",") if size.strip())


def normals(text: str) -> dict[str, torch.Tensor]:
    """Every ``normal(...)`` in a text, by its key."""
    return {
        key: normal(key, [int(size) for size in sizes.split(",") if size.strip()], float(std or 1))
        for key, sizes, std in _NORMAL.findall(text)
    }


def picture(text: str):
    """The one ``synthetic.image(...)`` in a text: uint8 RGB (H, W, 3)."""
    key, height, width = _IMAGE.search(text).groups()
    return image(key, int(height), int(width))


def tensor(text: str) -> torch.Tensor:
    """The one ``normal(...)`` in a text, without what is done to it."""
    (only,) = normals(text).values()
    return only
