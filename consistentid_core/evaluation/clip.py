"""CLIP from a folder in transformers' layout: one vector for a picture or a text, comparable with each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import CheckpointError
from ..faces.clip_pixels import clip_pixel_values
from .checksums import sha256_of, weights_in

#: Texts for one pass: more need memory and are no faster.
_BATCH = 64


class ClipEncoder:
    """Pictures and texts to unit vectors; see :func:`load_clip`."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, sha256: str):
        """model: transformers' CLIPModel in eval mode."""
        self._model, self._tokenizer = model, tokenizer
        self.name, self.sha256 = name, sha256
        self._side: int = model.config.vision_config.image_size
        self._longest: int = model.config.text_config.max_position_embeddings

    def prepare(self, picture: np.ndarray) -> torch.Tensor:
        """A picture, uint8 RGB (H, W, 3), as the network reads it."""
        return clip_pixel_values([picture], self._side)[0]

    def encode_prepared(self, pixels: Sequence[torch.Tensor]) -> np.ndarray:
        """float32 (n, d), unit length."""
        with torch.no_grad():
            seen = self._model.vision_model(pixel_values=torch.stack(list(pixels)).to(self._model.device))
            return _unit(self._model.visual_projection(seen.pooler_output))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, d), unit length; what is longer than the network reads is cut off."""
        vectors = [np.zeros((0, self._model.config.projection_dim), np.float32)]
        for start in range(0, len(texts), _BATCH):
            tokens = self._tokenizer(
                list(texts[start : start + _BATCH]),
                padding=True,
                truncation=True,
                max_length=self._longest,
                return_tensors="pt",
            )
            with torch.no_grad():
                read = self._model.text_model(
                    **{key: value.to(self._model.device) for key, value in tokens.items()}
                )
                vectors.append(_unit(self._model.text_projection(read.pooler_output)))
        return np.concatenate(vectors)

    def is_cut_off(self, text: str) -> bool:
        """Whether a text is longer than the network reads."""
        return len(self._tokenizer(text)["input_ids"]) > self._longest


def load_clip(folder: str | Path, device: str = "cpu") -> ClipEncoder:
    """A CLIP model with its tokenizer, in float32.

    Raises MissingModelError without weights, CheckpointError for another kind of model.
    """
    folder = Path(folder)
    weights = weights_in(folder, "CLIP model")
    from transformers import CLIPModel, CLIPTokenizer

    try:
        model, report = CLIPModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a damaged file can raise almost anything in there
        raise CheckpointError(
            f"'{folder}' cannot be loaded as CLIP: {error}. Expected is a folder as openai/clip-vit-large-patch14 has "
            "it, tokenizer included."
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(
            f"'{folder}' lacks {len(missing)} weights of CLIP, such as {', '.join(missing[:3])}. Get its files again."
        )
    network = model.float().train(False).to(device)
    return ClipEncoder(network, tokenizer, name=folder.name, sha256=sha256_of(weights))


def _unit(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
