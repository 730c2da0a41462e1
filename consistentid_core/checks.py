"""How much each of several things counts."""

import math
from collections.abc import Collection


def are_shares(weights: Collection[float]) -> bool:
    """Whether weights can share something out: all are 0 and above, finite, and one of them is more than 0."""
    return all(0 <= weight < math.inf for weight in weights) and any(weights)
