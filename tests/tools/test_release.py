"""What stands around the pack when it is published: checks before a release, pictures, workflows, forms."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from PIL import Image

from tools import comfyui, node_changes, pack, paths
from tools.console import CommandError
from tools.node_changes import find_breaks, find_news

GITHUB = paths.ROOT / ".github"
PYPROJECT = (paths.ROOT / "pyproject.toml").read_text("utf-8")


def read_yaml(*parts: str) -> dict:
    return yaml.safe_load(GITHUB.joinpath(*parts).read_text("utf-8"))


# ---------------------------------------------------------------- before a release


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A repository with nothing but what is looked at before a release."""
    files = {
        "pyproject.toml": '[project]\nname = "faces"\nversion = "1.2.3"\nurl = "https://faces.test"\n',
        "CHANGELOG.md": "# Changes\n\n## 1.2.3\n\nNew.\n\n## 1.2.2\n",
        ".github/ISSUE_TEMPLATE/config.yml": "url: https://faces.test/help\n",
        ".comfyignore": ".github/\ntests/\n",
        "tests/test_it.py": 'ADDRESS = "https://example.org/for/a/test"\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    Image.new("RGB", (4, 4)).save(tmp_path / "icon.png")
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


def test_a_finished_pack_may_be_released(published):
    assert list(pack.find_unfinished("1.2.3")) == []


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("README.md", "one\nsee <https://example.org/a/b>.", "README.md, line 2: https://example.org/a/b is"),
        ("README.md", "mail: me@example.org", "README.md, line 1: me@example.org is"),
        (
            ".github/ISSUE_TEMPLATE/config.yml",
            "url: https://example.org/x",
            "config.yml, line 1: https://example.org/x",
        ),
        ("CHANGELOG.md", "## 1.2.30\n", "CHANGELOG.md has no section for version 1.2.3."),
    ],
)
def test_what_is_left_to_do_is_listed_with_its_place(published, file, text, found):
    (published / file).write_text(text)
    (left,) = pack.find_unfinished()
    assert found in left


def test_a_tag_of_another_version_is_refused(published):
    assert list(pack.find_unfinished("1.3.0")) == ["pyproject.toml is of version 1.2.3, not 1.3.0."]


def test_the_command_refuses_and_makes_no_archive(tmp_path):
    command = [sys.executable, str(paths.ROOT / "tools" / "pack.py"), "--release", "0.0.0", "--allow-dirty"]
    done = subprocess.run([*command, "--output", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1 and "not 0.0.0" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- nodes stay what they are

OLD = {"A": {"inputs": {"x": {}, "y": {}}, "outputs": {"0": {"name": "image"}}}, "B": {}}


def nodes(**changes: dict) -> dict:
    return {**OLD, **changes}


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({"A": OLD["A"]}, "B is gone."),
        (nodes(A={"inputs": {"x": {}}, "outputs": OLD["A"]["outputs"]}), "A has lost the input y."),
        (
            nodes(A={**OLD["A"], "inputs": {"x": {}, "new": {}, "y": {}}}),
            "A has its inputs in another order: x, new, y; it was x, y.",
        ),
        (nodes(A={**OLD["A"], "outputs": {"0": {"name": "mask"}}}), "A has lost the output image."),
    ],
)
def test_what_would_break_a_workflow_is_told(new, told):
    assert list(find_breaks(OLD, new)) == [told]


def test_what_comes_last_breaks_nothing_and_is_news():
    outputs = {"0": {"name": "image"}, "1": {"name": "mask"}}
    new = nodes(A={"inputs": {"x": {}, "y": {}, "z": {}}, "outputs": outputs}, C={})
    assert list(find_breaks(OLD, new)) == []
    assert list(find_news(OLD, new)) == ["New: the input z of A.", "New: the output mask of A.", "New: C."]


def test_nodes_are_compared_with_those_of_a_commit(published):
    file = published / node_changes.NODES
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(OLD))
    identity = ["-c", "user.name=test", "-c", "user.email=test@faces.test", "-c", "commit.gpgSign=false"]
    for command in (["add", "--all"], [*identity, "commit", "--quiet", "--message", "nodes"]):
        subprocess.run(["git", "-C", str(published), *command], check=True)
    file.write_text(json.dumps(nodes(C={})))
    assert node_changes.compare("HEAD") == ["New: C."]
    file.write_text(json.dumps({"A": OLD["A"]}))
    with pytest.raises(CommandError, match=r"Workflows of HEAD would break:\n  B is gone\."):
        node_changes.compare("HEAD")


# ---------------------------------------------------------------- what the registry and the repository show


@pytest.mark.parametrize("key", ["Icon", "Banner"])
def test_a_picture_of_the_registry_is_in_the_repository(key):
    place = re.search(rf'^{key} = ".+/raw/main/(.+)"$', PYPROJECT, re.MULTILINE)
    file = paths.ROOT / place[1]
    assert file.stat().st_size < 100_000
    with Image.open(file) as picture:
        width, height = picture.size
    if key == "Icon":
        assert width == height <= 400
    else:
        assert width * 9 == height * 21


def test_every_comfyui_that_the_workflow_tests_can_be_had():
    versions = read_yaml("workflows", "test.yml")["jobs"]["test"]["strategy"]["matrix"]["comfyui"]
    assert versions == [comfyui.VERSION, *comfyui.OLDER]


def test_nothing_is_published_before_all_is_tested_and_finished():
    publish = read_yaml("workflows", "publish.yml")["jobs"]["publish"]
    assert publish["needs"] == "test"
    steps = [step.get("run") or step["uses"] for step in publish["steps"]]
    check = next(place for place, step in enumerate(steps) if "tools/pack.py --release" in step)
    assert check < next(place for place, step in enumerate(steps) if "publish-node-action" in step)


@pytest.mark.parametrize("name", ["test.yml", "publish.yml"])
def test_a_workflow_runs_commands_that_exist(name):
    text = (GITHUB / "workflows" / name).read_text("utf-8")
    commands = set(re.findall(r"python (tools/\w+\.py)", text))
    assert commands and all((paths.ROOT / command).is_file() for command in commands)


def test_a_report_asks_for_the_host_the_message_and_the_log():
    fields = {field.get("id"): field for field in read_yaml("ISSUE_TEMPLATE", "fault.yml")["body"]}
    for name in ("host", "message", "log"):
        assert fields[name]["validations"]["required"] is True
