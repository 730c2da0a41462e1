"""The texts of a prompt as tokens, and as the CLIP encodes them."""

from collections.abc import Callable
from functools import cache, partial

from ...consistentid_core.text.prompt import AssembledPrompt, Mode
from .conditioning import Conditioning
from .tokens import (
    FacialTokens,
    clean_tokens,
    host_tokens,
    original_plain_tokens,
    original_tokens,
    same_tokens,
)


class Texts:
    """Encodes each text once: several people usually share theirs.

    facial: the tokens of a text with markers.  marked: its encoding, of the text without them.
    plain: the encoding of a text that has none.
    """

    facial: Callable[[str], FacialTokens]
    marked: Callable[[str], Conditioning]
    plain: Callable[[str], Conditioning]

    def __init__(self, clip, mode: Mode):
        with_markers, without = (
            (original_tokens, original_plain_tokens) if mode == "original" else (clean_tokens, host_tokens)
        )
        encode = clip.encode_from_tokens_scheduled
        # None of these knows the object they are kept in: a circle of references would keep the CLIP in memory.
        self.facial = facial = cache(partial(with_markers, clip))
        self.marked = cache(lambda text: encode(facial(text).tokens))
        self._plain_tokens = plain_tokens = cache(partial(without, clip))
        self.plain = cache(lambda text: encode(plain_tokens(text)))

    def text_only(self, assembled: AssembledPrompt) -> Conditioning:
        """What the steps before the merge point read."""
        # Usually the same tokens: the marked words differ from the plain ones by their rows only.
        if same_tokens(self._plain_tokens(assembled.text_only), self.facial(assembled.text).tokens):
            return self.marked(assembled.text)
        return self.plain(assembled.text_only)
