"""Who imports whom in the core: the directions, read off the source, and what importing it pulls in."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from reporting import fail_with

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "consistentid_core"

#: From the ground floor up: a room imports from its own and from rooms named before it, never from later ones.
ROOMS = (
    "errors",
    "command_line",
    "checks",
    "memory",
    "regions",
    "families",
    "files",
    "networks",
    "text",
    "faces",
    "identity",
    "finding",
)
#: Commands that use what stands above the room they belong to; nothing imports them.
COMMANDS = {"files.__main__"}
#: Each stands on all of the above, and nothing stands on it.
ROOFS = ("data", "training", "evaluation")
#: Besides ROOMS: what a roof imports of the others. Evaluation judges what training made, and must not share its code.
BETWEEN_ROOFS = {"training": {"data"}, "evaluation": {"data"}, "data": set()}

#: ComfyUI's own modules, and ours that know it or are not shipped.
FOREIGN = (
    "comfy",
    "comfy_api",
    "comfy_extras",
    "comfy_execution",
    "execution",
    "folder_paths",
    "nodes",
    "server",
)
FOREIGN += ("tools", "tests")

#: Packages that are slow to import or not always there, and the rooms that use them, inside functions.
HEAVY = {
    "accelerate": {"training"},
    "cv2": {"identity", "data"},
    "insightface": {"identity", "data", "evaluation"},
    "onnx": {"evaluation"},
    "onnxruntime": {"identity", "data"},
    "pyarrow": {"data", "training"},
    "ray": {"data"},
    "tensorboard": {"training"},
    "torch_fidelity": {"evaluation"},
    "torchmetrics": {"evaluation"},
    "transformers": {"text", "data", "training", "evaluation"},
    "webdataset": {"data", "training"},
}


@dataclass(frozen=True)
class Import:
    """One import statement of one module of the core.

    module, target: dotted, without the package's name for modules of the core.
    """

    module: str
    line: int
    target: str
    of_core: bool
    at_import: bool

    @property
    def room(self) -> str:
        return self.module.split(".")[0]

    @property
    def target_room(self) -> str:
        return self.target.split(".")[0]

    def __str__(self) -> str:
        return f"{self.module} (line {self.line}) imports {self.target}"


def read_imports(root: Path) -> list[Import]:
    """All imports in all modules below a folder that is a package."""
    modules = {_dotted(path.relative_to(root)): path for path in sorted(root.rglob("*.py"))}
    found = []
    for module, path in modules.items():
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        for node, at_import in _imports(ast.parse(path.read_text("utf-8"))):
            for target in _targets(node, [part for part in package if part], modules):
                of_core = isinstance(node, ast.ImportFrom) and node.level > 0
                found.append(Import(module, node.lineno, target, of_core, at_import))
    return found


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree: ast.AST, at_import: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_import
        elif not _is_for_types(child):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, at_import and not inside)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _targets(node: ast.Import | ast.ImportFrom, package: list[str], modules: dict[str, Path]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level == 0:
        return [node.module or ""]
    base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
    # `from .faces import crops` means the module crops, `from .faces.crops import fit_mask` means crops too.
    names = [".".join([*base, alias.name]) for alias in node.names]
    return sorted({name if name in modules else ".".join(base) for name in names})


IMPORTS = read_imports(ROOT / PACKAGE)
OWN = [one for one in IMPORTS if one.of_core and one.module]  # the package itself offers what it likes
OTHERS = [one for one in IMPORTS if not one.of_core]


def allowed(room: str) -> set[str]:
    """The rooms a room may import from."""
    if room in ROOMS:
        return set(ROOMS[: ROOMS.index(room) + 1])
    return {*ROOMS, room, *BETWEEN_ROOFS[room]}


def test_every_room_has_its_place():
    rooms = {path.stem for path in (ROOT / PACKAGE).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__"} <= {*ROOMS, *ROOFS}


def test_a_room_imports_from_below():
    wrong = [one for one in OWN if one.target_room not in allowed(one.room) and one.module not in COMMANDS]
    fail_with(wrong, "These imports go up; see ROOMS in tests/core/test_imports.py:")


def test_no_module_imports_itself_in_a_circle():
    graph = {one.module: set() for one in OWN}
    for one in OWN:
        graph[one.module].add(one.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("A circle: " + " -> ".join(reversed(error.args[1])))


def test_the_core_is_imported_relatively_and_knows_no_comfyui():
    wrong = [one for one in OTHERS if one.target_room in (*FOREIGN, PACKAGE)]
    fail_with(wrong, "The core stands alone, under whatever name ComfyUI gives the pack:")


def test_a_heavy_package_is_used_where_it_belongs_and_imported_when_it_is_needed():
    heavy = [one for one in OTHERS if one.target_room in HEAVY]
    wrong = [one for one in heavy if one.at_import or one.room not in HEAVY[one.target_room]]
    fail_with(wrong, "Import these inside the function that uses them, in a room HEAVY names:")


SCRIPT = """
import importlib, json, sys
sys.path.append(sys.argv[1])
for module in sys.argv[2:]:
    importlib.import_module(module)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    """Every top-level package that is loaded after importing the whole core, in a fresh interpreter."""
    files = (path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*.py") if path.name != "__main__.py")
    command = [sys.executable, "-c", SCRIPT, str(ROOT), *map(_dotted, files)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)


def test_importing_the_core_loads_nothing_heavy_and_nothing_of_comfyui(loaded):
    # What is imported may import it in turn, which the source does not show.
    assert {"torch", "numpy"} <= set(loaded)
    assert {*HEAVY, *FOREIGN} & set(loaded) == set()


# ---------------------------------------------------------------- how imports are read

TOP = """
from ..low import one
from . import side

def use():
    import ray
    from .side import x
"""
SIDE = """
import typing
if typing.TYPE_CHECKING:
    import accelerate
try:
    import cv2
except ImportError: ...
"""
EXAMPLE = {
    "__init__.py": "from .high import top",
    "low.py": "import torch.nn",
    "high/__init__.py": "",
    "high/top.py": TOP,
    "high/side.py": SIDE,
}


def test_imports_are_read_at_any_depth_with_their_module(tmp_path):
    for name, text in EXAMPLE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert {(one.module, one.target, one.of_core, one.at_import) for one in read_imports(tmp_path)} == {
        ("", "high.top", True, True),
        ("low", "torch.nn", False, True),
        ("high.top", "low", True, True),
        ("high.top", "high.side", True, True),
        ("high.top", "high.side", True, False),
        ("high.top", "ray", False, False),
        ("high.side", "typing", False, True),
        ("high.side", "cv2", False, True),
    }
