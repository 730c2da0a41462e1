"""How long named functions take within something larger that calls them."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

#: An object and the name of a function in it: a module's, a class's, an instance's.
Target = tuple[Any, str]

_MISSING = object()


class Stopwatch:
    """Times every call of its targets while it is entered, and leaves them as they were.

    seconds, calls: by label. A call within another of the same label is a part of that one.
    """

    def __init__(
        self,
        targets: Mapping[str, Sequence[Target]],
        clock: Callable[[], float],
        finish: Callable[[], object] = lambda: None,
    ) -> None:
        """clock: tells seconds.  finish: called at the end of each timed call, where a device works on its own."""
        self.seconds = dict.fromkeys(targets, 0.0)
        self.calls = dict.fromkeys(targets, 0)
        self._targets = targets
        self._clock = clock
        self._finish = finish
        self._running: set[str] = set()
        self._replaced: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> "Stopwatch":
        for label, several in self._targets.items():
            for owner, name in several:
                # What is inherited, or of the class of an instance, is deleted afterwards and not written back.
                self._replaced.append((owner, name, vars(owner).get(name, _MISSING)))
                setattr(owner, name, self._timed(label, getattr(owner, name)))
        return self

    def __exit__(self, *error: object) -> None:
        while self._replaced:
            owner, name, original = self._replaced.pop()
            if original is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    def _timed(self, label: str, function: Callable) -> Callable:
        @wraps(function)
        def timed(*args, **kwargs):
            if label in self._running:
                return function(*args, **kwargs)
            self._running.add(label)
            started = self._clock()
            try:
                result = function(*args, **kwargs)
                self._finish()
                return result
            finally:
                self.seconds[label] += self._clock() - started
                self.calls[label] += 1
                self._running.discard(label)

        return timed
