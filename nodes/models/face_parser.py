"""The loaded face parser: what travels over a FACE_PARSER socket."""

from collections.abc import Iterable, Iterator, Mapping

import comfy.model_patcher
import numpy as np
import torch

from ...consistentid_core.faces.bisenet import BiSeNet, parse_picture
from .managed import manage


class FaceParserModel:
    """BiSeNet under ComfyUI's memory manager. Computes in float32: small features decide a pixel's class."""

    def __init__(self, state_dict: Mapping[str, torch.Tensor]):
        """state_dict: complete and in float32, as ``load_weights`` of the core returns."""
        self._network = manage(BiSeNet, state_dict)

    @property
    def patcher(self) -> comfy.model_patcher.ModelPatcher:
        """For the host's book-keeping."""
        return self._network.patcher

    def parse(self, pictures: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
        """The label map of each picture in turn.

        pictures: uint8 RGB (H, W, 3).  size: side of the square the parser looks at.
        Yields uint8 class ids (size, size).
        """
        network = self._network.loaded()
        for picture in pictures:
            yield parse_picture(network, picture, size, device=self._network.device)
