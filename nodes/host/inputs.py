"""Inputs that several nodes have in common; each node says in its tooltip what its own does."""

from comfy_api.latest import io


def strength(name: str, tooltip: str) -> io.Float.Input:
    """A factor, 1 as in the original; negative ones turn away from what it scales."""
    return io.Float.Input(name, default=1.0, min=-1.0, max=3.0, step=0.05, tooltip=tooltip)


def percent(name: str, default: float, tooltip: str) -> io.Float.Input:
    """A place in sampling: 0 is the first step, 1 the end."""
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip)
