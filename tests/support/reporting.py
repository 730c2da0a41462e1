"""Failures that are lists for people to work through."""

from collections.abc import Iterable

import pytest


def fail_with(items: Iterable[object], what: str) -> None:
    """Fail with one line per item, without a traceback; nothing happens if there is none."""
    lines = [f"\n  {item}" for item in items]
    if lines:
        pytest.fail(what + "".join(lines), pytrace=False)
