"""What the first step of a run would see, as pictures and texts to look at before days of training."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..regions import REGIONS, region_of_part
from ..text.markers import MARKER
from .draws import SampleDraws
from .items import Item, as_picture

_COLOURS = {region.name: region.colour for region in REGIONS}


def write_dry_run(
    folder: Path, items: Sequence[Item], draws: Sequence[SampleDraws], notes: Sequence[str]
) -> Path:
    """A page with each sample of a batch: its square with coloured parts, its foreground, its text with marked words.

    notes: sentences at the top.  Returns the page's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (item, draw) in enumerate(zip(items, draws, strict=True)):
        pictures = {
            "picture": as_picture(item.pixels),
            "parts": Image.fromarray(coloured_parts(item)),
            "foreground": as_picture(item.pixels * item.foreground),
        }
        for name, picture in pictures.items():
            picture.save(folder / f"{number:02d}_{name}.png")
        shown = "".join(f'<img src="{number:02d}_{name}.png" alt="{name}">' for name in pictures)
        words = (
            html.escape(item.text).replace(html.escape(MARKER), "<mark>&#9670;</mark>") or "<i>dropped</i>"
        )
        has_face = "yes" if bool(item.id_vector.any()) else "no"
        rows.append(
            f"<h2>{html.escape(item.key)}</h2>{shown}<p>{words}</p><p>time step {draw.timestep}, parts: "
            f"{html.escape(', '.join(item.parts) or 'none')}, face vector: {has_face}</p>"
        )
    top = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    page = folder / "index.html"
    page.write_text(
        '<!doctype html><meta charset="utf-8"><title>First batch</title>'
        "<style>body{font:16px sans-serif;margin:2em}img{width:256px}mark{background:#fc6}</style>"
        f"<h1>First batch</h1><ul>{top}</ul>{''.join(rows)}",
        "utf-8",
    )
    return page


def coloured_parts(item: Item) -> np.ndarray:
    """The square of a sample with its parts in their regions' colours, uint8 (S, S, 3)."""
    picture = np.asarray(as_picture(item.pixels), np.float32)
    for mask, part in zip(item.part_masks.numpy(), item.parts, strict=False):
        share = 0.5 * mask[..., None]
        picture = (1 - share) * picture + share * np.array(_COLOURS[region_of_part(part)], np.float32)
    return picture.round().astype(np.uint8)
