"""When a model counts as having learnt: each criterion is a function of measured numbers, and each can fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from consistentid_core.training.validation import paired_t

#: A paired difference beyond so many standard errors is taken for real.
CLEAR = 3.0

#: How much deeper the localisation loss must lie after training.
DEEPER = 0.1

#: How many times as much a word must look inside its part: as outside, and as before training, when chance decides.
INSIDE, AS_BEFORE = 1.5, 1.2


@dataclass(frozen=True)
class Verdict:
    """criterion: what was asked.  numbers: what it was judged by."""

    criterion: str
    passed: bool
    numbers: dict[str, float]


def localisation_falls(before: Sequence[float], after: Sequence[float]) -> Verdict:
    """before, after: localisation loss of each held-out person without and with training."""
    numbers = {"before": fmean(before), "after": fmean(after), "t": paired_t(before, after)}
    passed = numbers["t"] > CLEAR and numbers["before"] - numbers["after"] > DEEPER
    return Verdict("the localisation loss falls", passed, numbers)


def words_look_at_their_parts(before: Mapping[str, float], after: Mapping[str, float]) -> Verdict:
    """before, after: by word, attention inside its part over that outside.

    Every word must look more inside than outside, and more so than before.
    """
    numbers = {
        f"{word}, {when}": by[word] for word in after for when, by in (("before", before), ("after", after))
    }
    passed = bool(after) and all(
        after[word] > INSIDE and after[word] > AS_BEFORE * before[word] for word in after
    )
    return Verdict("every facial word looks more inside its part than outside", passed, numbers)


def identity_is_used(right: Sequence[float], wrong: Sequence[float]) -> Verdict:
    """right, wrong: noise loss of each held-out person with their own identity and with somebody else's."""
    better = fmean(one < other for one, other in zip(right, wrong, strict=True))
    numbers = {
        "right": fmean(right), "wrong": fmean(wrong), "t": paired_t(wrong, right), "right is better": better,
    }  # fmt: skip
    return Verdict(
        "people never seen are predicted better with their own identity", numbers["t"] > CLEAR, numbers
    )


def wrong_identity_gains_nothing(wrong: Sequence[float], nobody: Sequence[float]) -> Verdict:
    """wrong, nobody: noise loss of each held-out person with somebody else's identity and with none."""
    numbers = {"wrong": fmean(wrong), "nobody": fmean(nobody), "t": paired_t(nobody, wrong)}
    return Verdict("somebody else's identity is no gain over nobody's", numbers["t"] <= CLEAR, numbers)
