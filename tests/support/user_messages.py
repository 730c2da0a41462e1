"""The sentences the pack can put before a user, read off its source: errors, notes and warnings.

A message is a *template*: its fixed text, with :data:`GAP` where a value is filled in. Found are

* errors: what follows ``raise SomeError(`` in :data:`PACKAGES`, and what an ``ExecutionBlocker`` says. The
  text may be a string, an f-string, a name that was assigned one in the same function, or the return value
  of a function of the same file;
* notes: strings that go into ``notes`` (``notes.append(...)``, ``notes = [...]``), or that a function whose
  name ends in ``_notes`` returns;
* warnings: the first argument of ``logger.warning(...)``, for the console.

A name that stands for a string of the source (``MARKER``) counts as that string.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("consistentid_core", "nodes")
#: Explained in pages of their own, docs/training.md and docs/data.md.
NOT_IN_THE_INTERFACE = (
    "consistentid_core/training",
    "consistentid_core/data",
    "consistentid_core/evaluation",
)
#: Of the training command alone.
NOT_IN_THE_INTERFACE += ("nodes/training/command.py", "nodes/training/start_host.py")
#: What nodes that judge pictures use of the rooms above.
JUDGES = tuple(
    f"consistentid_core/evaluation/{name}.py"
    for name in ("contact_sheet", "dino", "gate", "judging", "recognisers")
)

GAP = "\0"


@dataclass(frozen=True)
class Message:
    """place: file and line.  template: the text with gaps; without any fixed text it could not be read."""

    place: str
    template: str

    def __str__(self) -> str:
        return f"{self.place}: {self.template.replace(GAP, '…')}"


def begins(heading: str, message: Message) -> bool:
    """Whether a message begins like a heading, in which ``…`` stands for any text."""
    return re.match(".*?".join(map(re.escape, heading.split("…"))), message.template) is not None


@cache
def user_messages() -> tuple[Message, ...]:
    """All messages of the pack."""
    return tuple(message for path in source_files() for message in messages_in(path.read_text("utf-8"), path))


def source_files() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if not (place := path.relative_to(ROOT).as_posix()).startswith(NOT_IN_THE_INTERFACE)
        or place in JUDGES
    ]


def messages_in(source: str, path: Path) -> Iterator[Message]:
    """The messages of one file."""
    module = _Module(ast.parse(source))
    place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    for expression, scope in module.spoken():
        for template in module.templates(expression, scope):
            yield Message(f"{place}:{expression.lineno}", " ".join(template.split()))


Scope = ast.FunctionDef | ast.AsyncFunctionDef | None


class _Module:
    def __init__(self, tree: ast.Module):
        self._tree = tree
        self._functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    def spoken(self) -> Iterator[tuple[ast.expr, Scope]]:
        """The expressions that are put before a user, each with the function it stands in."""
        for node, scope in self._walk(self._tree, None):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[text, *_])) if name[:1].isupper():
                    yield text, scope
                case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name in self._functions:
                    # A function that makes the exception: its text is the exception's first argument.
                    for made, inner in self._returned(name):
                        if isinstance(made, ast.Call) and made.args:
                            yield made.args[0], inner
                case ast.Call(
                    func=ast.Attribute(attr="warning", value=ast.Name(id="logger")), args=[text, *_]
                ):
                    yield text, scope
                case ast.Call(func=ast.Name(id="ExecutionBlocker"), args=[ast.Constant(None)]):
                    pass  # it says nothing: what is connected does not run
                case ast.Call(func=ast.Name(id="ExecutionBlocker"), args=[text]):
                    yield text, scope
                case ast.Call(func=ast.Attribute(attr="append", value=ast.Name(id="notes")), args=[text]):
                    yield text, scope
                case ast.Assign(targets=[ast.Name(id="notes")], value=ast.List(elts=texts)):
                    yield from ((text, scope) for text in texts)
                case ast.Return(value=ast.List(elts=texts) | ast.Tuple(elts=texts)) if (
                    scope is not None and scope.name.endswith("_notes")
                ):
                    yield from ((text, scope) for text in texts)

    def templates(self, expression: ast.expr, scope: Scope) -> list[str]:
        """What an expression may read, one template for each way through its branches."""
        match expression:
            case ast.Constant(value=str(text)):
                return [re.sub(r"%[sd]|%\.\d+f", GAP, text)]
            case ast.JoinedStr(values=pieces):
                return [
                    "".join(parts) for parts in product(*(self.templates(piece, scope) for piece in pieces))
                ]
            case ast.FormattedValue(value=value, format_spec=None):
                found = self.templates(value, scope)
                return found if len(found) <= 4 else [GAP]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return [a + b for a, b in product(self.templates(left, scope), self.templates(right, scope))]
            case ast.IfExp(body=body, orelse=orelse):
                return self.templates(body, scope) + self.templates(orelse, scope)
            case ast.Name(id=name):
                return self._named(name, scope)
            case ast.Call(func=ast.Name(id=name)) if name in self._functions:
                returned = [
                    template
                    for value, inner in self._returned(name)
                    for template in self.templates(value, inner)
                ]
                return returned or [GAP]
        return [GAP]

    def _named(self, name: str, scope: Scope) -> list[str]:
        """A name assigned strings in the same function, or a string constant of the pack."""
        assigned = [
            node.value
            for node in ast.walk(scope or ast.Module([], []))
            if isinstance(node, ast.Assign) and _is_name(node.targets[0], name)
        ]
        if assigned and all(isinstance(value, _TEXTS) for value in assigned):
            return [template for value in assigned for template in self.templates(value, scope)]
        return [string_constants().get(name, GAP)] if not assigned else [GAP]

    def _returned(self, function: str) -> Iterator[tuple[ast.expr, Scope]]:
        scope = self._functions[function]
        for node, inner in self._walk(scope, scope):
            if isinstance(node, ast.Return) and node.value is not None and inner is scope:
                yield node.value, scope

    def _walk(self, node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        for child in ast.iter_child_nodes(node):
            inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else scope
            yield child, inner
            yield from self._walk(child, inner)


#: Expressions that are text whatever the values in them; ``name = next(...)`` is not.
_TEXTS = (ast.Constant, ast.JoinedStr, ast.IfExp, ast.BinOp, ast.Call)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


@cache
def string_constants() -> dict[str, str]:
    """The strings that modules of the pack give a name in capitals; those that differ between files are left out."""
    found: dict[str, set[str]] = {}
    for path in source_files():
        for node in ast.parse(path.read_text("utf-8")).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))) if (
                    name.isupper()
                ):
                    found.setdefault(name, set()).add(text)
    return {name: texts.pop() for name, texts in found.items() if len(texts) == 1}
