"""Another pack's package of the same name as ours."""

from . import prompt

__all__ = ["prompt"]
