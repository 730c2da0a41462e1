"""What compares parts of faces: DINO from a folder, or a CLIP vision model, under ComfyUI's memory manager."""

import logging
from collections.abc import Sequence
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import folder_paths
import numpy as np
import torch
from PIL import Image

from ...consistentid_core.errors import MissingModelError
from ...consistentid_core.evaluation.dino import DinoEncoder, is_dino_folder, load_dino
from ...consistentid_core.files.catalogue import DINO
from ..host import folders

logger = logging.getLogger(__name__)

#: Side of the squares that a CLIP vision model is handed; it resizes them to its own.
_SIDE = 224
_PICTURES_PER_PASS = 32


class ManagedDino:
    """DINO, moved on and off its device by the host; a ``PartEncoder`` of the core."""

    def __init__(self, folder: Path):
        self._encoder: DinoEncoder = load_dino(folder)
        self.name = self._encoder.name
        device = comfy.model_management.text_encoder_device()
        offload_device = comfy.model_management.text_encoder_offload_device()
        # The plain patcher and a holder, as for the captioner: transformers' layers cannot be streamed.
        self.patcher = comfy.model_patcher.ModelPatcher(_Holder(self._encoder.model), device, offload_device)

    def encode(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """See ``PartEncoder`` of the core."""
        comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)
        return self._encoder.encode(pictures)


class _Holder(torch.nn.Module):
    """Keeps the host's marks off the model: it sets ``device``, which transformers computes."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.vit = model


class ClipEncoder:
    """A host's CLIP_VISION as a ``PartEncoder`` of the core: its projected picture features."""

    def __init__(self, clip_vision):
        self.name = "CLIP vision"
        self._clip_vision = clip_vision

    def encode(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """See ``PartEncoder`` of the core."""
        squares = [Image.fromarray(one).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC) for one in pictures]
        images = torch.from_numpy(np.stack([np.asarray(one) for one in squares])).float() / 255.0
        vectors = [
            self._clip_vision.encode_image(batch, crop=False)["image_embeds"].float().cpu()
            for batch in images.split(_PICTURES_PER_PASS)
        ]
        return torch.cat(vectors).numpy()


def list_dino_folders() -> list[str]:
    """The ViT models under ``models/dino``. Never raises: ComfyUI would lose the pack's nodes over it."""
    found: dict[str, None] = {}
    for root in map(Path, folder_paths.get_folder_paths(folders.DINO)):
        try:
            configs = sorted(root.glob("*/config.json"))
        except OSError as error:
            logger.warning("The models in '%s' cannot be listed: %s", root, error)
            continue
        found |= {config.parent.name: None for config in configs if is_dino_folder(config.parent)}
    return list(found)


def find_dino_folder(name: str) -> Path:
    """The full path of a folder from :func:`list_dino_folders`; MissingModelError if it is gone."""
    found = folders.find_model_folder(name, folders.DINO)
    if found is not None:
        return found
    roots = folder_paths.get_folder_paths(folders.DINO)
    raise MissingModelError(
        f"DINO model '{name}' not found. Looked in: {', '.join(roots)}. Put the files of {DINO.address} into a folder "
        "there and refresh the node list, or connect a CLIP vision model."
    )
