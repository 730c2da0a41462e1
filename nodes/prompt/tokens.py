"""Prompts through the connected CLIP: tokens for its encoder, and the rows of the facial words.

``clip`` is ComfyUI's CLIP object everywhere, of an SD1.5 (encoder ``l``) or SDXL model (``l`` and
``g``). The host parses weights, embeddings and escapes; this module only asks it piece by piece
where the text carries markers, so everything it accepts in a prompt keeps working.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import torch
from comfy.sd1_clip import escape_important, token_weights, unescape_important

from ...consistentid_core.errors import ModelMismatchError, PromptError
from ...consistentid_core.families import FAMILIES, Family, family_of_encoders
from ...consistentid_core.text.markers import MARKER
from ...consistentid_core.text.tokens import (
    MarkedTokens,
    facial_slots,
    join_marked,
    mark_tokens,
    plain_characters,
    row_positions,
    single_row,
)

#: A token id, or one vector of a textual inversion embedding; and its weight.
WeightedToken = tuple[int | torch.Tensor, float]

#: What ``clip.encode_from_tokens_scheduled`` takes: chunks of tokens per encoder.
HostTokens = dict[str, list[list[WeightedToken]]]

#: The encoder whose token positions count. SDXL's second one follows it (SPEC 8).
FIRST_ENCODER = "l"


@dataclass(frozen=True)
class FacialTokens:
    """A prompt ready to be encoded, and where its facial words are.

    tokens: for ``clip.encode_from_tokens_scheduled``; the facial words weigh 1 in them.
    positions: rows of the encoded prompt, counted through its chunks. Original: ascending, one for
    each marked row. Clean: one for each marker, in text order.
    weights: the weight each position had in the prompt; to be applied to the fused row.
    cut: how many marked words lie beyond the last row.
    """

    tokens: HostTokens
    positions: tuple[int, ...]
    weights: tuple[float, ...]
    cut: int = 0


def clip_family(clip) -> Family:
    """The model family a CLIP belongs to; raises ModelMismatchError if it is neither SD1.5 nor SDXL."""
    encoders = sorted(clip.tokenize(""))
    family = family_of_encoders(encoders)
    if family is None:
        known = [f"an {row.label} model ({' and '.join(row.text_encoders)})" for row in FAMILIES.values()]
        raise ModelMismatchError(
            f"The connected CLIP has the text encoders {', '.join(encoders)}. ConsistentID needs that of "
            f"{' or '.join(known)}: connect the CLIP output of such a checkpoint."
        )
    return family


def token_counter(clip) -> Callable[[str], int]:
    """Counts a text's tokens as the original does: with start, end and one token per marker."""
    return lambda text: tokenize_with_markers(clip, text, clean=plain_characters)[FIRST_ENCODER].length


def original_tokens(clip, text: str) -> FacialTokens:
    """One row of 77 tokens, cut without an end token, as the original encodes the marked prompt.

    SDXL's second encoder reads the markers as words, as it does in the original, so from
    the first marker on its rows are shifted against the first one's (SPEC 6.10).
    Raises PromptError if more than five words are marked.
    """
    marked = tokenize_with_markers(clip, text, clean=plain_characters)
    contents = _tokenize(clip, text, clean=plain_characters)
    contents[FIRST_ENCODER] = marked[FIRST_ENCODER].tokens
    markers = marked[FIRST_ENCODER].markers
    positions = row_positions(markers)
    facial_slots(positions)  # Refuses more positions than the facial encoder has slots.
    tokens = _single_rows(clip, contents, keep_end=False)
    return _facial_tokens(tokens, positions, cut=len(set(markers)) - len(positions))


def original_plain_tokens(clip, text: str) -> HostTokens:
    """One row of 77 tokens, cut before the end token, as the original encodes a text without markers."""
    return _single_rows(clip, _tokenize(clip, text, clean=plain_characters), keep_end=True)


def host_tokens(clip, text: str) -> HostTokens:
    """The host's own tokens of a text without markers."""
    return clip.tokenize(text)


def clean_tokens(clip, text: str) -> FacialTokens:
    """The host's own tokens of the prompt without its markers, in as many chunks as it takes.

    Raises PromptError if a marker stands where it splits a word or changes the meaning of a bracket.
    """
    marked = tokenize_with_markers(clip, text)
    chunks = clip.tokenize(text.replace(MARKER, ""), return_word_ids=True)
    for encoder, expected in marked.items():
        content = [entry[:2] for chunk in chunks[encoder] for entry in chunk if entry[2] != 0]
        if len(content) != len(expected.tokens) or not all(map(_same_token, content, expected.tokens)):
            raise PromptError(
                f"A marker '{MARKER}' in the prompt changes how the words around it are read (encoder "
                f"'{encoder}'). Put it directly behind a whole word. Text: {text}"
            )
    rows = [index for index, entry in enumerate(_flat(chunks[FIRST_ENCODER])) if entry[2] != 0]
    positions = tuple(rows[marker] if marker >= 0 else 0 for marker in marked[FIRST_ENCODER].markers)
    tokens = {encoder: [[entry[:2] for entry in chunk] for chunk in chunks[encoder]] for encoder in chunks}
    return _facial_tokens(tokens, positions)


