"""Every value that reaches a node is checked against the node's own schema, before the node sees it.

The host checks only what is typed into a widget, and lets "not a number" pass there; what comes over a link
it does not look at, and a link of an any-typed node may bring anything.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache, wraps
from numbers import Integral, Real
from typing import Any

import torch
from comfy_api.latest import io

from .inputs import FileChoice

#: value -> what is wrong with it, as the end of a sentence; None if nothing is.
Check = Callable[[Any], str | None]

#: Classes of what travels over the host's own sockets; others are left alone, since packs put look-alikes there.
_HOST_TYPES = {"IMAGE": torch.Tensor, "MASK": torch.Tensor, "CONDITIONING": list}

#: Longer values are cut in messages.
_LONGEST_QUOTE = 60


def check_inputs(node: type[io.ComfyNode], carried: Mapping[str, type]) -> type[io.ComfyNode]:
    """Put a check of all inputs in front of a node's ``execute``; returns the same class.

    carried: the class of what travels over each of the pack's own sockets, by socket type.
    ``execute`` then raises ValueError, naming node, input, value and what is expected.
    """
    execute = node.execute.__func__
    names = list(inspect.signature(execute).parameters)[1:]

    @cache
    def title_and_checks() -> tuple[str, dict[str, Check]]:
        # Not before the first call: schemas list files, and their folders are not yet known at import.
        schema = node.define_schema()
        checks = {one.id: _check_of(one, carried) for one in schema.inputs if not one.rawLink}
        if schema.is_input_list:
            checks = {name: _of_each(check) for name, check in checks.items()}
        return schema.display_name, checks

    @wraps(execute)
    def checked(cls, *args, **kwargs):
        title, checks = title_and_checks()
        for name, value in {**dict(zip(names, args, strict=False)), **kwargs}.items():
            fault = checks[name](value) if name in checks else None
            if fault is not None:
                raise ValueError(
                    f"The value of '{name}' of {title} cannot be used: {fault}. Change it in the node, or look at "
                    "the node it comes from."
                )
        return execute(cls, *args, **kwargs)

    node.execute = classmethod(checked)  # type: ignore[method-assign, assignment]
    return node


def _check_of(one: io.Input, carried: Mapping[str, type]) -> Check:
    check = _check_of_value(one, carried)
    if one.optional or one.lazy:
        return lambda value: None if value is None else check(value)
    return check


def _of_each(check: Check) -> Check:
    """For a node that takes whole lists: the first thing that is wrong with any item."""

    def check_all(values):
        items = values if isinstance(values, list | tuple) else [values]
        return next((fault for fault in map(check, items) if fault is not None), None)

    return check_all


def _check_of_value(one: io.Input, carried: Mapping[str, type]) -> Check:
    match one:
        case io.Float.Input() | io.Int.Input():
            return _number(one.min, one.max, is_whole=isinstance(one, io.Int.Input))
        case FileChoice():
            return _instance((str,), "the name of a file")
        case io.Combo.Input():
            return _one_of(one.options)
        case io.String.Input():
            return _instance((str,), "text")
        case io.Boolean.Input():
            return _switch
    classes = [{**_HOST_TYPES, **carried}.get(name) for name in one.get_io_type().split(",")]
    if None in classes:
        return lambda value: None
    return _instance(tuple(classes), one.get_io_type().replace(",", " or "))


def _number(least: float | None, most: float | None, *, is_whole: bool) -> Check:
    kind, number = ("a whole number", Integral) if is_whole else ("a number", Real)
    low, high = -math.inf if least is None else least, math.inf if most is None else most

    def check(value):
        # "Not a number" is in no range.
        if isinstance(value, number) and low <= value <= high and abs(value) < math.inf:
            return None
        return f"expected {kind} from {low} to {high}, got {_quote(value)}"

    return check


def _switch(value: Any) -> str | None:
    is_switch = isinstance(value, Real) and value in (True, False)
    return None if is_switch else f"expected true or false, got {_quote(value)}"


def _one_of(options: list) -> Check:
    def check(value):
        if isinstance(value, type(options[0])) and value in options:
            return None
        return f"expected one of {', '.join(map(repr, options))}, got {_quote(value)}"

    return check


def _instance(classes: tuple[type, ...], expected: str) -> Check:
    def check(value):
        return None if isinstance(value, classes) else f"expected {expected}, got {_quote(value)}"

    return check


def _quote(value: Any) -> str:
    """A value as a message names it: plain values as they are, of others only what they are."""
    if value is None:
        return "nothing"
    if not isinstance(value, str | Real):
        return f"a {type(value).__name__}"
    if isinstance(value, str) and len(value) > _LONGEST_QUOTE:
        value = value[: _LONGEST_QUOTE - 1] + "…"
    return repr(value)
