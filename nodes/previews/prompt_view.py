"""What Encode Facial Prompt shows of its work: the final text with its facial words, and the crops."""

import re

import torch
from comfy_api.latest import io, ui

from ...consistentid_core.faces.clip_pixels import CLIP_MEAN, CLIP_STD
from ...consistentid_core.faces.face_parts import FaceParts
from ...consistentid_core.regions import region_named
from ...consistentid_core.text.markers import MARKER
from ..person.facial_features import crop_pixels
from ..prompt.facial_prompt import FacialPrompt

#: What comes before the last word, the word without an opening bracket, the space behind it.
_LAST_WORD = re.compile(r"(.*?)([^\s(]+)(\s*)", re.DOTALL)


def describe(encoded: FacialPrompt, face_parts: FaceParts) -> dict:
    """The ``ui`` result of the node.

    ``consistentid_prompt``: the final text, whole, in pieces (see :func:`prompt_pieces`) and with brackets; its
    words: word, region of the fused crop, row; and notes for the user.
    ``consistentid_crops``: the crops as CLIP sees them, as temporary files, with label and colour of their region.
    """
    return {
        "consistentid_prompt": [
            {
                "text": plain_text(encoded),
                "pieces": prompt_pieces(encoded),
                "marked_text": as_text(encoded),
                "words": marked_words(encoded),
                "notes": list(encoded.notes),
            }
        ],
        "consistentid_crops": save_crops(face_parts),
    }


def plain_text(encoded: FacialPrompt) -> str:
    """The prompt without markers."""
    return encoded.assembled.text.replace(f" {MARKER}", "").replace(MARKER, "")


def prompt_pieces(encoded: FacialPrompt) -> list[dict[str, str]]:
    """The plain text cut into pieces, for an interface to colour.

    A word that carries a part is a piece of its own: ``text``, and of the fused crop ``region``, ``label`` and
    ``colour`` (``#rrggbb``). The other pieces have their ``text`` alone.
    """
    *marked, rest = encoded.assembled.text.split(MARKER)
    regions = iter(encoded.regions)
    pieces: list[dict[str, str]] = []
    for passage in marked:
        # The space before a marker belongs to it; markers in a row share the word before the first of them.
        match = _LAST_WORD.fullmatch(passage.removesuffix(" "))
        region = next(regions, None) if match else None
        if match is None or region is None:
            pieces.append({"text": passage.removesuffix(" ")})
            continue
        before, word, after = match.groups()
        pieces += [{"text": before}, {"text": word, **_appearance(region)}, {"text": after}]
    pieces.append({"text": rest})
    return [piece for piece in pieces if piece["text"]]


def _appearance(region: str) -> dict[str, str]:
    """How an interface names and colours a region."""
    found = region_named(region)
    return {"region": region, "label": found.label, "colour": "#{:02x}{:02x}{:02x}".format(*found.colour)}


def marked_words(encoded: FacialPrompt) -> list[dict]:
    """The words that carry a part: the word, the region of the fused crop (None: padding) and the row."""
    # Markers in a row share the word before the first of them.
    words = [piece.split()[-1] for piece in encoded.assembled.text.split(MARKER)[:-1] if piece.strip()]
    return [
        {"word": word, "region": region, "position": position}
        for word, region, position in zip(words, encoded.regions, encoded.positions, strict=False)
    ]


def as_text(encoded: FacialPrompt) -> str:
    """The prompt with its facial words in brackets; a crop of another region is named behind the word."""
    pieces = encoded.assembled.text.split(MARKER)
    regions = iter(encoded.regions)
    text = ""
    for piece in pieces[:-1]:
        if not piece.strip():
            continue
        head, _, word = piece.rstrip().rpartition(" ")
        region = next(regions, None)
        text += f"{head} [{word}]" if region in (word, None) else f"{head} [{word} ← {region}]"
    return "\n".join([(text + pieces[-1]).strip(), *encoded.notes])


def save_crops(face_parts: FaceParts) -> list[dict]:
    """The crops as CLIP sees them, 224 x 224, in ComfyUI's temporary folder; stored photos have none."""
    parts = [part for _, part in face_parts.pictured_parts()]
    if not parts:
        return []
    pixels = crop_pixels(face_parts).permute(0, 2, 3, 1)  # BCHW -> BHWC
    pictures = (pixels * torch.tensor(CLIP_STD) + torch.tensor(CLIP_MEAN)).clamp(0, 1)
    saved = ui.ImageSaveHelper.save_images(
        pictures, filename_prefix="ConsistentID_crop", folder_type=io.FolderType.temp, cls=None
    )
    return [
        {"name": part.name, **_appearance(part.region), **file}
        for part, file in zip(parts, saved, strict=True)
    ]