def tokenize_with_markers(
    clip, text: str, *, clean: Callable[[str], str] = str
) -> dict[str, MarkedTokens[WeightedToken]]:
    """A text's tokens and marker positions for each text encoder.

    Without a marker inside a word, the tokens are those of ``clip.tokenize`` for the text without
    markers, less start, end and padding.
    clean: applied to the text between brackets and markers before it is tokenized.
    """
    content = cache(lambda piece: _content(clip, clean(piece)))
    segments = list(_segments(text))

    def marked(encoder: str, segment: str, weight: float) -> MarkedTokens[WeightedToken]:
        return mark_tokens(segment, lambda piece: [(token, weight) for token in content(piece)[encoder]])

    return {
        encoder: join_marked(marked(encoder, segment, weight) for segment, weight in segments)
        for encoder in content("")
    }


def escape_brackets(text: str) -> str:
    """A prompt that the host reads as the literal text, brackets included."""
    return text.replace("(", "\\(").replace(")", "\\)")


def same_tokens(one: HostTokens, other: HostTokens) -> bool:
    """Whether two texts were tokenized to the same, weights and embeddings included."""
    if one.keys() != other.keys():
        return False
    pairs = [(list(_flat(one[encoder])), list(_flat(other[encoder]))) for encoder in one]
    return all(len(a) == len(b) and all(map(_same_token, a, b)) for a, b in pairs)


def _tokenize(clip, text: str, clean: Callable[[str], str]) -> dict[str, tuple[WeightedToken, ...]]:
    """A text's tokens for each text encoder; a marker is a word like any other."""
    contents: dict[str, list[WeightedToken]] = {encoder: [] for encoder in clip.tokenize("")}
    for segment, weight in _segments(text):
        for encoder, tokens in _content(clip, clean(segment)).items():
            contents[encoder] += [(token, weight) for token in tokens]
    return {encoder: tuple(tokens) for encoder, tokens in contents.items()}


def _segments(text: str) -> Iterator[tuple[str, float]]:
    """The literal pieces of a prompt with their weights, by the host's own bracket rules."""
    for segment, weight in token_weights(escape_important(text), 1.0):
        yield unescape_important(segment), weight


def _content(clip, literal: str) -> dict[str, list[int | torch.Tensor]]:
    """The tokens of a piece without brackets to interpret, less start, end and padding."""
    # Word id 0 marks start, end and padding; a token id cannot, since the end token also pads.
    return {
        encoder: [token for token, _, word in _flat(chunks) if word != 0]
        for encoder, chunks in clip.tokenize(escape_brackets(literal), return_word_ids=True).items()
    }


def _flat(chunks: list[list[Any]]) -> Iterator[Any]:
    return (entry for chunk in chunks for entry in chunk)


def _single_rows(clip, contents: dict[str, tuple[WeightedToken, ...]], *, keep_end: bool) -> HostTokens:
    """One chunk of 77 for each encoder, with its own start, end and padding tokens."""
    rows: HostTokens = {}
    for encoder, chunks in clip.tokenize("").items():
        start, end, pad = chunks[0][:3]
        rows[encoder] = [single_row(contents[encoder], start=start, end=end, pad=pad, keep_end=keep_end)]
    return rows


def _facial_tokens(tokens: HostTokens, positions: tuple[int, ...], cut: int = 0) -> FacialTokens:
    """Set the facial rows' weights to 1 and remember what they were for the first encoder."""
    weights = [weight for _, weight in _flat(tokens[FIRST_ENCODER])]
    neutral: HostTokens = {}
    for encoder, chunks in tokens.items():
        row = count()
        neutral[encoder] = [
            [(token, 1.0 if next(row) in positions else weight) for token, weight in chunk]
            for chunk in chunks
        ]
    return FacialTokens(neutral, positions, tuple(weights[position] for position in positions), cut)


def _same_token(one: WeightedToken, other: WeightedToken) -> bool:
    if one[1] != other[1]:
        return False
    if isinstance(one[0], torch.Tensor) and isinstance(other[0], torch.Tensor):
        return torch.equal(one[0], other[0])
    return type(one[0]) is type(other[0]) and one[0] == other[0]
