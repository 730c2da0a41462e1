"""Prepare everything and run all checks: lint, types, then the tests of core, tools, host, learning, server and web.

    python tools/test.py                            everything
    python tools/test.py --only core                one part
    python tools/test.py -k projection              further arguments go to pytest
    COMFYUI_VERSION=0.16.3 python tools/test.py     what runs on that older ComfyUI, and nothing else

Two parts run at a time; the output of each comes in one piece when it ends. Needs nothing but Python 3.10
or newer; the first run installs about 6 GB into .venv and .host. The tests of web also need Chromium and
Node.js, which are installed on Debian if this runs as root.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import browser, comfyui, frontend, paths, real_faces
from tools.console import CommandError, run_command, say
from tools.environment import Environment, chosen_version, prepare, with_version
from tools.side_by_side import Job, Result, run_jobs

LINT = {
    "lint": ("-m", "ruff", "check", "."),
    "format": ("-m", "ruff", "format", "--check", "."),
    "types": ("-m", "mypy"),
}
TESTS = paths.ROOT / "tests"
#: The longest first, so that no long one is left for the end.
SUITES = ("web", "server", "host", "learning", "core", "tools")
#: What runs on each older ComfyUI: loading, Apply, FaceEncoder and saved people in process, then the nodes
#: and every workflow on a server. The other tests are about the pack itself, or would say the same again.
ON_OLDER_HOSTS = {
    "server": ("test_installation.py", "test_shipped_workflows.py"),
    "host": (
        "test_pack.py",
        "test_older_hosts.py",
        "test_face_parser_nodes.py",
        "test_apply_consistentid.py",
        "test_text.py",
        "test_saved_people.py",
        "test_previews.py",
    ),
}
#: Full-size networks, which compute the same on every host: a minute each.
NOT_ON_OLDER_HOSTS = (
    "host/test_apply_consistentid.py::test_a_model_call_equals_the_original_unet[sdxl]",
    "host/test_face_parser_nodes.py::test_an_8k_photo_is_handled",
    "host/test_saved_people.py::test_half_precision_moves_the_id_tokens_by_less_than_a_ten_thousandth",
)
OLDER = "older"

AT_ONCE = min(2, os.cpu_count() or 1)
_NO_TESTS_COLLECTED = 5  # pytest's exit code when -k matches nothing in a suite


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", choices=("lint", *sorted(SUITES), OLDER), help="run one part")
    options, pytest_arguments = parser.parse_known_args()

    environment = prepare(tests=True)
    parts = plan(environment, pytest_arguments)
    if options.only is not None:
        if options.only not in parts:
            raise CommandError(f"{options.only} is no part of what runs here: {', '.join(parts)}.")
        parts = {options.only: parts[options.only]}
    if "web" in parts:
        browser.prepare()
        frontend.prepare(environment.python)
    if {"core", "host"} & set(parts) and chosen_version() is None:
        real_faces.prepare(environment.python)
    return summarise(run_jobs([job for jobs in parts.values() for job in jobs], AT_ONCE))


def plan(environment: Environment, pytest_arguments: Sequence[str]) -> dict[str, list[Job]]:
    """The jobs of each part, in the order in which they start."""
    version = chosen_version()
    if version in comfyui.OLDER:
        return {suite: [job] for suite, job in older_jobs(environment, version, pytest_arguments).items()}
    python, variables = str(environment.python), environment.variables()
    lint = [Job(name, (python, *arguments), variables) for name, arguments in LINT.items()]
    parts = {"lint": lint}
    for suite in SUITES:
        parts[suite] = [pytest_job(suite, environment, [TESTS / suite], pytest_arguments)]
    # Whoever names a ComfyUI wants to know about that one.
    if version is None and not os.environ.get("COMFYUI_PATH"):
        parts[OLDER] = [
            job
            for older in comfyui.OLDER
            for job in older_jobs(with_version(environment, older), older, pytest_arguments).values()
        ]
    return parts


def older_jobs(environment: Environment, version: str, pytest_arguments: Sequence[str]) -> dict[str, Job]:
    """What runs on an older ComfyUI, by suite."""
    arguments = [*(f"--deselect={test}" for test in NOT_ON_OLDER_HOSTS), *pytest_arguments]
    return {
        suite: pytest_job(
            f"{suite} {version}", environment, [TESTS / suite / file for file in files], arguments
        )
        for suite, files in ON_OLDER_HOSTS.items()
    }


def pytest_job(
    name: str, environment: Environment, tests: Sequence[Path], pytest_arguments: Sequence[str]
) -> Job:
    """A process for each suite: the core must work without ComfyUI, the host changes the import path."""
    command = (str(environment.python), "-m", "pytest", *map(str, tests), "--durations=5", *pytest_arguments)
    return Job(name, command, environment.variables(), success=(0, _NO_TESTS_COLLECTED))


def summarise(results: Sequence[Result]) -> int:
    say("\nSummary")
    for result in results:
        state = "passed" if result.passed else "FAILED"
        say(f"  {result.name:<14}{state:<8}{result.seconds:6.1f} s  {result.closing}")
    if all(result.code == _NO_TESTS_COLLECTED for result in results):
        raise CommandError("No test is called so.")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    run_command(main)
