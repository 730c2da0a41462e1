"""What the pack's commands do alike: read their options, run, and end with one line and an exit code."""

import argparse
import sys
from collections.abc import Sequence

from .errors import ConsistentIDError


def run_command(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    *,
    stopped: str,
    errors: tuple[type[Exception], ...] = (ConsistentIDError, OSError),
) -> int:
    """Call the ``run`` of the chosen sub-command with its options; returns its exit code.

    stopped: what holds after Ctrl-C, in a sentence.  errors: those that explain themselves; they end with 1.
    """
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except errors as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nStopped. {stopped}", file=sys.stderr)
        return 130
