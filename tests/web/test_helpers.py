"""The scripts of web/ by themselves: types, and the tests of their helpers."""

import subprocess

import pytest

from tools.browser import FOLDER


def output_of(browser, *arguments):
    done = subprocess.run([browser.node, *arguments], cwd=FOLDER, capture_output=True, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


def test_the_types_are_right(browser):
    code, output = output_of(browser, "node_modules/typescript/bin/tsc", "--project", ".")
    assert code == 0, output


@pytest.mark.parametrize("file", sorted((FOLDER / "lib").glob("*.test.mjs")), ids=lambda file: file.name)
def test_the_helpers_do_what_they_say(browser, file):
    code, output = output_of(browser, "--test", str(file))
    assert code == 0, output
