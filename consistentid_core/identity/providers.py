"""What onnxruntime computes on: the user's choice, and what ``auto`` makes of it."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ..errors import MissingDependencyError

AUTO = "auto"
CPU = "CPU"
#: What a user chooses -> onnxruntime's name for it.
PROVIDERS = {
    "CUDA": "CUDAExecutionProvider",
    "ROCm": "ROCMExecutionProvider",
    "MIGraphX": "MIGraphXExecutionProvider",
    "DirectML": "DmlExecutionProvider",
    "OpenVINO": "OpenVINOExecutionProvider",
    "CoreML": "CoreMLExecutionProvider",
    CPU: "CPUExecutionProvider",
}
#: torch's name of a kind of device -> what ``auto`` tries there; on all others the CPU. CoreML is left out: with
#: inputs of changing size it can end the process.
_AUTO_ON = {"cuda": ("CUDA", "ROCm", "MIGraphX"), "privateuseone": ("DirectML",)}
_AUTO_ANYWHERE = tuple(name for names in _AUTO_ON.values() for name in names)

#: The builds of onnxruntime. All are one package for Python, so of two the later one overwrites the first.
_BUILDS = (
    "onnxruntime",
    *(f"onnxruntime-{kind}" for kind in ("gpu", "rocm", "migraphx", "directml", "openvino")),
)


def choose_provider(onnxruntime: Any, choice: str, device: torch.device | None = None) -> str:
    """The name in :data:`PROVIDERS` to use for ``auto`` or a named choice.

    device: what everything else computes on, which ``auto`` follows; None: any graphics card is welcome.
    Raises MissingDependencyError, naming what there is, if onnxruntime lacks the choice; ValueError for no choice.
    """
    offered = onnxruntime.get_available_providers()
    available = [name for name, full_name in PROVIDERS.items() if full_name in offered]
    if choice == AUTO:
        wanted = _AUTO_ANYWHERE if device is None else _AUTO_ON.get(device.type, ())
        return next((name for name in wanted if name in available), CPU)
    if choice not in PROVIDERS:
        raise ValueError(f"Unknown provider '{choice}'. Expected {AUTO} or one of: {', '.join(PROVIDERS)}.")
    if choice not in available:
        raise MissingDependencyError(
            f"This onnxruntime ({onnxruntime.__version__}) has no {choice}; it has: {', '.join(available)}. "
            f"Choose one of these or {AUTO}, or install the onnxruntime build for {choice} "
            f"in place of the present one.{clashing_builds()}"
        )
    return choice


def provider_options(provider: str, device: torch.device | None = None) -> dict[str, str]:
    """How a provider is to be set up: on the very device, and taking only the memory it needs.

    By itself the arena of CUDA doubles with each request and keeps all of it.
    """
    if provider not in _AUTO_ANYWHERE:
        return {}
    on_device = device is not None and provider in _AUTO_ON.get(device.type, ())
    options = {"device_id": str(device.index or 0) if device is not None and on_device else "0"}
    if provider in ("CUDA", "ROCm"):
        options["arena_extend_strategy"] = "kSameAsRequested"
    return options


def clashing_builds() -> str:
    """A sentence, with a space before it, if several builds of onnxruntime are installed; else nothing."""
    builds = [name for name in _BUILDS if _is_installed(name)]
    if len(builds) < 2:
        return ""
    python = f'"{sys.executable}" -m pip'
    return (
        f" {' and '.join(builds)} are installed over each other, which breaks one of them: remove all with "
        f"{python} uninstall {' '.join(builds)}, then install the one for your device alone."
    )


def packages_to_install() -> str:
    """pip's arguments for the packages of face recognition that are not installed; "" if they are.

    Nothing is imported. From 1.0 on insightface makes pip install onnxruntime for the CPU, over a build for a
    graphics card, so where there is one it comes alone.
    """
    has_runtime = any(map(_is_installed, _BUILDS))
    if _is_installed("insightface"):
        return "" if has_runtime else "onnxruntime"
    return "--no-deps insightface" if has_runtime else "insightface onnxruntime"


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
