"""A long prompt or caption costs work in proportion to its length, whatever it is made of.

Anybody can paste 100,000 letters without a space; a server that takes minutes over them serves nobody else.
"""

import re

import pytest
from counted_work import is_linear, lines_run, patterns_of, regex_steps

from consistentid_core.text import caption, markers, pairing, prompt, tokens
from consistentid_core.text.caption import ORDERS, align_caption, align_caption_by_name
from consistentid_core.text.markers import IMAGE_MARKER, MARKER, strip_typed_markers
from consistentid_core.text.pairing import marked_words
from consistentid_core.text.prompt import MODES, assemble
from consistentid_core.text.tokens import mark_tokens

PARTS = ["Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip"]

#: What a text repeats, and how it ends.
REPEATED = [
    "a",
    " ",
    "\n",
    ".",
    ",",
    "(",
    "\\",
    "embedding:",
    "(embedding:",
    "embedding:face ",
    "face ",
    f"{MARKER} ",
]
ENDS = ["", "x", " face, one nose."]


PATTERNS = {
    pattern.pattern: pattern
    for module in (caption, markers, pairing, prompt, tokens)
    for pattern in patterns_of(module)
}


def test_the_counter_sees_quadratic_work():
    spaces_first = re.compile(r"\s+x")
    assert not is_linear(lambda count: regex_steps(spaces_first, " " * count))
    assert is_linear(lambda count: regex_steps(re.compile("x"), " " * count))
    assert not is_linear(lambda count: lines_run(lambda: [i for i in range(count) for _ in range(i) if i]))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("end", ENDS)
def test_every_pattern_is_linear(pattern, end):
    for repeated in REPEATED:
        assert is_linear(lambda count: regex_steps(PATTERNS[pattern], repeated * count + end)), repeated  # noqa: B023


FUNCTIONS = {
    "by name": lambda text: align_caption_by_name(text, PARTS),
    **{order: lambda text, order=order: align_caption(text, PARTS, order=order) for order in ORDERS},
    "typed markers": lambda text: strip_typed_markers(text + IMAGE_MARKER),
    "marked words": marked_words,
    "tokens": lambda text: mark_tokens(text, str.split),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("repeated", REPEATED)
def test_every_function_is_linear(function, repeated):
    for end in ENDS:
        assert is_linear(lambda count: lines_run(FUNCTIONS[function], repeated * count + end)), end  # noqa: B023


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("repeated", REPEATED)
def test_assembling_is_linear(mode, repeated):
    def put_together(text):
        assemble(text, text, PARTS, family="sdxl", mode=mode, count_tokens=len)

    for end in ENDS:
        assert is_linear(lambda count: lines_run(put_together, repeated * count + end)), end  # noqa: B023
