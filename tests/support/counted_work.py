"""How much work a text costs, counted and not timed: steps of a regular expression, and lines of Python that run.

Work that grows with the square of a text's length freezes the server on a long one. A count of steps at two lengths
shows it with texts of a few hundred letters, and gives the same number on every machine.
"""

import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

if sys.version_info >= (3, 11):
    from re import _constants as codes
    from re import _parser as parser
else:
    import sre_constants as codes
    import sre_parse as parser

_SPACES, _WORDS, _DIGITS = (re.compile(pattern) for pattern in (r"\s", r"\w", r"\d"))
_CATEGORIES = {
    codes.CATEGORY_SPACE: lambda letter: bool(_SPACES.match(letter)),
    codes.CATEGORY_NOT_SPACE: lambda letter: not _SPACES.match(letter),
    codes.CATEGORY_WORD: lambda letter: bool(_WORDS.match(letter)),
    codes.CATEGORY_NOT_WORD: lambda letter: not _WORDS.match(letter),
    codes.CATEGORY_DIGIT: lambda letter: bool(_DIGITS.match(letter)),
    codes.CATEGORY_NOT_DIGIT: lambda letter: not _DIGITS.match(letter),
}


def is_linear(cost: Callable[[int], int], length: int = 60) -> bool:
    """Whether twice the text costs at most about twice as much."""
    cost(1)  # What is done once, at the first call, is no matter of length.
    return cost(2 * length) <= 2.2 * cost(length) + 200


def lines_run(function: Callable[..., object], *arguments: object) -> int:
    """The lines of Python code that run during a call, those of every function it calls included."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return lines


def regex_steps(pattern: re.Pattern[str], text: str) -> int:
    """What a backtracking engine compares while it looks for every match of a pattern in a text, and for a full one."""
    matcher = _Matcher(pattern, text)
    any(end == len(text) for end in matcher.ends(matcher.nodes, 0))
    position = 0
    while position <= len(text):
        end = next(matcher.ends(matcher.nodes, position), None)
        position = position + 1 if end is None or end == position else end
    return matcher.steps


def patterns_of(module: ModuleType) -> list[re.Pattern[str]]:
    """Every regular expression that a module keeps, alone or in a collection."""
    found: list[re.Pattern[str]] = []
    values = [value for name, value in vars(module).items() if not name.startswith("__")]
    while values:
        value = values.pop()
        if isinstance(value, re.Pattern):
            found.append(value)
        elif isinstance(value, dict):
            values += value.values()
        elif isinstance(value, list | tuple):
            values += value
    return found


class _Matcher:
    """Tries a parsed pattern at a position, in the order in which Python's engine does."""

    def __init__(self, pattern: re.Pattern[str], text: str):
        self.nodes = list(parser.parse(pattern.pattern, pattern.flags))
        self.ignores_case = bool(pattern.flags & re.IGNORECASE)
        self.text = text
        self.steps = 0

    def ends(self, nodes: list, position: int) -> Iterator[int]:
        """Where the nodes can end if they start at a position, the engine's first choice first."""
        if not nodes:
            yield position
            return
        (code, value), rest = nodes[0], nodes[1:]
        for end in self._ends_of(code, value, position):
            yield from self.ends(rest, end)

    def _ends_of(self, code, value, position: int) -> Iterator[int]:
        if code in (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN):
            if self._fits(code, value, position):
                yield position + 1
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            lowest, highest, item = value
            yield from self._repeated(list(item), lowest, highest, position, code is codes.MAX_REPEAT)
        elif code is codes.SUBPATTERN:
            yield from self.ends(list(value[-1]), position)
        elif code is codes.BRANCH:
            for branch in value[1]:
                yield from self.ends(list(branch), position)
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            direction, item = value
            assert direction > 0, "looking behind is not counted"
            if (next(self.ends(list(item), position), None) is not None) == (code is codes.ASSERT):
                yield position
        elif code is codes.AT:
            if self._is_at(value, position):
                yield position
        else:
            raise AssertionError(f"{code} is not counted; add it")

    def _repeated(self, item: list, lowest: int, highest: int, start: int, is_greedy: bool) -> Iterator[int]:
        """Ends of a repeated node; of one letter each, as everything that we repeat."""
        ((code, value),) = item
        reached = [start]
        if is_greedy:
            while len(reached) <= highest and self._fits(code, value, reached[-1]):
                reached.append(reached[-1] + 1)
            yield from reversed(reached[lowest:])
            return
        for count in range(highest + 1):
            if count >= lowest:
                yield start + count
            if not self._fits(code, value, start + count):
                return

    def _fits(self, code, value, position: int) -> bool:
        self.steps += 1
        if position >= len(self.text):
            return False
        letter = self.text[position]
        if code is codes.ANY:
            return True
        if code is codes.IN:
            return self._is_in(value, letter)
        same = letter.lower() == chr(value).lower() if self.ignores_case else letter == chr(value)
        return same == (code is codes.LITERAL)

    @staticmethod
    def _is_in(choices: list, letter: str) -> bool:
        found = False
        for code, value in choices:
            if code is codes.LITERAL:
                found = found or ord(letter) == value
            elif code is codes.RANGE:
                found = found or value[0] <= ord(letter) <= value[1]
            elif code is codes.CATEGORY:
                found = found or _CATEGORIES[value](letter)
        return found != (choices[0][0] is codes.NEGATE)

    def _is_at(self, place, position: int) -> bool:
        self.steps += 1
        if place in (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING):
            return position == 0
        if place in (codes.AT_END, codes.AT_END_STRING):
            return position == len(self.text) or self.text[position:] == "\n"
        before, behind = self.text[:position][-1:], self.text[position:][:1]
        is_boundary = bool(_WORDS.match(before)) != bool(_WORDS.match(behind))
        return is_boundary == (place is codes.AT_BOUNDARY)
