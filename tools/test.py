"""Prepare everything and run all checks: lint, types, then the tests of core, tools, host, server and web.

    python tools/test.py                   everything
    python tools/test.py --only core       one part
    python tools/test.py -k projection     further arguments go to pytest

Needs nothing but Python 3.10 or newer; the first run installs about 6 GB into .venv and .host. The tests of
web also need Chromium and Node.js, which are installed on Debian if this runs as root.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import browser, paths
from tools.console import run_command, say
from tools.environment import Environment, prepare

LINT = {
    "lint": ["-m", "ruff", "check", "."],
    "format": ["-m", "ruff", "format", "--check", "."],
    "types": ["-m", "mypy"],
}
SUITES = ("core", "tools", "host", "server", "web")

_NO_TESTS_COLLECTED = 5  # pytest's exit code when -k matches nothing in a suite


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool
    seconds: float
    closing: str


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", choices=("lint", *SUITES), help="run one part")
    options, pytest_arguments = parser.parse_known_args()

    environment = prepare(tests=True)
    if options.only in (None, "web"):
        browser.prepare()
    results: list[Result] = []
    if options.only in (None, "lint"):
        results += [_run(environment, name, arguments) for name, arguments in LINT.items()]
    for suite in SUITES:
        if options.only in (None, suite):
            # A process for each: the core must work without ComfyUI, the host changes the import path.
            arguments = [
                "-m",
                "pytest",
                str(paths.ROOT / "tests" / suite),
                "--durations=5",
                *pytest_arguments,
            ]
            results.append(_run(environment, suite, arguments))

    say("\nSummary")
    for result in results:
        state = "passed" if result.passed else "FAILED"
        say(f"  {result.name:<8}{state:<8}{result.seconds:6.1f} s  {result.closing}")
    return 0 if results and all(result.passed for result in results) else 1


def _run(environment: Environment, name: str, arguments: list[str]) -> Result:
    """Run one check, showing its output as it comes."""
    say(f"\n--- {name}")
    start = time.monotonic()
    closing = ""
    process = subprocess.Popen(
        [str(environment.python), *arguments],
        cwd=paths.ROOT,
        env=environment.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.strip():
                closing = line.strip().strip("= ")
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    passed = code == 0 or (name in SUITES and code == _NO_TESTS_COLLECTED)
    return Result(name, passed, time.monotonic() - start, closing)


if __name__ == "__main__":
    run_command(main)
