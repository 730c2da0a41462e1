"""The Python and the ComfyUI that the commands run with.

By default both are made here, in ``.venv`` and ``.host``; one environment serves every version of
ComfyUI, which ``COMFYUI_VERSION`` chooses. ``COMFYUI_PATH`` names a ComfyUI of your own instead;
then its Python is used as it is and never changed.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import comfyui, paths
from .console import CommandError, say, step
from .locking import exclusive
from .pip import folder_size, run_pip

#: A trio that belongs together and runs on the CPU. A CPU-only torch would not do: the
#: torchvision that PyPI offers beside it does not import.
TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")

_OWN_REQUIREMENTS = (paths.ROOT / "requirements.txt", paths.ROOT / "tools" / "requirements.txt")
_DISK_SPACE_GB = 11  # the environment, pip's temporary files and the stand-in weights
_DISK_SPACE_FOR_TESTS_GB = 4  # further stand-ins, mostly for SDXL
#: Packages (import and pip name are the same) beyond ComfyUI's own that a user's environment needs.
_PACK_NEEDS = ("insightface", "onnx", "onnxruntime", "safetensors", "transformers")
_TESTS_NEED = ("mypy", "pytest", "ruff")


@dataclass(frozen=True)
class Environment:
    """A Python with everything installed, and the ComfyUI it runs."""

    python: Path
    comfyui: Path

    def run(self, arguments: Sequence[str]) -> int:
        """Run this Python from the repository's root; returns its exit code."""
        process = subprocess.Popen([str(self.python), *arguments], cwd=paths.ROOT, env=self.variables())
        try:
            return process.wait()
        except KeyboardInterrupt:
            return process.wait()  # the terminal told the child too; let it stop what it started
        except SystemExit:
            process.terminate()
            process.wait()
            raise

    def variables(self) -> dict[str, str]:
        """The environment variables for a child process."""
        variables = {**os.environ, "COMFYUI_PATH": str(self.comfyui), "PYTHONUTF8": "1"}
        variables.pop("COMFYUI_VERSION", None)  # done: the path says it
        variables["TQDM_DISABLE"] = "1"  # libraries' progress bars are unreadable in a log
        # More threads than free cores slow torch down many times over.
        variables.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2)))
        return variables


def prepare(*, tests: bool = False) -> Environment:
    """Find or make everything the commands need; within a second if it is there already.

    tests: whether an environment of the user's must also have the packages for tests.
    """
    version = chosen_version()
    if own := os.environ.get("COMFYUI_PATH"):
        if version is not None:
            raise CommandError("COMFYUI_PATH and COMFYUI_VERSION both name a ComfyUI. Set one of them.")
        return _users_environment(Path(own).expanduser().resolve(), tests)
    python = venv_python(paths.VENV)
    if not _is_current(python):
        with exclusive(paths.HOST / "setup.lock"):
            if not _is_current(python):  # another run may just have done it
                _make(python, _DISK_SPACE_GB + (_DISK_SPACE_FOR_TESTS_GB if tests else 0))
    return with_version(Environment(python, paths.COMFYUI), version or comfyui.VERSION)


def chosen_version() -> str | None:
    """The version of ComfyUI that ``COMFYUI_VERSION`` names, if it is set."""
    version = os.environ.get("COMFYUI_VERSION") or None
    known = (comfyui.VERSION, *comfyui.OLDER)
    if version not in (None, *known):
        raise CommandError(f"COMFYUI_VERSION is {version}; what can be had is {', '.join(known)}.")
    return version


def with_version(environment: Environment, version: str) -> Environment:
    """The same Python with another version of ComfyUI, which is fetched if it is not there."""
    if not comfyui.is_ready(version):
        with exclusive(paths.HOST / "setup.lock"):
            if not comfyui.is_ready(version):
                comfyui.fetch(environment.python, version)
    return replace(environment, comfyui=comfyui.folder(version))


