"""InsightFace's networks, where ComfyUI's memory manager can let go of them.

They live in onnxruntime, whose memory the host does not see; so a stand-in among its models holds their place.
"""

from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import folder_paths
import torch
from comfy.patcher_extension import CallbacksMP

from ...consistentid_core.files.resolve import find_face_models
from ...consistentid_core.identity.face_analysis import FaceAnalyser, open_face_analyser, provider_for
from ...consistentid_core.identity.providers import CPU
from ..host import folders


class FaceRecognition:
    """Detector and recogniser, opened when they are asked for; the host lets go of them like of its own models."""

    def __init__(self, files: tuple[Path, Path], provider: str, device: torch.device):
        """files: detector and recogniser.  provider: ``auto``, which follows ``device``, or another choice."""
        self._files, self._provider, self._device = files, provider, device
        opened: list[FaceAnalyser] = []
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

    def loaded(self) -> FaceAnalyser:
        """The networks, opened if the host let go of them or they were never used."""
        comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)
        if not self._opened:
            self._opened.append(open_face_analyser(*self._files, self._provider, self._device))
        return self._opened[0]


#: What was used last and what it was asked for with, since a new photo usually wants the same.
_last: tuple[Any, FaceRecognition] | None = None


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
        _last = (asked, FaceRecognition(files, provider, device))
    return _last[1].loaded()
