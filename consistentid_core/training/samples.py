"""What training reads: portraits by number, wherever they are kept."""

from dataclasses import dataclass
from typing import Protocol

from ..data.portrait import Portrait
from ..errors import TrainingStoppedError


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


def split(samples: SampleSource, held_out: int) -> tuple[Subset, Subset]:
    """The samples to train on, and those to validate on: evenly spread, at most one in four.

    Raises TrainingStoppedError if there is nothing to train on.
    """
    count = len(samples)
    if count == 0:
        raise TrainingStoppedError(
            "The data holds no sample that can be trained on. Look at it with the data check."
        )
    held_out = min(held_out, count // 4)
    chosen = {round(number * count / held_out) for number in range(held_out)} if held_out else set()
    return (
        Subset(samples, tuple(index for index in range(count) if index not in chosen)),
        Subset(samples, tuple(sorted(chosen))),
    )
