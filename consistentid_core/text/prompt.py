"""Putting the prompt and the description of the face together.

``original`` mode builds the very text the original builds, ``clean`` mode the same form without
its mistakes; both leave ComfyUI's prompt syntax (weights, embeddings, escapes) in place.
Source: SPEC 3.2, and 5 and 8 for what the first steps read.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import PromptError
from ..families import FAMILIES, Family, FamilyTraits
from .caption import AlignedCaption, Order, align_caption, align_caption_by_name
from .markers import IMAGE_MARKER, MARKER, delete_markers, strip_typed_markers
from .tokens import CONTEXT_LENGTH

#: ``original``: bit-exact.  ``clean``: parts paired by name, nothing dropped or cut.
Mode = Literal["original", "clean"]
MODES: tuple[Mode, ...] = ("original", "clean")

#: The fixed caption of the inpainting and ControlNet pipelines: it names no face.
INPAINT_CAPTION = "The person has one nose, two eyes, two ears, and a mouth."

#: The original drops the description of a face whose caption is longer than this (SPEC 3.2).
MAX_CAPTION_LENGTH = 330

_EMBEDDING_AT_START = re.compile(r"embedding:")
_EMBEDDING_IN_WORD = re.compile(r"(?:^|\()embedding:.")


@dataclass(frozen=True)
class AssembledPrompt:
    """A prompt with its description of the face.

    text: with a marker after each word that carries a facial part.
    text_only: what the steps before the merge point read: the same text without markers, or the prompt
    alone, by the family.
    parts: names of the parts in use, in crop order.
    regions: the region of each marker of ``text``; None if the k-th marker belongs to the k-th part.
    notes: sentences for the user about what was left out or moved.
    """

    text: str
    text_only: str
    parts: tuple[str, ...]
    regions: tuple[str, ...] | None
    notes: tuple[str, ...]


def assemble(
    prompt: str,
    caption: str,
    parts: Sequence[str],
    *,
    family: Family,
    mode: Mode,
    count_tokens: Callable[[str], int],
    order: Order = "ears_first",
) -> AssembledPrompt:
    """Join a prompt and a face caption.

    parts: names of the facial parts at hand, in crop order.
    count_tokens: the length of a text for the first text encoder, with start, end and one token per
    marker; decides whether the original moves the description to the front. Unused in ``clean`` mode.
    order: clause order of the ``original`` mode.
    Raises PromptError if the prompt holds a word the original cannot encode.
    """
    if mode == "clean":
        return _assemble_clean(prompt, caption, parts, FAMILIES[family])
    return _assemble_original(prompt, caption, parts, FAMILIES[family], order, count_tokens)


def _assemble_original(
    prompt: str,
    caption: str,
    parts: Sequence[str],
    family: FamilyTraits,
    order: Order,
    count_tokens: Callable[[str], int],
) -> AssembledPrompt:
    if IMAGE_MARKER in prompt:
        raise PromptError(
            f"The prompt contains '{IMAGE_MARKER}', which the original cannot encode. "
            "Remove it, or choose the clean mode, which ignores it."
        )
    notes = []
    if MARKER in prompt:
        notes.append(
            f"The prompt itself contains '{MARKER}': the word before it takes a facial part, which shifts "
            "the parts after it."
        )
    aligned = align_caption(caption, parts, order=order)
    if len(caption) > MAX_CAPTION_LENGTH:
        text = prompt
        notes.append(
            f"The caption is {len(caption)} characters long: over {MAX_CAPTION_LENGTH} the original drops "
            "the facial description, so no word carries a facial part. Shorten it, or choose the clean mode."
        )
    else:
        notes += _alignment_notes(caption, parts, aligned)
        # Without the space an embedding at the border would lose its name; other texts get none.
        gap = " " if _ends_with_embedding(prompt) else ""
        text = f"{prompt}{gap}{family.lead}Detail:{aligned.text}"
        length = count_tokens(text)
        if length > CONTEXT_LENGTH:
            gap = " " if _EMBEDDING_AT_START.match(prompt) else ""
            text = f"{family.lead}Detail:{aligned.text} Caption:{gap}{prompt}"
            notes.append(
                f"Prompt and facial description take {length} of {CONTEXT_LENGTH} tokens: the original puts "
                "the description first and cuts the end of the prompt. Shorten one, or choose the clean mode."
            )
    text_only = delete_markers(text if family.describes_from_start else prompt)
    return AssembledPrompt(text, text_only, aligned.parts, None, tuple(notes))


def _assemble_clean(prompt: str, caption: str, parts: Sequence[str], family: FamilyTraits) -> AssembledPrompt:
    """The original's normal form at any length, properly separated.

    The space after ``Detail:`` changes no token of a description that starts with a letter, and
    keeps one that starts with a quote or an embedding apart from the colon.
    """
    prompt = strip_typed_markers(prompt)
    aligned = align_caption_by_name(caption, parts)
    text = prompt
    if aligned.text:
        text = f"{prompt.rstrip()}{_separator(prompt.rstrip(), family.separator)}Detail: {aligned.text}"
    text_only = text.replace(f" {MARKER}", "") if family.describes_from_start else prompt
    notes = _alignment_notes(caption, parts, aligned)
    return AssembledPrompt(text, text_only, aligned.parts, aligned.regions, tuple(notes))


def _separator(prompt: str, usual: str) -> str:
    """What stands between a prompt and its description: one stop and a space."""
    if not prompt:
        return ""
    if prompt[-1] in ",.;:!?":
        return " "
    # Behind an embedding's name, only a space or comma ends the name.
    ends_name = usual.startswith((" ", ","))
    return usual if ends_name or not _ends_with_embedding(prompt) else f" {usual}"


def _ends_with_embedding(prompt: str) -> bool:
    """Whether a prompt's last letters belong to the name of an embedding."""
    prompt = prompt.removesuffix("\n")  # To the host it is no end of a name.
    if not prompt or prompt[-1].isspace():
        return False
    return _EMBEDDING_IN_WORD.search(prompt.rsplit(maxsplit=1)[-1]) is not None


def _alignment_notes(caption: str, parts: Sequence[str], aligned: AlignedCaption) -> list[str]:
    """What the user should know about a caption and the parts at hand."""
    if not caption.strip():
        return ["The caption is empty: no word carries a facial part."]
    if not parts:
        return ["There are no facial parts: no word carries one."]
    notes = []
    if aligned.missing:
        notes.append(f"No word for: {', '.join(aligned.missing)}. These parts are not used.")
    markers = aligned.text.count(MARKER)
    if markers != len(aligned.parts):
        notes.append(
            f"The original lost words while it rearranged the caption: {markers} left for "
            f"{len(aligned.parts)} parts, paired by rank. End the caption with a full stop, or choose the "
            "clean mode."
        )
    return notes
