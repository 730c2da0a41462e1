"""Progress in words: how many, how fast, how long still."""

import sys
import time
from collections.abc import Callable
from typing import TextIO


class Progress:
    """Counts, and says so every few seconds; on a terminal in place."""

    def __init__(
        self,
        what: str,
        total: int,
        *,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._what, self._total = what, total
        self._out = out or sys.stderr
        self._clock = clock
        self._start = self._said = clock()
        self._in_place = self._out.isatty()
        self._every = 0.5 if self._in_place else 10.0
        self.done = self.refused = 0

    def step(self, done: int = 1, refused: int = 0) -> None:
        """Count portraits that were finished or refused."""
        self.done += done
        self.refused += refused
        if self._clock() - self._said >= self._every:
            self._say("\r" if self._in_place else "\n")

    def end(self) -> None:
        """Say the last count."""
        self._say("\n")

    def line(self) -> str:
        """``Building: 120 of 500, 4.0/s, 1 min 35 s left, 3 put aside``."""
        counted = self.done + self.refused
        seconds = self._clock() - self._start
        text = f"{self._what}: {counted:,} of {self._total:,}"
        if counted and seconds > 0:
            rate = counted / seconds
            text += f", {rate:.1f}/s"
            if counted < self._total:
                text += f", {duration((self._total - counted) / rate)} left"
        return text + (f", {self.refused:,} put aside" if self.refused else "")

    def _say(self, end: str) -> None:
        self._said = self._clock()
        self._out.write(self.line().ljust(70) + end if self._in_place else self.line() + "\n")
        self._out.flush()


def duration(seconds: float) -> str:
    """``2 h 5 min``, ``3 min 10 s``, ``12 s``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
