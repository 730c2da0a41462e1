"""The text of one training sample, framed as in the original's dataset.

Source: SPEC 7.1, "Text". Inference uses another frame (:mod:`.prompt`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .caption import Order, align_caption
from .tokens import (
    CONTEXT_LENGTH,
    facial_slots,
    mark_tokens,
    plain_characters,
    row_positions,
    single_row,
)

#: Above this many characters (markers included) the description of the face is left out.
MAX_ALIGNED_LENGTH = 340

#: CLIP-L's start and end; it pads with the end token.
START_TOKEN, END_TOKEN = 49406, 49407


@dataclass(frozen=True)
class TrainingText:
    """text: with markers.  parts: names of the parts whose crops are trained, in crop order."""

    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class TrainingTokens:
    """What the training step reads.

    ids: 77 token ids, cut without restoring the end token.
    indices: five rows of facial words, 0 where there is none.  valid: which of them are real.
    """

    ids: tuple[int, ...]
    indices: tuple[int, ...]
    valid: tuple[bool, ...]


def training_text(
    general_caption: str,
    face_caption: str,
    parts: Sequence[str],
    *,
    count_tokens: Callable[[str], int],
    dropped: bool = False,
    order: Order = "ears_first",
) -> TrainingText:
    """Join the caption of a picture and that of its face.

    count_tokens: length of a text with start, end and one token per marker.
    dropped: the sample lost its text to classifier-free dropout. Its parts stay; with no
    text there is no word to carry them.
    """
    aligned = align_caption(face_caption, parts, order=order)
    text = "" if dropped else framed_text(general_caption, aligned.text, count_tokens)
    return TrainingText(text, aligned.parts)


def framed_text(general_caption: str, aligned: str, count_tokens: Callable[[str], int]) -> str:
    """The general caption with the aligned caption of the face behind its first sentence.

    The face goes first if the text is too long for a row, and is left out if its caption alone is very long.
    """
    if len(aligned) > MAX_ALIGNED_LENGTH:
        return general_caption
    head, stop, rest = general_caption.partition(".")
    # The last character goes whatever it is; usually it is the full stop.
    text = f"Caption:{head}{stop} Detail:{aligned}{rest[:-1]}"
    if count_tokens(text) > CONTEXT_LENGTH:
        return f"Detail:{aligned} Caption:{general_caption}"
    return text


def training_tokens(text: str, tokenize: Callable[[str], Iterable[int]]) -> TrainingTokens:
    """The ids of a training text and the rows of its facial words.

    tokenize: a piece of text -> CLIP-L ids, without start and end.
    """
    marked = mark_tokens(text, lambda piece: tokenize(plain_characters(piece)))
    ids = single_row(marked.tokens, start=START_TOKEN, end=END_TOKEN, pad=END_TOKEN, keep_end=False)
    indices, valid = facial_slots(row_positions(marked.markers))
    return TrainingTokens(tuple(ids), indices, valid)
