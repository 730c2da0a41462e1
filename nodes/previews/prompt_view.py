"""What Encode Facial Prompt shows of its work: the final text with its facial words, and the crops."""

import re
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ...consistentid_core.faces.face_parts import FaceParts, FacePhoto
from ...consistentid_core.faces.pictures import crops
from ...consistentid_core.memory import remember
from ...consistentid_core.regions import region_named, region_of_word
from ...consistentid_core.text.markers import MARKER
from ..prompt.facial_prompt import FacialPrompt
from . import temp_pictures
from .parts import MAX_PHOTOS

_LETTERS = re.compile(r"\w+")


def describe(encoded: FacialPrompt, face_parts: FaceParts) -> dict:
    """The ``ui`` result of the node.

    ``consistentid_prompt``: the final text, whole, in pieces (see :func:`prompt_pieces`) and with brackets; its
    words: word, region of the fused crop, row; notes for the user; and the first photo, as a temporary file (None
    if all are stored).
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
                "photo": _save_photo(face_parts),
            }
        ],
        "consistentid_crops": save_crops(face_parts),
    }


def _save_photo(face_parts: FaceParts) -> dict[str, str] | None:
    """Kept with the photo: a view shows it again with every changed word."""
    pictured = next((photo for photo in face_parts.photos if isinstance(photo, FacePhoto)), None)
    if pictured is None:
        return None
    image = pictured.image
    return remember(
        "shown photo",
        (pictured,),
        lambda: temp_pictures.save(temp_pictures.jpeg(temp_pictures.shrunk(image)), ".jpg"),
    )


def plain_text(encoded: FacialPrompt) -> str:
    """The prompt without markers."""
    return encoded.assembled.text.replace(f" {MARKER}", "").replace(MARKER, "")


def prompt_pieces(encoded: FacialPrompt) -> list[dict[str, Any]]:
    """The plain text cut into pieces, for an interface to colour.

    A word that carries a part is a piece of its own: ``text``, of the fused crop ``region``, ``label`` and ``colour``
    (``#rrggbb``), and ``is_other``, whether the word names another part or none. The others have ``text`` alone.
    """
    pieces: list[dict[str, Any]] = []
    passages, rest = _passages(encoded)
    for passage in passages:
        if passage.region is None:
            pieces.append({"text": passage.before + passage.word + passage.behind})
            continue
        marked = {"text": passage.word, **_appearance(passage.region), "is_other": passage.names_other}
        pieces += [{"text": passage.before}, marked, {"text": passage.behind}]
    pieces.append({"text": rest})
    return [piece for piece in pieces if piece["text"]]


def marked_words(encoded: FacialPrompt) -> list[dict[str, Any]]:
    """The words that carry a part: the word, the region of the fused crop (None: padding) and the row."""
    words = [passage.word for passage in _passages(encoded)[0] if passage.word]
    return [
        {"word": word, "region": region, "position": position}
        for word, region, position in zip(words, encoded.regions, encoded.positions, strict=False)
    ]


def as_text(encoded: FacialPrompt) -> str:
    """The prompt with its facial words in brackets; a crop of another region is named behind the word."""
    text = ""
    passages, rest = _passages(encoded)
    for passage in passages:
        other = f" ← {passage.region}" if passage.names_other else ""
        text += passage.before + (f"[{passage.word}{other}]" if passage.word else "")
    return "\n".join([(text + rest).strip(), *encoded.notes])


@dataclass(frozen=True)
class _Passage:
    """The text up to a marker, around the word before the marker.

    word: without an opening bracket; "" if there is none, because markers in a row share the word before the first.
    region: of the crop that is fused into the word; None for padding and for words beyond the last row.
    """

    before: str
    word: str
    behind: str
    region: str | None

    @property
    def names_other(self) -> bool:
        """Whether the word carries a part and does not name it: the original's "ears" carries the eyes."""
        letters = _LETTERS.findall(self.word)
        return self.region is not None and (not letters or region_of_word(letters[-1]) != self.region)


def _passages(encoded: FacialPrompt) -> tuple[list[_Passage], str]:
    """The text of a prompt up to each of its markers, and what follows the last."""
    *texts, rest = encoded.assembled.text.split(MARKER)
    regions = iter(encoded.regions)
    passages = []
    for text in texts:
        # The space before a marker belongs to it.
        before, word, behind = _around_last_word(text.removesuffix(" "))
        passages.append(_Passage(before, word, behind, next(regions, None) if word else None))
    return passages, rest


def _around_last_word(text: str) -> tuple[str, str, str]:
    """What comes before the last word, the word without an opening bracket, the spaces behind it.

    Backwards, because a pattern that begins with "anything" tries every letter of a long word as its first.
    """
    end = len(text.rstrip())
    start = end
    while start > 0 and text[start - 1] != "(" and not text[start - 1].isspace():
        start -= 1
    return text[:start], text[start:end], text[end:]


def _appearance(region: str) -> dict[str, str]:
    """How an interface names and colours a region."""
    found = region_named(region)
    return {"region": region, "label": found.label, "colour": "#{:02x}{:02x}{:02x}".format(*found.colour)}


def save_crops(face_parts: FaceParts) -> list[dict[str, str]]:
    """The crops of the first photos as CLIP sees them, 224 x 224, as temporary files; stored photos have none."""
    pictured = [photo for photo in face_parts.photos if isinstance(photo, FacePhoto)]
    return [
        {
            "name": part.name,
            **_appearance(part.region),
            **temp_pictures.save(temp_pictures.encoded(Image.fromarray(picture), "PNG"), ".png"),
        }
        for part, picture in crops(FaceParts(tuple(pictured[:MAX_PHOTOS])))
    ]
