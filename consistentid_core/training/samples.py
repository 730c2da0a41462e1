"""What training reads: portraits by number, wherever they are kept."""

from dataclasses import dataclass
from typing import Protocol

from ..data.portrait import Portrait


class SampleSource(Protocol):
    """The portraits of a set, by number; see :func:`..data.reading.open_portraits`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Portrait: ...


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of the portraits of a source."""

    source: SampleSource
    indices: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int, /) -> Portrait:
        return self.source[self.indices[index]]
