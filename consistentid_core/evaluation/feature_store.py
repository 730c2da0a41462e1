"""What networks said of pictures, kept by the content of both: no picture is shown to a network twice.

A folder with a file for each batch; each is written whole, so a run that is ended loses one batch of a network.
"""

import uuid
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np

from ..data import storage
from ..errors import EvaluationError

_SUFFIX = ".safetensors"


class FeatureStore:
    """Arrays by network and picture."""

    def __init__(self, folder: Path | None):
        """folder: made with the first result; None keeps everything in memory alone."""
        self._folder = folder
        self._kept: dict[str, dict[str, np.ndarray]] = {}
        if folder is not None:
            storage.clear_unfinished(folder)

    def known(self, network: str) -> set[str]:
        """The pictures of which a network's word is kept. Raises EvaluationError if the store is damaged."""
        return set(self._of(network))

    def get(self, network: str, pictures: Iterable[str]) -> dict[str, np.ndarray]:
        """What is kept of these pictures; the others are left out."""
        kept = self._of(network)
        return {picture: kept[picture] for picture in dict.fromkeys(pictures) if picture in kept}

    def put(self, network: str, values: Mapping[str, np.ndarray]) -> None:
        """Keep results. Raises StorageError if the disk takes no more."""
        if not values:
            return
        from safetensors.numpy import save

        kept = self._of(network)
        whole = {picture: np.ascontiguousarray(value) for picture, value in values.items()}
        if self._folder is not None:
            storage.write(self._place(network) / f"{uuid.uuid4().hex}{_SUFFIX}", save(whole))
        kept.update(whole)

    def _of(self, network: str) -> dict[str, np.ndarray]:
        if network not in self._kept:
            kept: dict[str, np.ndarray] = {}
            for path in sorted(self._place(network).glob(f"*{_SUFFIX}")) if self._folder is not None else ():
                kept.update(_read(path))
            self._kept[network] = kept
        return self._kept[network]

    def _place(self, network: str) -> Path:
        assert self._folder is not None
        kind = network.split("/")[0]
        return self._folder / f"{kind}_{blake2b(network.encode(), digest_size=8).hexdigest()}"


def _read(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError, ValueError) as error:
        raise EvaluationError(
            f"'{path}' cannot be read ({error}). Delete it; what it held is computed again."
        ) from error
