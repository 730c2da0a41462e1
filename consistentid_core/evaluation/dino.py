"""DINO ViT-S/16 (or another ViT) from a folder in transformers' layout: one vector for a picture.

The vector is that of the class token. Nothing is downloaded. Source: DINO's evaluation (resize 256, crop 224).
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import CheckpointError, MissingDependencyError, MissingModelError
from ..faces.bisenet import IMAGE_MEAN, IMAGE_STD
from ..files.catalogue import DINO
from .checksums import WEIGHTS, sha256_of

#: The shorter side before the centre is cut out, relative to what the network reads: 256 for 224.
_RESIZED = 256 / 224
_BATCH = 32


class DinoEncoder:
    """Pictures to vectors; see :func:`load_dino`."""

    def __init__(self, model: Any, *, name: str, sha256: str):
        """model: transformers' ViTModel, in eval mode."""
        self.model = model
        self.name = name
        self.sha256 = sha256
        #: How many numbers a vector has.
        self.size: int = model.config.hidden_size
        self._side: int = model.config.image_size

    def to(self, device: torch.device | str) -> "DinoEncoder":
        """Move the network; returns this object."""
        self.model.to(device)
        return self

    def encode(self, pictures: Sequence[np.ndarray], *, whole: bool = True) -> np.ndarray:
        """The class tokens of pictures, float32 (n, size).

        pictures: uint8 RGB (h, w, 3), of any size each.
        whole: stretch the whole picture to the network's square, for crops that are squares; else as DINO is
        evaluated: shorter side to 256 and the centre of 224.
        """
        vectors = [np.zeros((0, self.size), np.float32)]
        for start in range(0, len(pictures), _BATCH):
            batch = [_pixels(one, self._side, whole) for one in pictures[start : start + _BATCH]]
            pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)  # BHWC -> BCHW
            with torch.no_grad():
                states = self.model(pixel_values=pixels.to(self.model.device)).last_hidden_state
            vectors.append(states[:, 0].float().cpu().numpy())
        return np.concatenate(vectors)


def load_dino(folder: str | Path) -> DinoEncoder:
    """A ViT from a folder with ``config.json`` and weights, in float32 on the CPU.

    Raises MissingModelError, CheckpointError for another kind of model or missing weights, MissingDependencyError
    without transformers.
    """
    folder = Path(folder)
    weights = _check_folder(folder)
    try:
        from transformers import ViTModel
    except ImportError as error:
        raise MissingDependencyError(
            f"DINO needs the package transformers (4.50 or newer): {error}. "
            f'Install it into the Python that runs this: "{sys.executable}" -m pip install -U transformers'
        ) from error
    try:
        model, report = ViTModel.from_pretrained(
            folder, add_pooling_layer=False, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # a damaged file can raise almost anything in there
        raise CheckpointError(
            f"{folder} cannot be loaded as DINO: {error}. Download the files of {DINO.address} again."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} weights of a ViT, such as {', '.join(missing[:3])}. "
            f"Download the files of {DINO.address} again."
        )
    return DinoEncoder(
        model.float().train(False),
        name=folder.name,
        sha256=sha256_of(weights),
    )


def is_dino_folder(folder: str | Path) -> bool:
    """Whether a folder says that it holds a ViT."""
    try:
        _check_folder(Path(folder))
    except (CheckpointError, MissingModelError, OSError):
        return False
    return True


def _check_folder(folder: Path) -> Path:
    """The file of the weights; raises what :func:`load_dino` does."""
    config_file = folder / "config.json"
    if not config_file.is_file():
        raise MissingModelError(
            f"No DINO model in {folder}: there is no config.json. Put the files of {DINO.address} into this folder."
        )
    try:
        config = json.loads(config_file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{config_file} is no readable JSON: {error}. Download it again.") from error
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != "vit":
        raise CheckpointError(
            f"{config_file} describes a model of type '{found}', expected 'vit' (DINO ViT-S/16). "
            f"Choose a folder with the files of {DINO.address}."
        )
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise MissingModelError(
        f"No weights of DINO in {folder}: expected {' or '.join(WEIGHTS)}. "
        f"Put the files of {DINO.address} into this folder."
    )


def _pixels(picture: np.ndarray, side: int, whole: bool) -> np.ndarray:
    """float32 (side, side, 3), normalised."""
    image = Image.fromarray(picture)
    if whole:
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    else:
        scale = _RESIZED * side / min(image.size)
        width, height = (max(side, round(length * scale)) for length in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    values = np.asarray(image, np.float32) / np.float32(255)
    return (values - np.array(IMAGE_MEAN, np.float32)) / np.array(IMAGE_STD, np.float32)
