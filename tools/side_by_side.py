"""Run commands side by side, a few at a time, and show the output of each in one piece."""

import os
import re
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .console import say

_SECONDS_BETWEEN_LINES = 30
_SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class Job:
    """A command and what it is called.

    success: the exit codes that mean it passed.
    """

    name: str
    command: Sequence[str]
    variables: Mapping[str, str]
    success: Collection[int] = (0,)


@dataclass(frozen=True)
class Result:
    """How a command ended; ``closing`` is the last line it printed."""

    name: str
    code: int
    passed: bool
    seconds: float
    closing: str


def run_jobs(jobs: Sequence[Job], at_once: int) -> list[Result]:
    """Run all of them; the results come in the order of the jobs.

    The output of a job is shown when it ends, or as it comes where only one runs at a time. Whatever
    still runs when this function is left, by an interrupt too, is ended.
    """
    at_once = min(at_once, len(jobs))
    waiting, running, results = list(jobs), list[_Running](), dict[str, Result]()
    last_line = time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(_Running(waiting.pop(0), live=at_once == 1))
            for one in list(running):
                if one.has_ended():
                    running.remove(one)
                    results[one.job.name] = one.result()
                    last_line = time.monotonic()
            if at_once > 1 and running and time.monotonic() - last_line > _SECONDS_BETWEEN_LINES:
                say("... " + ", ".join(one.progress() for one in running))
                last_line = time.monotonic()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        for one in running:
            one.stop()
    return [results[job.name] for job in jobs]


@dataclass
class _Running:
    """A job's process, with its output in a file of its own under ``.host/logs``."""

    job: Job
    live: bool
    _output: bytes = b""

    def __post_init__(self) -> None:
        log = paths.LOGS / f"test-{self.job.name.replace(' ', '-')}-{os.getpid()}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log: Path = log
        with open(log, "wb") as file:
            self._process = subprocess.Popen(
                self.job.command,
                cwd=paths.ROOT,
                env=dict(self.job.variables),
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self._start = time.monotonic()
        if self.live:
            say(f"\n--- {self.job.name}")

    def has_ended(self) -> bool:
        ended = self._process.poll() is not None  # asked before reading: nothing comes after
        with open(self._log, "rb") as file:
            file.seek(len(self._output))
            new = file.read()
        self._output += new
        if self.live:
            print(_text(new), end="", flush=True)
        return ended

    def progress(self) -> str:
        """``host 42 % after 130 s``: pytest prints how far it is."""
        shares = re.findall(r"\[ *(\d+)%\]", _text(self._output))
        done = f" {shares[-1]} %" if shares else ""
        return f"{self.job.name}{done} after {self._seconds():.0f} s"

    def result(self) -> Result:
        """Shows the output, unless it has been seen, and clears away."""
        output = _text(self._output)
        self._log.unlink()
        if not self.live:
            say(f"\n--- {self.job.name}\n{output.rstrip()}")
        lines = [line.strip().strip("= ") for line in output.splitlines() if line.strip()]
        code = self._process.returncode
        closing = lines[-1] if lines else ""
        return Result(self.job.name, code, code in self.job.success, self._seconds(), closing)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.unlink()

    def _seconds(self) -> float:
        return time.monotonic() - self._start


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="replace")
