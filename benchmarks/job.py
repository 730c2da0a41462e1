"""What one process measures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.console import CommandError
from tools.host import start_host
from tools.model_files import ModelFile, Wanted, models_folders, resolve


@dataclass(frozen=True)
class Job:
    """One group of rows for one model family on one device.

    size: side of the picture in pixels.  rounds: how often, after one that warms up.  comfyui: its folder.
    """

    group: str
    family: str
    device: str
    size: int
    rounds: int
    comfyui: str

    def start_host(self) -> None:
        """ComfyUI and the pack in this process, on the device; on a graphics card in float16."""
        start_host(self.comfyui, ("--cpu",) if self.device == "cpu" else ("--force-fp16",))
        if self.device == "cuda":
            import torch

            if not torch.cuda.is_available():
                raise CommandError("--device cuda: PyTorch finds no CUDA device here.")

    def models(self, wanted: Mapping[str, Wanted]) -> dict[str, ModelFile]:
        """The released files, or stand-ins with random weights, which cost the same."""
        return resolve(wanted, models_folders(Path(self.comfyui)))
