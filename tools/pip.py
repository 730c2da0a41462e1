"""Run pip quietly: its output goes to a log, and a line every few seconds says how far it is.

The user's pip configuration decides where packages come from; no index is named here.
"""

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .console import CommandError, say

_SECONDS_BETWEEN_LINES = 10


def run_pip(python: Path, arguments: Sequence[str], *, log: Path, watch: Path) -> None:
    """Run ``pip`` with the given Python.

    log: file for pip's output.  watch: folder whose growing size shows the progress.
    Raises CommandError with pip's own error and the log's path.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "pip", *arguments]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    last_error = ""
    activity = _Activity()
    with open(log, "w", encoding="utf-8") as file, _progress_lines(activity, watch):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            activity.read(line)
            if line.startswith("ERROR:"):
                last_error = _without_addresses(line.removeprefix("ERROR:").strip())
    if process.wait() != 0:
        reason = last_error or f"exit code {process.returncode}"
        raise CommandError(f"pip {arguments[0]}: {reason} (details: {log})")


class _Activity:
    """What pip is doing, read from its output."""

    text = "starting"

    def read(self, line: str) -> None:
        words = line.split()
        if line.lstrip().startswith(("Downloading", "Using cached", "Processing")):
            location = next(
                word for word in words if word not in ("Downloading", "Using", "cached", "Processing")
            )
            size = re.search(r"\([\d.]+ [kMG]?B\)", line)
            self.text = f"fetching {_package(location)} {size[0] if size else ''}".rstrip()
        elif line.startswith("Installing collected packages:"):
            self.text = f"unpacking {len(words) - 3} packages"


def _package(location: str) -> str:
    """``torch 2.11.0`` from the path or address of a distribution file."""
    return " ".join(re.split(r"[/\\]", location)[-1].removesuffix(".tar.gz").split("-")[:2])


@contextmanager
def _progress_lines(activity: _Activity, watch: Path) -> Iterator[None]:
    start, done = time.monotonic(), threading.Event()

    def report() -> None:
        while not done.wait(_SECONDS_BETWEEN_LINES):
            size = folder_size(watch) / 1e9
            say(f"  {time.monotonic() - start:3.0f} s, {size:.1f} GB in {watch.name}: {activity.text}")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def folder_size(folder: Path) -> int:
    """The bytes of all files under a folder; files that vanish while counting are left out."""
    size = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                size += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return size


def _without_addresses(text: str) -> str:
    return re.sub(r"\w+://\S+", "<address>", text)
