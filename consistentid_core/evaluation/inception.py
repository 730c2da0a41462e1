"""The Inception network of FID, from a local file of torch-fidelity's weights."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import CheckpointError, MissingDependencyError
from ..files.weights_file import read_weights
from .checksums import sha256_of

#: Of the features before the last layer, which FID and KID compare.
FEATURES = 2048


class InceptionEncoder:
    """Pictures to the 2048 numbers of the last pooling.

    network: uint8 (B, 3, H, W) -> (B, d) or a tuple with it; torch-fidelity's, or any module of this form.
    """

    def __init__(self, network: Any, *, name: str, sha256: str, device: str = "cpu"):
        self._network, self._device = network, device
        self.name, self.sha256 = name, sha256

    def encode(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """float32 (d,) of each picture, uint8 RGB (H, W, 3); the network resizes in its own way."""
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, picture in enumerate(pictures):
            by_shape[picture.shape].append(number)
        found: dict[int, np.ndarray] = {}
        for numbers in by_shape.values():
            batch = torch.from_numpy(np.stack([pictures[number] for number in numbers])).permute(0, 3, 1, 2)
            with torch.no_grad():
                output = self._network(batch.contiguous().to(self._device))
            features = output[0] if isinstance(output, tuple | list) else output
            found.update(zip(numbers, features.flatten(1).float().cpu().numpy(), strict=True))
        return [found[number] for number in range(len(pictures))]


def load_inception(path: str | Path, device: str = "cpu") -> InceptionEncoder:
    """torch-fidelity's Inception from its file (``weights-inception-2015-12-05-6726825d.pth``); nothing is downloaded.

    Raises MissingModelError, CheckpointError or MissingDependencyError.
    """
    path = Path(path)
    read_weights(path)  # torch-fidelity would run code that the file contains; this refuses such a file
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise MissingDependencyError(
            f'FID needs the package torch-fidelity: {error}. "{sys.executable}" -m pip install torch-fidelity'
        ) from error
    try:
        network = FeatureExtractorInceptionV3(
            "inception", [str(FEATURES)], feature_extractor_weights_path=str(path)
        )
    except Exception as error:  # a damaged file can raise almost anything in there
        raise CheckpointError(
            f"'{path}' cannot be loaded as the Inception network of FID: {str(error)[:300]}. Expected is "
            "weights-inception-2015-12-05-6726825d.pth of torch-fidelity."
        ) from error
    return InceptionEncoder(
        network.train(False).to(device), name=path.stem, sha256=sha256_of(path), device=device
    )
