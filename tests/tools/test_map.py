"""docs/ARCHITECTURE.md and CONTRIBUTING.md against the repository: what they name exists, and no room is left out."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest
from reporting import fail_with

from tools import paths

MAP, GUIDE = paths.ROOT / "docs" / "ARCHITECTURE.md", paths.ROOT / "CONTRIBUTING.md"

#: Folders whose inside is described on the map.
WITH_ROOMS = ("consistentid_core", "nodes", "benchmarks", "tests", "tools", "web", "workflows")

_BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)#]+)\)")
_FILE = re.compile(r"(?<![\w./-])[\w.-]+(?:/[\w.-]+)*\.(?:py|md|json|js|toml)\b")


def drawn_paths(text: str) -> list[str]:
    """The paths of a tree, two spaces a level, as in the first block of the map."""
    above: list[str] = []
    found = []
    for line in _BLOCK.search(text)[1].splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [name]
        found.append(str(PurePosixPath(*above)))
    return found


def named_paths(text: str) -> Iterator[str]:
    """Whatever is written like a path in code, in a command or a link."""
    prose = _BLOCK.sub("", text)
    for code in _CODE.findall(prose):
        if "/" in code and " " not in code:
            yield code
    yield from _FILE.findall("\n".join(re.findall(r"^    (.*)$", prose, re.MULTILINE)))


def rooms() -> set[str]:
    """Top folders of the repository, and the folders one below in those with rooms."""
    listed = subprocess.run(
        ["git", "-C", str(paths.ROOT), "ls-files"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folders = {PurePosixPath(path).parent.parts for path in listed}
    inside = {"/".join(parts[:2]) for parts in folders if len(parts) > 1 and parts[0] in WITH_ROOMS}
    return {parts[0] for parts in folders if parts} | inside


def test_everything_on_the_map_exists():
    missing = [path for path in drawn_paths(MAP.read_text("utf-8")) if not (paths.ROOT / path).exists()]
    fail_with(missing, "On the map, and not in the repository:")


def test_every_folder_and_room_is_on_the_map():
    fail_with(sorted(rooms() - set(drawn_paths(MAP.read_text("utf-8")))), "Not on the map:")


@pytest.mark.parametrize("page", [MAP, GUIDE], ids=lambda page: page.name)
def test_every_path_a_page_names_exists(page):
    made = (".venv", ".host")  # by the first command
    named = list(named_paths(page.read_text("utf-8")))
    assert len(named) > 10
    missing = [path for path in named if not path.startswith(made) and not (paths.ROOT / path).exists()]
    fail_with(missing, f"{page.name} names what is not there:")


@pytest.mark.parametrize("page", [MAP, GUIDE], ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    links = [link for link in _LINK.findall(page.read_text("utf-8")) if "://" not in link]
    fail_with([link for link in links if not (page.parent / link).exists()], "Dead links:")


def test_the_readme_leads_to_both():
    links = _LINK.findall((paths.ROOT / "README.md").read_text("utf-8"))
    assert {str(page.relative_to(paths.ROOT).as_posix()) for page in (MAP, GUIDE)} <= set(links)


def test_a_path_is_recognised_however_it_is_written():
    text = "A `nodes/a.py`, `word`, `b/`.\n\n    python tools/c.py --only d\n\n```\nx/  e\n  y.py\nz/\n```\n"
    assert list(named_paths(text)) == ["nodes/a.py", "b/", "tools/c.py"]
    assert drawn_paths(text) == ["x", "x/y.py", "z"]
