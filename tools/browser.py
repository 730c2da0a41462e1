"""What the tests in tests/web need besides Python: Chromium, and Node.js with a few packages.

On Debian and its kin, as root, what is missing is installed; anywhere else a message says what is.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import paths
from .console import CommandError, step

FOLDER = paths.ROOT / "tests" / "web"

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: From here on Node.js reads a .js file with imports as a module, as browsers do.
_NODE_VERSION = (20, 19)


@dataclass(frozen=True)
class Browser:
    """The programs."""

    chromium: str
    node: str


def prepare() -> Browser:
    """Find or install everything; within a second if it is there already."""
    chromium = _chromium()
    if chromium is None:
        _apt_install("chromium")
        chromium = _chromium()
    if chromium is None:
        raise CommandError(
            "The browser tests need Chromium or Chrome. Install it (Debian: apt install chromium), or name its "
            "program in CHROMIUM."
        )
    node = _node()
    _install_packages()
    return Browser(chromium, node)


def find_npm() -> str:
    """The program npm, installed if this may install it."""
    _node()
    npm = shutil.which("npm")
    assert npm is not None  # found before
    return npm


def _chromium() -> str | None:
    if named := os.environ.get("CHROMIUM"):
        if not Path(named).is_file():
            raise CommandError(f"CHROMIUM is {named}, which is not a file.")
        return named
    return next((found for name in _CHROMIUM if (found := shutil.which(name))), None)


def _node() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        _apt_install("nodejs", "npm")
        node, npm = shutil.which("node"), shutil.which("npm")
    wanted = ".".join(map(str, _NODE_VERSION))
    if node is None or npm is None:
        raise CommandError(f"The browser tests need Node.js {wanted} or newer, with npm (nodejs.org).")
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    version = answer.strip().removeprefix("v")
    if tuple(int(number) for number in version.split(".")[:2]) < _NODE_VERSION:
        raise CommandError(
            f"{node} is Node.js {version}; the browser tests need {wanted} or newer (nodejs.org)."
        )
    return node


def _install_packages() -> None:
    """What package-lock.json lists, into node_modules."""
    lock = FOLDER / "package-lock.json"
    stamp = FOLDER / "node_modules" / ".consistentid-stamp"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text("utf-8") == digest:
        return
    npm = find_npm()
    with step("Installing the packages of the browser tests (60 MB, a few seconds)"):
        _run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], paths.LOGS / "npm.log")
    stamp.write_text(digest, "utf-8")


def _apt_install(*packages: str) -> None:
    """Install Debian packages, if this is Debian and may be changed."""
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    log = paths.LOGS / "apt.log"
    with step(f"Installing {', '.join(packages)} with apt-get (up to 2 minutes)"):
        _run(["apt-get", "update"], log)
        _run(["apt-get", "install", "--yes", "--no-install-recommends", *packages], log)


def _run(command: Sequence[str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with open(log, "ab") as file:
        done = subprocess.run(command, cwd=FOLDER, env=variables, stdout=file, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command[:2])} ended with exit code {done.returncode} (details: {log})")
