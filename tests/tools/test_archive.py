"""The archive of tools/pack.py, on a small repository and on this one."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tools import pack, paths
from tools.base_directory import unpack
from tools.console import CommandError

ROOT = paths.ROOT
FILES = {
    ".comfyignore": "tests/\n*.log\n",
    ".gitignore": "cache/\n",
    "__init__.py": "",
    "pyproject.toml": '[project]\nname = "faces"\nversion = "1.2.3"\n\n[tool.x]\nname = "other"\n',
    "nodes/für alle.py": "print()",
    "tests/test_it.py": "",
    "old.log": "",
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a few files, taken for that of the pack."""
    root = tmp_path / "repository"
    for name, text in FILES.items():
        write(root / name, text)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "files")
    monkeypatch.setattr(paths, "ROOT", root)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgSign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True)


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as content:
        return content.namelist()


def test_tracked_files_are_packed_in_one_folder_less_the_ones_named_in_comfyignore(repository, tmp_path):
    archive = pack.build(tmp_path / "out")
    assert archive.name == "faces-1.2.3.zip"
    wanted = [".comfyignore", ".gitignore", "__init__.py", "nodes/für alle.py", "pyproject.toml"]
    assert names(archive) == [f"faces/{name}" for name in wanted]


def test_an_archive_is_unpacked_as_it_was(repository, tmp_path):
    unpack(pack.build(tmp_path / "out"), tmp_path / "ein Name")
    assert (tmp_path / "ein Name" / "nodes" / "für alle.py").read_text() == "print()"


def test_equal_files_make_an_equal_archive(repository, tmp_path):
    one = pack.build(tmp_path / "one").read_bytes()
    for name in FILES:
        os.utime(repository / name, (0, 0))
        (repository / name).chmod(0o600)
    git(repository, "config", "core.fileMode", "false")
    assert pack.build(tmp_path / "other").read_bytes() == one


def test_changes_are_refused_by_name(repository, tmp_path):
    write(repository / "new.py", "")
    write(repository / "__init__.py", "changed")
    with pytest.raises(CommandError, match=r"Uncommitted changes: __init__\.py, new\.py\."):
        pack.build(tmp_path / "out")


def test_changed_new_and_deleted_files_are_packed_as_they_are_when_that_is_allowed(repository, tmp_path):
    write(repository / "new.py", "")
    write(repository / "cache" / "ignored.py", "")
    write(repository / "new.log", "")
    (repository / "nodes" / "für alle.py").unlink()
    packed = names(pack.build(tmp_path / "out", allow_dirty=True))
    assert packed == [
        f"faces/{name}" for name in (".comfyignore", ".gitignore", "__init__.py", "new.py", "pyproject.toml")
    ]


def test_a_folder_that_is_no_repository_of_its_own_is_refused(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", repository / "nodes")
    with pytest.raises(CommandError, match="not the root of a git repository"):
        pack.build(tmp_path / "out")


@pytest.fixture(scope="module")
def own_files(tmp_path_factory) -> list[str]:
    """The files of this pack's archive, below its folder."""
    packed = names(pack.build(tmp_path_factory.mktemp("archive"), allow_dirty=True))
    assert {name.split("/")[0] for name in packed} == {"consistentid"}
    return [name.split("/", 1)[1] for name in packed]


@pytest.mark.parametrize(
    "name",
    ["__init__.py", "LICENSE", "README.md", "pyproject.toml", "requirements.txt", "docs/troubleshooting.md"],
)
def test_a_user_gets_the_file(own_files, name):
    assert name in own_files


@pytest.mark.parametrize("folder", ["consistentid_core", "locales", "nodes", "web", "workflows"])
def test_a_user_gets_everything_in_the_folder(own_files, folder):
    there = [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert there != []
    assert {path.relative_to(ROOT).as_posix() for path in there} <= set(own_files)


def test_a_user_gets_no_tests_tools_or_caches(own_files):
    unwanted = {
        ".ci",
        ".git",
        ".github",
        ".gitignore",
        ".comfyignore",
        ".host",
        ".venv",
        "benchmarks",
        "tests",
        "tools",
    }
    assert {name.split("/")[0] for name in own_files} & unwanted == set()
    assert [name for name in own_files if "__pycache__" in name or name.endswith(".pyc")] == []
