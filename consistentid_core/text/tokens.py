"""From a text with markers to tokens without, and the rows of the words they marked.

The tokenizer is an argument, and tokens may be of any kind (ids, or ids with weights).
Source: SPEC 3.3.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..errors import PromptError
from ..regions import REGIONS
from .markers import MARKER

#: Rows of one text encoding, start and end included.
CONTEXT_LENGTH = 77

#: The facial encoder takes this many words, one per region.
MAX_FACIAL_TOKENS = len(REGIONS)

Token = TypeVar("Token")


@dataclass(frozen=True)
class MarkedTokens(Generic[Token]):
    """The tokens of a text and where its markers stood.

    tokens: without start, end and padding.
    markers: for each marker the index of the token before it; -1 is the start token.
    """

    tokens: tuple[Token, ...]
    markers: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens with start, end and one per marker: what the original measures against 77."""
        return len(self.tokens) + len(self.markers) + 2


def mark_tokens(text: str, tokenize: Callable[[str], Iterable[Token]]) -> MarkedTokens[Token]:
    """Tokenize the text between the markers.

    tokenize: a piece of text -> its tokens, without start, end and padding.
    A word of several tokens is represented by its last.
    """
    tokens: list[Token] = []
    markers: list[int] = []
    for number, piece in enumerate(text.split(MARKER)):
        if number > 0:
            markers.append(len(tokens) - 1)
        tokens.extend(tokenize(piece))
    return MarkedTokens(tuple(tokens), tuple(markers))


def join_marked(parts: Iterable[MarkedTokens[Token]]) -> MarkedTokens[Token]:
    """One text from consecutive parts of it that were tokenized apart."""
    tokens: list[Token] = []
    markers: list[int] = []
    for part in parts:
        markers.extend(len(tokens) + marker for marker in part.markers)
        tokens.extend(part.tokens)
    return MarkedTokens(tuple(tokens), tuple(markers))


def single_row(
    tokens: Sequence[Token], *, start: Token, end: Token, pad: Token, keep_end: bool
) -> list[Token]:
    """One row of 77: start, tokens, end, padding.

    keep_end: whether a row that had to be cut gets its end token back. The original does so for plain
    texts and not for those with facial words (SPEC 6.11).
    """
    row = [start, *tokens, end]
    if len(row) > CONTEXT_LENGTH:
        return [*row[: CONTEXT_LENGTH - 1], end] if keep_end else row[:CONTEXT_LENGTH]
    return row + [pad] * (CONTEXT_LENGTH - len(row))


def row_positions(markers: Iterable[int]) -> tuple[int, ...]:
    """The marked positions in a single row, ascending.

    Two markers behind one token count once; positions that were cut off are left out.
    """
    return tuple(sorted({marker + 1 for marker in markers if marker + 1 < CONTEXT_LENGTH}))


def facial_slots(positions: Sequence[int]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """The positions padded with 0 to one for each region, and which of them are real.

    Raises PromptError if there are more.
    """
    count = len(positions)
    if count > MAX_FACIAL_TOKENS:
        raise PromptError(
            f"The prompt marks {count} words with '{MARKER}', the facial description included; "
            f"the facial encoder takes {MAX_FACIAL_TOKENS}. Remove '{MARKER}' from the prompt."
        )
    padding = MAX_FACIAL_TOKENS - count
    return (*positions, *(0,) * padding), (*(True,) * count, *(False,) * padding)


# The two kinds of characters that ftfy changes and that people type: curly quotes, and the
# full-width letters and punctuation of East Asian input methods.
_PLAIN_CHARACTERS = {
    **dict.fromkeys([0x02BC, *range(0x2018, 0x201C)], "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
    **{code: unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFEF))},
}


def plain_characters(text: str) -> str:
    """Curly quotes made straight and full-width characters normal.

    The original's tokenizer cleans its text with ftfy, the tokenizers of today do not.
    """
    return text.translate(_PLAIN_CHARACTERS)
