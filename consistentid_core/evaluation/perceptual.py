"""LPIPS with AlexNet from a local file: how different two pictures look."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import CheckpointError, MissingDependencyError
from ..files.weights_file import read_weights
from .checksums import sha256_of

#: Side of the pictures that are compared, in pixels.
SIDE = 128
_BATCH = 32


class Perceptual:
    """network: two (B, 3, H, W) of -1..1 -> (B, 1, 1, 1); torchmetrics' LPIPS, or any module of this form."""

    def __init__(self, network: Any, *, name: str, sha256: str, device: str = "cpu"):
        self._network, self._device = network, device
        self.name, self.sha256 = name, sha256

    def distances(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """float64 (n,), 0 for equal pictures.  pairs: uint8 RGB (H, W, 3), all of one size."""
        found = [np.zeros(0)]
        for start in range(0, len(pairs), _BATCH):
            batch = pairs[start : start + _BATCH]
            one, other = (self._pixels([pair[side] for pair in batch]) for side in (0, 1))
            with torch.no_grad():
                found.append(self._network(one, other).double().flatten().cpu().numpy())
        return np.concatenate(found)

    def _pixels(self, pictures: Sequence[np.ndarray]) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()  # BHWC -> BCHW
        return (pixels / 127.5 - 1.0).to(self._device)


def load_perceptual(path: str | Path, device: str = "cpu") -> Perceptual:
    """LPIPS on the AlexNet of a file (torchvision's ``alexnet-owt-7be5be79.pth``); nothing is downloaded.

    The weights of its last layers come with torchmetrics.
    Raises MissingModelError, CheckpointError or MissingDependencyError.
    """
    path = Path(path)
    weights = read_weights(path)
    try:
        from torchmetrics.functional.image.lpips import _LPIPS
    except ImportError as error:
        raise MissingDependencyError(
            f'LPIPS needs the package torchmetrics: {error}. "{sys.executable}" -m pip install torchmetrics'
        ) from error
    network = _LPIPS(net="alex", pnet_rand=True)
    # torchvision counts the layers in one list; LPIPS keeps the numbers in five slices of it.
    wanted = {key: "features." + key.split(".", 1)[1] for key in network.net.state_dict()}
    missing = [key for key in wanted.values() if not isinstance(weights, dict) or key not in weights]
    if missing:
        raise CheckpointError(
            f"'{path}' lacks {len(missing)} weights of AlexNet, such as {missing[0]}. Expected is torchvision's "
            "alexnet-owt-7be5be79.pth."
        )
    try:
        network.net.load_state_dict({key: weights[source] for key, source in wanted.items()})
    except RuntimeError as error:
        raise CheckpointError(
            f"'{path}' holds another network than AlexNet: {str(error)[:300]}. Expected is torchvision's "
            "alexnet-owt-7be5be79.pth."
        ) from error
    return Perceptual(network.train(False).to(device), name=path.stem, sha256=sha256_of(path), device=device)
