"""Sample pictures of a training run, drawn as the pack's nodes draw them from the file of the same weights.

Apply ConsistentID, Encode Facial Prompt and ComfyUI's sampler run here with the networks a loader would make of the
trained weights. What the run does to its UNet has no part in it.
"""

from collections.abc import Mapping

import comfy.sample
import torch

from ...consistentid_core.data.portrait import Portrait
from ...consistentid_core.faces.face_parts import FaceParts, FacePhoto, choose_parts, find_parts
from ...consistentid_core.families import FAMILIES
from ...consistentid_core.identity.id_embedding import IDEmbedding
from ...consistentid_core.networks.checkpoint import recognise
from ...consistentid_core.text.pairing import BY_NAME
from ...consistentid_core.training.config import TrainingConfig
from ..apply import ApplyConsistentID
from ..encode import DEFAULT_MERGE_PERCENT
from ..host.older import unload
from ..models.consistentid import ConsistentIDModel
from ..prompt.facial_prompt import encode_facial_prompt

#: Of every sample picture.
NEGATIVE_PROMPT = "monochrome, lowres, bad anatomy, worst quality, low quality, blurry"
SAMPLER, SCHEDULER = "euler", "normal"

_LATENT_SCALE = 8


class HostDrawing:
    """See :class:`...consistentid_core.training.pictures.DrawSample`."""

    def __init__(self, model, vae, clip, clip_vision, config: TrainingConfig):
        """model: a MODEL without hooks of a run; it is as before after every picture.  config: of the run."""
        self._model, self._vae, self._clip, self._clip_vision = model, vae, clip, clip_vision
        self._config = config

    # Nodes run in this mode, and what they leave in the caches of models must fit what comes next.
    @torch.inference_mode()
    def __call__(
        self,
        groups: Mapping[str, Mapping[str, torch.Tensor]],
        portrait: Portrait,
        prompt: str,
        *,
        seed: int,
        steps: int,
        size: int,
    ) -> torch.Tensor:
        """The picture, (size, size, 3) float32 in [0, 1] on the CPU."""
        config = self._config
        consistentid = ConsistentIDModel(recognise(_on_cpu(groups), name="the weights of the run"))
        parts = choose_parts(find_parts(portrait.label_map), config.regions)
        face_parts = FaceParts((FacePhoto(portrait.picture, parts, portrait.label_map),))
        encoded = encode_facial_prompt(
            self._clip, self._clip_vision, consistentid, face_parts,
            prompt=prompt, negative_prompt=NEGATIVE_PROMPT, caption=portrait.face_caption,
            mode="clean" if config.pairing == BY_NAME else "original",
            # Without fine-grained features the words stay plain; without the overall ones there are no ID tokens.
            merge_percent=1.0 if config.features == "overall" else DEFAULT_MERGE_PERCENT,
        )  # fmt: skip
        (patched,) = ApplyConsistentID.execute(
            self._model, consistentid, IDEmbedding(torch.from_numpy(portrait.id_vector.copy())[None]),
            weight=0.0 if config.features == "fine_grained" else 1.0, lora_weight=1.0,
            start_percent=0.0, end_percent=1.0, clip_vision=self._clip_vision, face_parts=face_parts,
        ).args  # fmt: skip
        try:
            latent = comfy.sample.fix_empty_latent_channels(
                patched, torch.zeros(1, 4, size // _LATENT_SCALE, size // _LATENT_SCALE)
            )
            latents = comfy.sample.sample(
                patched, comfy.sample.prepare_noise(latent, seed), steps, FAMILIES[consistentid.family].guidance,
                SAMPLER, SCHEDULER, encoded.positive, encoded.negative, latent, disable_pbar=True, seed=seed,
            )  # fmt: skip
        finally:
            unload(patched)  # the LoRA leaves the weights that the model shares with others
        return self._vae.decode(latents)[0].float().cpu()


def _on_cpu(groups: Mapping[str, Mapping[str, torch.Tensor]]) -> dict[str, dict[str, torch.Tensor]]:
    """The weights as a file holds them."""
    return {
        group: {key: tensor.detach().cpu() for key, tensor in tensors.items()}
        for group, tensors in groups.items()
    }
