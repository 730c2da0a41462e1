"""How long a picture takes: with everything to load, with a new photo, and with a photo seen before."""

from collections.abc import Sequence

import numpy as np

from ..run import COLD, START, WARM

#: Phase -> what it means.
PHASES = {
    START: "first picture of a server, models included",
    COLD: "new photo",
    WARM: "photo seen before",
}


def seconds_by_phase(seconds: Sequence[float], phases: Sequence[str]) -> dict[str, np.ndarray]:
    """The seconds of each phase that occurs; pictures of unknown time are left out."""
    found: dict[str, list[float]] = {}
    for value, phase in zip(seconds, phases, strict=True):
        if phase in PHASES and value > 0:
            found.setdefault(phase, []).append(value)
    return {phase: np.array(found[phase]) for phase in PHASES if phase in found}
