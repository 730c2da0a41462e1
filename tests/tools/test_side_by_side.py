"""Commands that run side by side, and the plan of tools/test.py that they carry out."""

import os
import sys

import pytest

from tools import comfyui, environment, paths, side_by_side
from tools import test as test_command
from tools.console import CommandError
from tools.environment import Environment
from tools.side_by_side import Job, Result, run_jobs

#: Waits until the other has written its first line: together they can only end side by side.
TALK = """
import pathlib, sys, time
own, other = (pathlib.Path(sys.argv[1], name) for name in sys.argv[2:])
print(own.name, "begins", flush=True)
own.touch()
while not other.exists():
    time.sleep(0.01)
print(own.name, "ends")
"""


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "LOGS", tmp_path / "logs")
    return paths.LOGS


def python(name: str, code: str, *arguments: str, **options: object) -> Job:
    return Job(name, (sys.executable, "-c", code, *arguments), os.environ, **options)


def test_two_run_at_once_and_the_output_of_each_comes_in_one_piece(tmp_path, capsys):
    jobs = [python("one", TALK, str(tmp_path), "a", "b"), python("other", TALK, str(tmp_path), "b", "a")]
    assert [(result.name, result.passed, result.closing) for result in run_jobs(jobs, 2)] == [
        ("one", True, "a ends"),
        ("other", True, "b ends"),
    ]
    shown = capsys.readouterr().out
    assert "--- one\na begins\na ends\n" in shown
    assert "--- other\nb begins\nb ends\n" in shown


def test_what_runs_alone_is_shown_as_it_comes_and_one_after_the_other(capsys):
    run_jobs([python("one", "print(1)"), python("other", "print(2)")], 1)
    assert capsys.readouterr().out == "\n--- one\n1\n\n--- other\n2\n"


def test_a_command_fails_by_its_exit_code_and_keeps_its_last_line():
    failing = python("failing", "import sys; print('== 3 failed =='); sys.exit(1)")
    empty = python("empty", "import sys; sys.exit(5)", success=(0, 5))
    first, second = run_jobs([failing, empty], 2)
    assert (first.passed, first.closing, first.code) == (False, "3 failed", 1)
    assert (second.passed, second.code) == (True, 5)


def test_an_interrupt_ends_what_still_runs_and_leaves_nothing(logs, monkeypatch):
    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(side_by_side, "say", interrupt)
    endless = python("endless", "import time\nwhile True: time.sleep(1)")
    with pytest.raises(KeyboardInterrupt):
        run_jobs([endless, python("short", "")], 2)  # the end of the short one is said
    assert list(logs.iterdir()) == []


def test_progress_is_how_far_pytest_says_it_is(tmp_path, monkeypatch):
    said = []

    def listen(text: str) -> None:
        said.append(text)
        if "42 %" in text:
            (tmp_path / "b").touch()  # only then does it end

    monkeypatch.setattr(side_by_side, "say", listen)
    monkeypatch.setattr(side_by_side, "_SECONDS_BETWEEN_LINES", 0)
    half = python("half", "print('a.py ... [ 42%]', flush=True)" + TALK, str(tmp_path), "a", "b")
    run_jobs([half, python("done", "")], 2)
    assert any(text.startswith("... half 42 % after ") for text in said)


# ---------------------------------------------------------------- the plan


@pytest.fixture
def host(tmp_path, monkeypatch) -> Environment:
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.delenv("COMFYUI_VERSION", raising=False)
    monkeypatch.setattr(comfyui, "is_ready", lambda version=comfyui.VERSION: True)
    return environment.with_version(Environment(tmp_path / "python", paths.COMFYUI), comfyui.VERSION)


def test_every_suite_runs_on_the_newest_comfyui_and_its_files_on_each_older_one(host):
    plan = test_command.plan(host, ["-k", "face"])
    assert {job.name for jobs in plan.values() for job in jobs} == {
        *("lint", "format", "types", "core", "tools", "host", "learning", "server", "web"),
        *(f"{suite} {version}" for version in comfyui.OLDER for suite in ("host", "server")),
    }
    folders = {job.name: job.variables["COMFYUI_PATH"] for jobs in plan.values() for job in jobs}
    assert folders["host"] == str(paths.COMFYUI)
    assert folders["host 0.16.3"] == str(comfyui.folder("0.16.3"))
    assert all(job.command[-2:] == ("-k", "face") for job in (*plan["web"], *plan["older"]))


def test_a_version_runs_what_belongs_to_it_alone(host, monkeypatch):
    monkeypatch.setenv("COMFYUI_VERSION", "0.16.3")
    assert set(test_command.plan(host, [])) == {"host", "server"}
    monkeypatch.setenv("COMFYUI_VERSION", comfyui.VERSION)
    assert "older" not in test_command.plan(host, [])


def test_a_comfyui_of_the_user_s_is_tested_alone(host, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", "/somewhere")
    assert set(test_command.plan(host, [])) == {"lint", "web", "server", "host", "learning", "core", "tools"}


def test_every_folder_of_tests_is_a_suite():
    folders = {
        path.parent.relative_to(test_command.TESTS).parts[0] for path in test_command.TESTS.rglob("test_*.py")
    }
    assert folders == set(test_command.SUITES)


@pytest.mark.parametrize(
    "file", [f"{suite}/{file}" for suite, files in test_command.ON_OLDER_HOSTS.items() for file in files]
)
def test_a_file_for_the_older_hosts_exists(file):
    assert (test_command.TESTS / file).is_file()


@pytest.mark.parametrize("test", test_command.NOT_ON_OLDER_HOSTS)
def test_a_test_that_is_left_out_there_exists(test):
    file, name = test.partition("[")[0].split("::")
    assert f"def {name}(" in (test_command.TESTS / file).read_text("utf-8")


@pytest.mark.parametrize(("codes", "expected"), [((0, 5), 0), ((0, 1), 1)])
def test_one_failure_fails_the_run(codes, expected, capsys):
    results = [Result(f"suite {code}", code, code != 1, 1.0, f"{code} tests") for code in codes]
    assert test_command.summarise(results) == expected
    assert f"suite {codes[1]}       {'FAILED' if expected else 'passed'}" in capsys.readouterr().out


def test_a_name_that_no_test_has_is_no_success():
    with pytest.raises(CommandError, match="No test"):
        test_command.summarise([Result("core", 5, True, 1.0, "no tests ran")])
