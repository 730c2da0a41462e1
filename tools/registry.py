"""What the node registry and ComfyUI Manager check, run on the pack without a connection.

comfy-cli and ComfyUI Manager bring some thirty packages of their own. They live in an environment of
their own under ``.host``, made when first needed, that sees ComfyUI's packages and cannot change them.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import paths
from .console import CommandError, step
from .environment import Environment, venv_python
from .locking import exclusive
from .pip import run_pip

#: Pinned, as a new release must not fail a change that is right; ComfyUI names the Manager's version.
_COMFY_CLI = "comfy-cli==1.23.0"
_MANAGER = "manager_requirements.txt"

_ENVIRONMENT = paths.HOST / "registry"
_NOBODY = "http://127.0.0.1:9"  # a proxy that does not exist: every connection fails at once

_CONFIGURATION = """
import dataclasses, json
from comfy_cli.registry.config_parser import extract_node_configuration
print(json.dumps(dataclasses.asdict(extract_node_configuration())))
"""
_REGISTRY_FILES = """
import json, os, tempfile, zipfile
from comfy_cli.file_utils import zip_files
from comfy_cli.registry.config_parser import extract_node_configuration
with tempfile.TemporaryDirectory() as folder:
    archive = os.path.join(folder, "node.zip")
    zip_files(archive, extract_node_configuration().tool_comfy.includes)
    with zipfile.ZipFile(archive) as content:
        print(json.dumps(content.namelist()))
"""
_SCAN = """
from comfyui_manager.common.security_check import security_check
security_check()
"""


@dataclass(frozen=True)
class Checkers:
    """The Python that has comfy-cli and ComfyUI Manager, and the ComfyUI they are for."""

    python: Path
    comfyui: Path

    def validate(self, pack: Path) -> str:
        """What ``comfy node validate`` says about a pack's folder."""
        return self._run("-m", "comfy_cli", "--skip-prompt", "node", "validate", folder=pack)

    def configuration(self, pack: Path) -> dict[str, Any]:
        """What the registry reads from a pack's pyproject.toml: the sections project and tool_comfy."""
        configuration: dict[str, Any] = json.loads(self._last_line("-c", _CONFIGURATION, folder=pack))
        return configuration

    def registry_files(self, repository: Path) -> list[str]:
        """The files ``comfy node pack`` takes from a repository."""
        files: list[str] = json.loads(self._last_line("-c", _REGISTRY_FILES, folder=repository))
        return files

    def install_requirements(self, pack: Path) -> str:
        """What the Manager does with an unpacked pack: its requirements line by line, then its install.py.

        pip may use nothing but what is installed.
        """
        return self._run("-m", "cm_cli", "post-install", str(pack), folder=pack)

    def scan(self) -> str:
        """The Manager's search for packages known to be harmful, as at every start of ComfyUI."""
        return self._run("-c", _SCAN, folder=self.comfyui)

    def packages(self) -> dict[str, str]:
        """The version of every package that ComfyUI and the pack can import."""
        listed = json.loads(self._last_line("-m", "pip", "list", "--format", "json", folder=self.comfyui))
        return {package["name"]: package["version"] for package in listed}

    def _last_line(self, *arguments: str, folder: Path) -> str:
        return self._run(*arguments, folder=folder).strip().splitlines()[-1]

    def _run(self, *arguments: str, folder: Path) -> str:
        """Run the Python in a folder, away from the user's settings; everything it prints."""
        with tempfile.TemporaryDirectory() as home:
            proxies = {f"{scheme}_proxy": _NOBODY for scheme in ("all", "http", "https")}
            variables = {
                **os.environ,
                **proxies,
                **{name.upper(): value for name, value in proxies.items()},
                **dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "XDG_CONFIG_HOME"), home),
                "COMFYUI_PATH": str(self.comfyui),
                "DO_NOT_TRACK": "1",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_NO_INDEX": "1",
                "PYTHONUTF8": "1",
            }
            result = subprocess.run(
                [str(self.python), *arguments],
                cwd=folder,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        if result.returncode != 0:
            raise CommandError(f"{' '.join(arguments[:2])}: {result.stdout.strip()}")
        return result.stdout


def prepare(environment: Environment) -> Checkers:
    """Find or make the environment of the checkers."""
    python = venv_python(_ENVIRONMENT)
    manager = environment.comfyui / _MANAGER
    made_from = "\n".join((str(environment.python), _COMFY_CLI, manager.read_text("utf-8")))
    stamp = _ENVIRONMENT / "stamp.txt"
    with exclusive(paths.HOST / "registry.lock"):
        if not (stamp.is_file() and stamp.read_text("utf-8") == made_from):
            with step("Installing comfy-cli and ComfyUI Manager beside ComfyUI (0.3 GB, about 20 s)"):
                _make(environment, ["install", _COMFY_CLI, "--requirement", str(manager)])
            stamp.write_text(made_from, "utf-8")
    return Checkers(python, environment.comfyui)


def _make(environment: Environment, arguments: Sequence[str]) -> None:
    """An environment that has pip and all other packages from the given one."""
    shutil.rmtree(_ENVIRONMENT, ignore_errors=True)
    subprocess.run([str(environment.python), "-m", "venv", "--without-pip", str(_ENVIRONMENT)], check=True)
    python = venv_python(_ENVIRONMENT)
    # Folders named in a .pth file are searched too, after the environment's own.
    shared = _site_packages(python) / "comfyui.pth"
    shared.write_text(f"{_site_packages(environment.python)}\n", "utf-8")
    run_pip(python, arguments, log=paths.LOGS / "install-registry.log", watch=_ENVIRONMENT)


def _site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    result = subprocess.run([str(python), "-c", code], capture_output=True, encoding="utf-8", check=True)
    return Path(result.stdout.strip())
