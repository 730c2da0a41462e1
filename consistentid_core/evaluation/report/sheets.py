"""Small pictures, in the page itself."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from ...data.sources import UnusableError, open_photo

#: Of a picture and of the reference in its corner, in pixels.
_SIDE, _REFERENCE_SIDE = 360, 120


def sheet(pictures: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> str:
    """Pictures with their scores and the photo of whom they are to show."""
    figures = []
    for picture, text in zip(pictures, scores, strict=True):
        drawn = embedded(Path(picture["file"]), _SIDE, picture["person"])
        if not drawn:
            continue
        reference = embedded(Path(picture["reference"]), _REFERENCE_SIDE, "reference", "reference")
        said = escape(picture["prompt"] or picture["name"])
        figures.append(
            f'<figure title="{said}"><div class="frame">{drawn}{reference}<b>{escape(text)}</b></div>'
            f"<figcaption><b>{escape(picture['person'])}</b>{said}</figcaption></figure>"
        )
    return f'<div class="sheet">{"".join(figures)}</div>' if figures else "<p>None.</p>"


def embedded(path: Path, side: int, alt: str, kind: str = "") -> str:
    """A picture as an element that holds it; empty if it is not there any more. Upright and in RGB, as judged."""
    try:
        small = Image.fromarray(open_photo(path.read_bytes())[0])
    except (OSError, UnusableError):
        return ""
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    data = base64.b64encode(buffer.getvalue()).decode()
    named = f' class="{kind}"' if kind else ""
    return f'<img{named} alt="{escape(alt, quote=True)}" src="data:image/jpeg;base64,{data}">'
