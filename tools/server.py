"""A ComfyUI server of our own: started on a free loopback port, stopped for certain."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .base_directory import BaseDirectory
from .console import CommandError
from .environment import Environment

_READY_SECONDS = 300  # importing torch from a cold disk takes a while
_STOP_SECONDS = 15


class Server:
    """One server process, for use in a ``with`` statement.

    log: the file its output goes to.  arguments: further command line arguments of ComfyUI.
    """

    def __init__(
        self,
        environment: Environment,
        base: BaseDirectory,
        *,
        log: Path,
        arguments: Sequence[str] = ("--cpu",),
    ) -> None:
        self.base = base
        self.log = log
        self._port = _free_port()
        self._command = [
            *(str(environment.python), str(environment.comfyui / "main.py")),
            *("--base-directory", str(base.folder)),
            *("--extra-model-paths-config", str(base.model_paths)),
            *("--listen", "127.0.0.1", "--port", str(self._port)),
            # Each server its own; the default file can be used by one server only.
            *("--database-url", "sqlite:///:memory:"),
            *("--disable-auto-launch", "--disable-api-nodes"),
            *arguments,
        ]
        # A node must not need the network.
        self._variables = {**environment.variables(), "HF_HUB_OFFLINE": "1"}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> "Server":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "wb") as file:
            self._process = subprocess.Popen(
                self._command,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self._variables,
                cwd=self.base.folder,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process this object started, if it still runs."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def read_log(self) -> str:
        """Everything the server has printed so far."""
        return self.log.read_text("utf-8", errors="replace")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running:
                lines = self.read_log().strip().splitlines() or ["no output"]
                raise CommandError(f"The ComfyUI server did not start: {lines[-1].strip()} (log: {self.log})")
            try:
                with urllib.request.urlopen(f"{self.url}/system_stats", timeout=10) as answer:
                    json.load(answer)
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        raise CommandError(f"The ComfyUI server was not ready after {_READY_SECONDS} s (log: {self.log})")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
