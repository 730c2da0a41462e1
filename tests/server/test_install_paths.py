"""The archive as users install it: unpacked by hand, under any name, next to other packs, with little installed.

ComfyUI's own loader does the work, in one process without git and without the optional packages
(tests/pack_loading.py); the real server of the other tests runs from the archive too.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from node_ids import NODE_IDS

from tools import pack, paths
from tools.base_directory import base_directory, unpack
from tools.model_files import by_folder_type, resolve
from tools.standins import catalogue

SUPPORT = Path(__file__).resolve().parents[1] / "support"

#: Folder names under custom_nodes: of the registry, of a downloaded repository, renamed, or misleading.
FOLDERS = (
    "consistentid",
    "ConsistentID-main",
    "comfyui_consistentid@0.1.0",
    "2. ConsistentID (Kopie)",
    "Gesichter für später",
    "一致的脸",
    "nodes",
    "consistentid_core",
)
#: Loaded first, because of its name.
NEIGHBOUR = "0_neighbour"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What happened to each copy of the pack, and what its nodes say about missing packages."""
    archive = pack.build(tmp_path_factory.mktemp("archive"), allow_dirty=True)
    models = resolve(
        {key: catalogue.FULL[key] for key in (catalogue.INSIGHTFACE, catalogue.CAPTIONER)}, folders=[]
    )
    result = tmp_path_factory.mktemp("result") / "result.json"
    first, *others = FOLDERS
    with base_directory(by_folder_type(models.values()), archive=archive, pack_name=first) as base:
        for name in others:
            unpack(archive, base.folder / "custom_nodes" / name)
        shutil.copytree(SUPPORT / "neighbour_pack", base.folder / "custom_nodes" / NEIGHBOUR)
        comfyui = os.environ.get("COMFYUI_PATH") or str(paths.COMFYUI)
        command = [sys.executable, str(SUPPORT / "pack_loading.py"), comfyui]
        command += [str(base.folder), str(base.model_paths), str(result)]
        process = subprocess.run(
            command, cwd=base.folder, capture_output=True, encoding="utf-8", errors="replace", timeout=300
        )
    assert process.returncode == 0, process.stderr
    return {**json.loads(result.read_text("utf-8")), "log": process.stderr}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_node_loads_from_the_archive_in_a_folder_of_any_name(report, folder):
    found = report["packs"][folder]
    assert found["loaded"] is True, report["log"]
    assert set(NODE_IDS) <= set(found["nodes"])
    assert set(found["nodes"].values()) == {f"custom_nodes.{folder}"}


def test_the_neighbour_with_the_same_package_names_still_works(report):
    assert report["packs"][NEIGHBOUR] == {
        "loaded": True,
        "nodes": {"Neighbour": f"custom_nodes.{NEIGHBOUR}"},
    }


def test_comfyui_has_nothing_to_complain_about(report):
    assert [line for line in report["log"].splitlines() if "pyproject" in line or "Traceback" in line] == []


@pytest.mark.parametrize(
    ("package", "install"),
    [("insightface", "pip install insightface onnxruntime"), ("transformers", "pip install -U transformers")],
)
def test_a_node_that_needs_a_missing_package_says_how_to_install_it(report, package, install):
    message = report["missing"][package]
    assert message.startswith("MissingDependencyError: ")
    assert package in message and install in message
