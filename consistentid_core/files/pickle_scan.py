"""Look at a pickle before PyTorch's restricted unpickler opens it: whether that will end, and soon.

The restricted unpickler (``weights_only``) runs no foreign code, but builds what the file describes: a file of
two kilobytes can describe a key, a tuple of tuples, whose hash takes longer than anybody waits. What weights
need is modest: texts as keys, and short tuples of numbers as arguments.

This is the one place of the pack that reads pickles, and it only reads: ``genops`` lists a pickle's
instructions without carrying any of them out. The unpickling is PyTorch's, in :mod:`.weights_file`.
"""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from pickletools import genops

#: Several times what the largest checkpoints need to describe their tensors, and a few seconds to look at.
LARGEST_PICKLE = 4 * 2**20
#: Elements that all calls of a file may go through together. A checkpoint of SDXL needs 50,000.
MOST_ELEMENTS = 2_000_000

_ZIP_START = b"PK\x03\x04"
#: The format before the zip one: magic number, version, sizes of numbers, the object, the list of storages.
_LEGACY_PICKLES = 5


_TOO_LARGE = "it takes more than 4 MB to describe its tensors"


class ScanError(Exception):
    """What a pickle does that weights never need."""


class _Value:
    """What the scan knows of an object: what one meets in it, and whether it is a text or number."""

    __slots__ = ("children", "is_key")

    def __init__(self, children: list["_Value"] | None = None, *, is_key: bool = False):
        self.children = children
        self.is_key = is_key


_KEY = _Value(is_key=True)
_OBJECT = _Value()


def is_zip(head: bytes) -> bool:
    """Whether PyTorch will read a file that begins like this as a zip archive."""
    return head.startswith(_ZIP_START)


def scan(path: Path) -> None:
    """Look at all pickles in a file saved by PyTorch, in its zip format or the one before.

    Raises ScanError for one that is too large, or takes too long. Says nothing about damaged files: the
    unpickler names the damage.
    """
    with path.open("rb") as file:
        if is_zip(file.read(len(_ZIP_START))):
            for data in _zipped_pickles(path):
                if len(data) > LARGEST_PICKLE:
                    raise ScanError(_TOO_LARGE)
                _scan_one(BytesIO(data), len(data))
            return
        file.seek(0)
        data = file.read(LARGEST_PICKLE + 1)
    stream = BytesIO(data)
    for _ in range(_LEGACY_PICKLES):
        if not _scan_one(stream, len(data)):
            return


def _zipped_pickles(path: Path) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".pkl"):
                    with archive.open(entry) as file:  # by entry: two may have the same name
                        yield file.read(LARGEST_PICKLE + 1)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error):
        return  # damaged, or packed or encrypted in a way PyTorch does not read


def _scan_one(stream: BytesIO, size: int) -> bool:
    """Look at the pickle that begins here; False if it is damaged or another one cannot follow."""
    machine = _Machine()
    try:
        for opcode, argument, _ in genops(stream):
            if not machine.step(opcode.name, argument):
                return False
    except (IndexError, KeyError, ValueError):
        if size > LARGEST_PICKLE:
            raise ScanError(_TOO_LARGE) from None
        return False
    return True


class _Machine:
    """The unpickler's stack, with the shape of objects in place of objects."""

    def __init__(self) -> None:
        self.stack: list[_Value] = []
        self.below: list[list[_Value]] = []  # what lay on the stack at each mark
        self.memo: dict[object, _Value] = {}
        self.spent = 0

    def step(self, name: str, argument: object) -> bool:
        """Follow one instruction; False if PyTorch does not know it and will stop there."""
        match name:
            case "PROTO" | "STOP":
                pass
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                self.stack.append(_KEY)
            case "BINUNICODE" | "SHORT_BINSTRING":
                self.stack.append(_KEY)
            case "GLOBAL" | "EMPTY_TUPLE":
                self.stack.append(_OBJECT)
            case "EMPTY_LIST" | "EMPTY_DICT" | "EMPTY_SET":
                self.stack.append(_Value([]))
            case "MARK":
                self.below.append(self.stack)
                self.stack = []
            case "TUPLE":
                items = self._marked()
                self.stack.append(_Value(items))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self.stack.pop() for _ in range(int(name[-1]))]
                self.stack.append(_Value(items))
            case "APPEND":
                self._fill([self.stack.pop()])
            case "APPENDS":
                self._fill(self._marked())
            case "SETITEM":
                value, key = self.stack.pop(), self.stack.pop()
                self._fill([key, value], keys=[key])
            case "SETITEMS":
                items = self._marked()
                self._fill(items, keys=items[::2])
            case "REDUCE" | "NEWOBJ":
                arguments = self.stack.pop()
                self._go_through(arguments)
                self.stack[-1] = _Value([arguments])
            case "BUILD":
                self._go_through(self.stack.pop())
            case "BINPERSID":
                self._go_through(self.stack.pop())
                self.stack.append(_OBJECT)
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case _:
                return False
        return True

    def _marked(self) -> list[_Value]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def _fill(self, items: list[_Value], keys: Iterable[_Value] = ()) -> None:
        if not all(key.is_key for key in keys):
            raise ScanError("it uses something else than texts and numbers as keys")
        children = self.stack[-1].children
        if children is not None:
            children.extend(items)

    def _go_through(self, value: _Value) -> None:
        """Count what a call meets in its arguments, what it meets several times each time."""
        waiting = [value]
        while waiting:
            children = waiting.pop().children or ()
            self.spent += 1 + len(children)
            if self.spent > MOST_ELEMENTS:
                raise ScanError("it nests or repeats its contents far more than weights do")
            waiting.extend(children)