def _make(python: Path, space: int) -> None:
    """space: the gigabytes that must be free if nothing is there yet."""
    free = shutil.disk_usage(paths.ROOT).free / 1e9
    if free < space and not _stamp_file().exists():
        raise CommandError(f"{paths.ROOT} has {free:.1f} GB free; setting up needs {space} GB.")
    if not _has_pip(python):
        _make_venv()
    if not comfyui.is_ready():
        comfyui.fetch(python)
    with step(
        f"Installing ComfyUI's and the pack's requirements into {paths.VENV.name} (6 GB, 2 to 5 minutes)"
    ):
        arguments = ["install", *TORCH]
        for file in (paths.COMFYUI / "requirements.txt", *_OWN_REQUIREMENTS):
            arguments += ["--requirement", str(file)]
        run_pip(python, arguments, log=paths.LOGS / "install.log", watch=paths.VENV)
    say(f"  {paths.VENV.name} holds {folder_size(paths.VENV) / 1e9:.1f} GB")
    _stamp_file().write_text(json.dumps(_stamp()), "utf-8")


def _make_venv() -> None:
    say(f"Making a virtual environment in {paths.VENV.name} with Python {platform.python_version()}")
    try:
        # clear: what is there has no working Python, so it is of no use to anybody.
        venv.create(paths.VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (subprocess.CalledProcessError, OSError) as error:
        raise CommandError(
            f"{sys.executable} cannot make a virtual environment in {paths.VENV} ({error}). "
            "On Debian and Ubuntu: apt install python3-venv"
        ) from None


def _has_pip(python: Path) -> bool:
    """Whether a virtual environment works; it does not if the Python it was made with has gone."""
    if not python.exists():
        return False
    command = [str(python), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 10))"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def venv_python(folder: Path) -> Path:
    """Where the Python of a virtual environment is."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def _stamp_file() -> Path:
    return paths.VENV / "consistentid-stamp.json"


def _stamp() -> dict[str, str]:
    """What an up-to-date environment was made from; compared before anything slow is done."""
    digest = hashlib.sha256(" ".join(TORCH).encode())
    for file in (paths.COMFYUI / "requirements.txt", *_OWN_REQUIREMENTS):
        digest.update(file.read_bytes())
    return {"requirements": digest.hexdigest()}


def _is_current(python: Path) -> bool:
    if not (comfyui.is_ready() and _stamp_file().is_file()):
        return False
    try:
        stamp = json.loads(_stamp_file().read_text("utf-8"))
    except ValueError:  # cut off while it was written
        return False
    return stamp == _stamp() and _has_pip(python)


def _users_environment(folder: Path, tests: bool) -> Environment:
    if not (folder / "main.py").is_file() or not (folder / "comfy").is_dir():
        raise CommandError(f"COMFYUI_PATH is {folder}, which holds no ComfyUI (main.py and comfy/ expected).")
    python = _users_python(folder)
    if _missing_packages(python, ("torch", "aiohttp")):
        raise CommandError(
            f"{python} does not run this ComfyUI: it has no torch or no aiohttp. "
            "Set COMFYUI_PYTHON to the Python that does."
        )
    missing = _missing_packages(python, _PACK_NEEDS + (_TESTS_NEED if tests else ()))
    if missing:
        files = _OWN_REQUIREMENTS if tests else _OWN_REQUIREMENTS[:1]
        options = " ".join(f'-r "{file}"' for file in files)
        with_care = [package for package in missing if package in ("insightface", "onnxruntime")]
        first = f" First {' and '.join(with_care)}, as README.md says under Install." if with_care else ""
        raise CommandError(
            f"{python} lacks {', '.join(missing)}. Your environment is never changed from here; "
            f'to add them yourself: "{python}" -m pip install {options}.{first}'
        )
    say(f"Using ComfyUI in {folder} with {python}")
    return Environment(python, folder)


def _users_python(folder: Path) -> Path:
    """The Python a ComfyUI checkout runs with: named, beside it, or the one running now."""
    if named := os.environ.get("COMFYUI_PYTHON"):
        python = Path(named).expanduser()
        if not python.is_file():
            raise CommandError(f"COMFYUI_PYTHON is {python}, which is not a file.")
        return python
    candidates = [venv_python(folder / name) for name in ("venv", ".venv")]
    candidates.append(folder.parent / "python_embeded" / "python.exe")  # the portable Windows build
    return next((python for python in candidates if python.is_file()), Path(sys.executable))


def _missing_packages(python: Path, packages: Sequence[str]) -> list[str]:
    code = (
        "import importlib.util, sys\n"
        "print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None))"
    )
    try:
        result = subprocess.run([str(python), "-c", code, *packages], capture_output=True, text=True)
    except OSError:
        result = None
    if result is None or result.returncode != 0:
        raise CommandError(f"{python} does not run. Set COMFYUI_PYTHON to the Python of your ComfyUI.")
    return result.stdout.split()
