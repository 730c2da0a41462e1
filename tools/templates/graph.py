"""How a workflow is described: nodes in columns, columns in groups, groups from left to right.

Only what a reader of the workflow decides is written down. Node ids, slot numbers, default values, sizes
and positions come from the interface, which draws the description (canvas.mjs).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: Colours of groups by what is in them.
BLUE, GREEN, PURPLE, ORANGE = "#3f789e", "#3f8a5b", "#7a5c9e", "#a1713a"
TEAL, GREY = "#2f8d8d", "#5c6670"


@dataclass(frozen=True)
class ModelLink:
    """A file a loader wants, for the interface's list of missing models.

    name: as the loader's widget has it.  directory: ComfyUI's name of the folder it goes to.  url: where it can be
    fetched; the list offers only files that have one.  hash: its sha256, if that is known.
    """

    name: str
    directory: str
    url: str
    hash: str | None = None


@dataclass(frozen=True)
class Output:
    """An output of another node of the same workflow, as the value of an input."""

    node: str
    name: str


@dataclass(frozen=True)
class Node:
    """One node.

    key: its name in this description.  type: its node id.  values: inputs by name, a widget's value or an
    :class:`Output`; what is left out keeps the node's default.
    size: width and height in canvas units, at least; the node may need more.
    is_muted: on the canvas, but not run until the user switches it on.
    """

    key: str
    type: str
    title: str | None
    values: Mapping[str, Any]
    models: tuple[ModelLink, ...] = ()
    size: tuple[int, int] = (0, 0)
    is_muted: bool = False


@dataclass(frozen=True)
class Group:
    """A titled frame around columns of nodes."""

    title: str
    colour: str
    columns: Sequence[Sequence[Node]]


@dataclass(frozen=True)
class Template:
    """One shipped workflow.

    name: the stem of its files.  title: on its thumbnail.
    note: Markdown for the note at the left edge: what to change.
    groups: columns of groups, from left to right, each from top to bottom.
    """

    name: str
    title: str
    note: str
    groups: Sequence[Sequence[Group]] = field(default_factory=list)

    def nodes(self) -> Iterator[Node]:
        for groups in self.groups:
            for group in groups:
                for column in group.columns:
                    yield from column

    def description(self) -> dict[str, Any]:
        """As JSON for canvas.mjs; an :class:`Output` becomes ``{"node": ..., "name": ...}``."""
        return {
            "name": self.name,
            "note": self.note,
            "groups": [[asdict(g) for g in gs] for gs in self.groups],
        }


def node(
    key: str,
    node_type: str,
    title: str | None = None,
    *,
    models: Sequence[ModelLink] = (),
    size: tuple[int, int] = (0, 0),
    is_muted: bool = False,
    **values: Any,
) -> Node:
    """A :class:`Node` whose inputs are keyword arguments; ``"@photo.IMAGE"`` is output IMAGE of node photo."""
    linked = {name: _value(value) for name, value in values.items()}
    return Node(key, node_type, title, linked, tuple(models), size, is_muted)


def _value(value: Any) -> Any:
    match = re.fullmatch(r"@(\w+)\.(\w+)", value) if isinstance(value, str) else None
    return Output(*match.groups()) if match else value
