"""Which of the validated steps was the best so far."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: What "best" means: the least noise loss with the right person, or the clearest difference to a wrong one.
KeepBest = Literal["right", "t_wrong", "off"]


@dataclass
class BestSoFar:
    """Goes on with a run: its numbers are part of the saved states.

    value: of the column, larger is better after :func:`_score`; None before the first validation.
    step: where it was found. The step before the first is the bar to beat and no state of its own.
    """

    by: KeepBest
    value: float | None = None
    step: int = 0

    def improves(self, step: int, row: Mapping[str, float]) -> bool:
        """Take in the validation of a step; whether it is better than all before and worth a state."""
        if self.by == "off" or not math.isfinite(score := _score(self.by, row)):
            return False
        is_better = self.value is None or score > self.value
        if is_better:
            self.value, self.step = score, step
        return is_better and step > 0

    def place(self) -> str:
        """Where it was found, in words."""
        return f"step {self.step}" if self.step else "the weights the run began with; no step was better"

    def counters(self) -> dict[str, float]:
        """The numbers a run goes on from."""
        return {} if self.value is None else {f"best_{self.by}": self.value, "best_step": self.step}

    def restore(self, counters: Mapping[str, float]) -> None:
        """Go on from a saved state; begins anew if it went by another column."""
        self.value = counters.get(f"best_{self.by}")
        self.step = int(counters["best_step"]) if self.value is not None else 0


def _score(by: KeepBest, row: Mapping[str, float]) -> float:
    return -row["right"] if by == "right" else row["t_wrong"]
