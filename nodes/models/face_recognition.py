"""InsightFace's networks, where ComfyUI's memory manager can let go of them.

They live in onnxruntime, whose memory the host does not see; so a stand-in among its models holds their place.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import comfy.model_management
import comfy.model_patcher
import folder_paths
import torch
from comfy.patcher_extension import CallbacksMP

from ...consistentid_core.evaluation.recognisers import Recogniser, load_recogniser
from ...consistentid_core.files.resolve import find_face_models
from ...consistentid_core.identity.face_analysis import FaceAnalyser, open_face_analyser, provider_for
from ...consistentid_core.identity.providers import AUTO, CPU
from ..host import folders

T = TypeVar("T")


class OnnxNetworks(Generic[T]):
    """What is opened in onnxruntime when it is asked for; the host lets go of it like of its own models."""

    def __init__(
        self, files: Sequence[Path], provider: str, device: torch.device, open_files: Callable[[], T]
    ):
        """files: whose size is what the networks take.  provider: ``auto``, which follows ``device``, or another
        choice.  open_files: must not hold the result.
        """
        self._open = open_files
        opened: list[T] = []
        on_device = provider_for(provider, device) != CPU
        self.patcher = comfy.model_patcher.ModelPatcher(
            torch.nn.Module(),
            # The host's own device even for the CPU: "free memory" asks no other.
            load_device=device,
            offload_device=torch.device("cpu"),
            size=sum(file.stat().st_size for file in files) if on_device else 0,
        )

        def let_go(patcher: Any, unpatch_all: bool) -> None:
            if unpatch_all:
                opened.clear()

        # Not a method of this object: patcher and object would keep each other alive.
        self.patcher.add_callback(CallbacksMP.ON_DETACH, let_go)
        self._opened = opened

    def loaded(self) -> T:
        """The networks, opened if the host let go of them or they were never used."""
        comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)
        if not self._opened:
            self._opened.append(self._open())
        return self._opened[0]


class FaceRecogniserModel:
    """A face recogniser in a file of its own: what travels over a FACE_RECOGNISER socket."""

    def __init__(self, file: Path, colours: str):
        """colours: one of the core's ``COLOUR_ORDERS``.  Raises what ``load_recogniser`` of the core does."""
        device = comfy.model_management.get_torch_device()
        self._networks = OnnxNetworks(
            [file], AUTO, device, lambda: load_recogniser(file, AUTO, device, colours=colours)
        )
        self.loaded()

    def loaded(self) -> Recogniser:
        """The recogniser; hold it no longer than a node runs."""
        return self._networks.loaded()


#: What was used last and what it was asked for with, since a new photo usually wants the same.
_last: tuple[Any, OnnxNetworks[FaceAnalyser]] | None = None


def face_analyser(provider: str) -> FaceAnalyser:
    """The networks of ``buffalo_l`` in ComfyUI's InsightFace folders, ready to use.

    Hold the result no longer than a node runs: it keeps the networks from being let go.
    Raises what :func:`~....consistentid_core.identity.face_analysis.load_face_analyser` does.
    """
    global _last
    device = comfy.model_management.get_torch_device()
    files = find_face_models(folder_paths.get_folder_paths(folders.INSIGHTFACE))
    asked = (*((path, path.stat().st_mtime_ns) for path in files), provider, device)
    if _last is None or _last[0] != asked:
        _last = None  # first, so that two sets are never there at once
        _last = (
            asked,
            OnnxNetworks(files, provider, device, lambda: open_face_analyser(*files, provider, device)),
        )
    return _last[1].loaded()
