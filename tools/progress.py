"""Show a running workflow: one line per node, with its title and time."""

import sys
import time

from . import workflow as workflows
from .client import Event
from .workflow import Workflow

_SECONDS_BETWEEN_LINES = 10


class ProgressLines:
    """Prints the events of one workflow; hand an object of it to ``Client.run`` as ``on_event``."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._node: str | None = None
        self._count = 0
        self._start = self._last_line = time.monotonic()

    def __call__(self, event: Event) -> None:
        if event.type == "executing":
            self._finish_node()
            if event.data["node"] is not None:
                self._start_node(event.data["node"])
        elif event.type == "progress" and event.data["node"] == self._node:
            self._step(event.data["value"], event.data["max"])
        elif event.type == "execution_success":
            self._finish_node()
        elif event.type == "execution_error":
            print(flush=True)  # what is wrong with the node comes as the command's last line

    def _start_node(self, node_id: str) -> None:
        self._node = node_id
        self._count += 1
        self._start = self._last_line = time.monotonic()
        print(f"  {self._label()} ...", end="", flush=True)

    def _finish_node(self) -> None:
        if self._node is not None:
            print(f" {time.monotonic() - self._start:.1f} s", flush=True)
            self._node = None

    def _step(self, value: int, maximum: int) -> None:
        if sys.stdout.isatty():
            print(f"\r  {self._label()} ... {value}/{maximum}", end="", flush=True)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            print(f" {value}/{maximum}", end="", flush=True)

    def _label(self) -> str:
        assert self._node is not None
        return f"[{self._count:2}/{len(self._workflow)}] {workflows.title(self._workflow, self._node)}"
