"""The two words the original adds to the tokenizer, and how to take them out of a text again.

They never reach a text encoder: a marker only says which word before it carries a facial part.
Source: SPEC 3.1 (step 6), 3.2, 3.3.
"""

import re

#: Follows the word whose embedding is fused with a facial part.
MARKER = "<|facial|>"

#: Known to the original's tokenizer and never used by it.
IMAGE_MARKER = "<|image|>"

_ANY_MARKER = re.compile(f"{re.escape(MARKER)}|{re.escape(IMAGE_MARKER)}")


def delete_markers(text: str) -> str:
    """The text with both marker words deleted and nothing else: double spaces stay (SPEC 3.2)."""
    return text.replace(MARKER, "").replace(IMAGE_MARKER, "")


def strip_typed_markers(text: str) -> str:
    """The text a user meant who typed a marker word: each, with the spaces around it, becomes a single space."""
    # The spaces are no part of the pattern: one that begins with them looks at a run of spaces again for each.
    first, *rest = _ANY_MARKER.split(text)
    return (
        " ".join([first.rstrip(), *(piece.strip() for piece in rest[:-1]), rest[-1].lstrip()])
        if rest
        else text
    )
