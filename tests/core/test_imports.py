"""What importing the core pulls in, in a fresh interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import importlib, json, pkgutil, sys
sys.path.append(sys.argv[1])
import consistentid_core
modules = [module.name for module in pkgutil.walk_packages(consistentid_core.__path__, "consistentid_core.")]
for module in modules:
    importlib.import_module(module)
print(json.dumps([modules, sorted({name.split(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def imported():
    """Modules of the core, and every top-level package loaded after importing all of them."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT)], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(result.stdout)


def test_all_modules_of_the_core_are_found(imported):
    files = (ROOT / "consistentid_core").rglob("*.py")
    assert len(imported[0]) == len(list(files)) - 1  # the package itself


@pytest.mark.parametrize(
    "package",
    ["comfy", "comfy_api", "folder_paths", "nodes", "cv2", "insightface", "onnxruntime", "transformers"],
)
def test_the_core_does_not_import(imported, package):
    assert package not in imported[1]
