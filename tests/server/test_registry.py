"""The archive before the node registry's and ComfyUI Manager's own checks, without a connection."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import comfyui, pack, paths, registry
from tools.base_directory import unpack
from tools.environment import Environment


@pytest.fixture(scope="module")
def checkers():
    comfyui = Path(os.environ.get("COMFYUI_PATH") or paths.COMFYUI)
    return registry.prepare(Environment(Path(sys.executable), comfyui))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The archive, unpacked."""
    folder = tmp_path_factory.mktemp("custom_nodes")
    unpack(pack.build(tmp_path_factory.mktemp("archive"), allow_dirty=True), folder / "consistentid")
    return folder / "consistentid"


@pytest.fixture(scope="module")
def configuration(checkers, unpacked) -> dict:
    return checkers.configuration(unpacked)


def test_comfy_node_validate_passes_without_a_warning(checkers, unpacked):
    said = checkers.validate(unpacked)
    assert "All validation checks passed successfully" in said
    assert "warning" not in said.lower() and "error" not in said.lower()


def test_the_registry_reads_what_pyproject_says(configuration):
    project, comfy = configuration["project"], configuration["tool_comfy"]
    assert (project["name"], project["version"]) == (pack.project("name"), pack.project("version"))
    assert project["supported_comfyui_version"] == f">={comfyui.OLDER[-1]}"
    assert project["supported_os"] == ["OS Independent"]
    assert "GPU :: NVIDIA CUDA" in project["supported_accelerators"]
    assert project["license"]["file"] == "LICENSE"
    assert comfy["publisher_id"] and comfy["display_name"]


def test_requirements_and_pyproject_name_the_same_packages(configuration, unpacked):
    lines = (unpacked / "requirements.txt").read_text("utf-8").splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert sorted(configuration["project"]["dependencies"]) == sorted(requirements)


def test_the_registry_takes_the_files_of_the_archive(checkers):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, check=True)
    # New files that are not added yet are in the archive of a changed tree, but not the registry's concern.
    tracked = set(listed.stdout.decode().split("\0"))
    archived = set(pack.tracked_files(allow_dirty=True))
    assert set(checkers.registry_files(paths.ROOT)) == archived & tracked


def test_the_manager_installs_the_requirements_and_changes_no_package(checkers, unpacked, configuration):
    before = checkers.packages()
    said = checkers.install_requirements(unpacked)
    for requirement in configuration["project"]["dependencies"]:
        assert f"Requirement already satisfied: {requirement}" in said
    assert "ERROR" not in said
    assert "Install: install script" not in said
    assert checkers.packages() == before


def test_the_manager_finds_no_harmful_package(checkers):
    assert "[DONE] Security scan" in checkers.scan()
