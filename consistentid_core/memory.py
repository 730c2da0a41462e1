"""What is worked out once from some objects and kept as long as they live."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_memories: dict[Hashable, WeakKeyDictionary] = {}


def remember(what: Hashable, owners: tuple[object, ...], make: Callable[[], T]) -> T:
    """What ``make`` returned the first time it was asked for ``what`` of these owners; gone with any one of them.

    what: names the memory.
    owners: one or more, told apart by identity or by their own ``==``; always in the same order.
    The result must not refer to any of the owners, or they would keep each other alive for ever.
    """
    place: Any = _memories.setdefault(what, WeakKeyDictionary())
    *others, last = owners
    for owner in others:
        place = place.setdefault(owner, WeakKeyDictionary())
    if last not in place:
        place[last] = make()
    return place[last]
