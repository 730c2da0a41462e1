"""Texts from foreign files in messages: bounded and printable, whatever the file says."""

import re
from collections.abc import Sequence

#: Real keys of weights have up to about a hundred characters.
LONGEST_QUOTE = 120


def quoted(text: object, limit: int = LONGEST_QUOTE) -> str:
    """A text of a file as it may stand in a message: at most about ``limit`` characters, all of them printable."""
    text = str(text)
    more = f"… ({len(text):,} characters)" if len(text) > limit else ""
    return re.sub(r"\W", _printable, text[:limit]) + more


def _printable(character: re.Match[str]) -> str:
    return character[0] if character[0].isprintable() else "\N{REPLACEMENT CHARACTER}"


def listed(texts: Sequence[str], limit: int = 5) -> str:
    """The first ``limit`` texts, and how many more there are."""
    more = f" and {len(texts) - limit:,} more" if len(texts) > limit else ""
    return ", ".join(map(quoted, texts[:limit])) + more
