"""The scripts of web/ without a browser: types, the tests of their helpers (lib) and those of their views (dom)."""

import subprocess

import pytest

from tools.browser import FOLDER


def output_of(browser, *arguments):
    done = subprocess.run([browser.node, *arguments], cwd=FOLDER, capture_output=True, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


def test_the_types_are_right(browser):
    code, output = output_of(browser, "node_modules/typescript/bin/tsc", "--project", ".")
    assert code == 0, output


@pytest.mark.parametrize("folder", ["lib", "dom"])
def test_helpers_and_views_do_what_they_say(browser, folder):
    files = sorted(str(file) for file in (FOLDER / folder).glob("*.test.mjs"))
    assert files
    code, output = output_of(browser, "--test", *files)
    assert code == 0, output
