"""What the commands print: one line per thing that happens, one line for a failure."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CommandError(Exception):
    """Something a user can put right; shown as one line, without a traceback."""


def say(text: str) -> None:
    # Output may go to a file or a pipe: show each line when it happens.
    print(text, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a piece of work and say how long it took."""
    say(f"{title} ...")
    start = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - start:.0f} s")


def run_command(main: Callable[[], int]) -> None:
    """Run a command's main function and end the process with its exit code."""
    # The default would end this process at once and leave a server it started running.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        code = main()
    except CommandError as error:
        print(f"Failed: {error}", file=sys.stderr, flush=True)
        code = 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr, flush=True)
        code = 130
    sys.exit(code)
