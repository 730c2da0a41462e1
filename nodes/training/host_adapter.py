"""ComfyUI's MODEL, VAE, CLIP and CLIP_VISION as the frozen models of the training core.

Two traps of the host are dealt with here. Nodes run in inference mode, and tensors made there can never take
part in a backward pass: :func:`trainable_copy` loads the UNet anew outside of it. And the host keeps of the VAE's
distribution only the middle, while training samples from it: :meth:`HostModels.encode_pictures` asks for both halves.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import comfy.model_management
import comfy.utils
import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from comfy.model_base import ModelType

from ...consistentid_core.errors import ModelMismatchError
from ...consistentid_core.families import FAMILIES
from ...consistentid_core.networks.unet_layers import AttentionLayer, attention_layers
from ...consistentid_core.text.tokens import (
    facial_slots,
    mark_tokens,
    plain_characters,
    row_positions,
    single_row,
)
from ...consistentid_core.training.frozen import EncodedTexts
from ...consistentid_core.training.recompute import recomputed
from ..person.clip_features import check_is_vit_h, encode_pixels
from ..prompt.tokens import FIRST_ENCODER, clip_family, escape_brackets

_PREDICTIONS = {ModelType.EPS: "noise", ModelType.V_PREDICTION: "velocity"}


class HostModels:
    """See :class:`..consistentid_core.training.frozen.FrozenModels`.

    Raises ModelMismatchError if the models are not of one family, SD1.5 or SDXL.
    """

    def __init__(self, model, vae, clip, clip_vision):
        """model: from :func:`trainable_copy`, or loaded outside inference mode."""
        check_is_vit_h(clip_vision)
        self.family = clip_family(clip)
        self.layers = attention_layers(model.model.model_config.unet_config)
        self.cross_attention_dim = int(model.model.model_config.unet_config["context_dim"])
        family = FAMILIES[self.family]
        prediction = _PREDICTIONS.get(model.model.model_type)
        if self.cross_attention_dim != family.context_width or prediction is None:
            raise ModelMismatchError(
                f"The model reads texts of width {self.cross_attention_dim} and is of the type "
                f"{model.model.model_type.name}, the text encoder is that of {family.label} (width "
                f"{family.context_width}). "
                "Train on the MODEL and CLIP of one SD1.5 or SDXL checkpoint."
            )
        self.predicts = prediction
        self._model, self._vae, self._clip, self._clip_vision = model, vae, clip, clip_vision
        comfy.model_management.load_models_gpu([model], force_full_load=True)
        self.device = model.load_device
        self.unet_module = model.model.diffusion_model.requires_grad_(False)
        sigmas = model.model.model_sampling.sigmas.detach().clone()
        self.alphas_cumprod = (1 / (1 + sigmas.square())).to(self.device)

    def base_weight(self, layer: AttentionLayer, name: str) -> torch.Tensor:
        """A frozen attention matrix; name: ``to_q`` ... ``to_out``."""
        target = "to_out.0" if name == "to_out" else name
        return self.unet_module.get_parameter(f"{layer.weight_prefix}.{target}.weight")

    @contextmanager
    def recomputed(self) -> Iterator[None]:
        """Gradient checkpointing of the UNet's blocks.

        The host's own wraps the whole UNet, which saves nothing, or loses which block runs.
        """
        blocks = [one for one in self.unet_module.modules() if isinstance(one, ResBlock | SpatialTransformer)]
        with recomputed(blocks):
            yield

    def unet(self, noisy, timesteps, rows, pooled, sizes):
        """The UNet in its own dtype; see the core's protocol."""
        # The memory manager may have moved it away while an encoder ran.
        comfy.model_management.load_models_gpu([self._model], force_full_load=True)
        dtype = self._model.model.get_dtype_inference()
        arguments = {}
        if pooled is not None:
            embedded = self._model.model.embedder(sizes.flatten()).unflatten(0, sizes.shape).flatten(1)
            arguments["y"] = torch.cat((pooled.to(embedded), embedded), 1).to(dtype)
        return self.unet_module(
            noisy.to(dtype), timesteps.float(), context=rows.to(dtype), transformer_options={}, **arguments
        ).float()

    @torch.no_grad()
    def encode_pictures(self, pixels):
        """Mean and deviation of the latents, scaled for the UNet."""
        image = pixels.movedim(1, -1)  # BCHW -> BHWC
        with _both_halves(self._vae.first_stage_model) as has_both:
            encoded = self._vae.encode(image).float().to(self.device)
        mean, logvar = encoded.chunk(2, 1) if has_both else (encoded, None)
        scaled = self._model.model.process_latent_in(mean)
        if logvar is None:
            return scaled, torch.zeros_like(scaled)
        deviation = (0.5 * logvar.clamp(-30, 20)).exp()
        return scaled, self._model.model.process_latent_in(mean + deviation) - scaled

    @torch.no_grad()
    def encode_clip(self, pixel_values):
        """Penultimate hidden states, (n, 257, 1280)."""
        return encode_pixels(self._clip_vision, pixel_values.cpu()).to(self.device)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Captions are literal: brackets mean nothing in them."""
        encoded = [self._encode_text(text) for text in texts]
        rows, pooled, positions = zip(*encoded, strict=True)
        indices, valid = zip(*map(facial_slots, positions), strict=True)
        return EncodedTexts(
            rows=torch.cat(rows).float().to(self.device),
            pooled=None if pooled[0] is None else torch.cat(pooled).float().to(self.device),
            indices=torch.tensor(indices, device=self.device),
            valid=torch.tensor(valid, device=self.device),
        )

    def count_tokens(self, text: str) -> int:
        """With start, end and one token per marker."""
        return self._marked(text, FIRST_ENCODER).length

    def _encode_text(self, text: str):
        # SD1.5 cuts a text without giving it an end token (SPEC 7.1); SDXL's are truncated properly (SPEC 7.3).
        keep_end = self.family == "sdxl"
        tokens, positions = {}, ()
        for encoder, chunks in self._clip.tokenize("").items():
            start, end, pad = (token for token, _ in chunks[0][:3])
            marked = self._marked(text, encoder)
            row = single_row(marked.tokens, start=start, end=end, pad=pad, keep_end=keep_end)
            tokens[encoder] = [[(token, 1.0) for token in row]]
            if encoder == FIRST_ENCODER:
                # No word is left to carry a part where the end token took its place.
                positions = tuple(one for one in row_positions(marked.markers) if one < len(row) - keep_end)
        ((rows, extras),) = self._clip.encode_from_tokens_scheduled(tokens)
        # The host pools the text of every family, and not every UNet reads it.
        pooled = extras.get("pooled_output") if FAMILIES[self.family].has_picture_sizes else None
        return rows, pooled, positions

    def _marked(self, text: str, encoder: str):
        return mark_tokens(text, lambda piece: self._ids(plain_characters(piece), encoder))

    def _ids(self, piece: str, encoder: str) -> list[int]:
        chunks = self._clip.tokenize(escape_brackets(piece), return_word_ids=True)[encoder]
        # Word id 0 marks start, end and padding.
        return [token for chunk in chunks for token, _, word in chunk if word != 0]


def trainable_copy(model):
    """A MODEL whose tensors can take part in a backward pass, with the patches of the given one.

    To be called outside inference mode. Raises ModelMismatchError for a model without a file behind it.
    """
    try:
        copy = model.clone(force_deepcopy=True)
    except RuntimeError as error:
        raise ModelMismatchError(
            "The model cannot be trained on as it is: it was put together by nodes and has no file to be loaded from a "
            "second time. Save it with Save Checkpoint and train on that file."
        ) from error
    copy.model.requires_grad_(False)
    return copy


@contextmanager
def _both_halves(first_stage_model) -> Iterator[bool]:
    """Let a VAE return the distribution's mean and log variance; yields whether it does."""
    regularization = getattr(first_stage_model, "regularization", None)
    if type(regularization).__name__ != "DiagonalGaussianRegularizer":
        yield False
        return
    first_stage_model.regularization = _Unregularized()
    try:
        yield True
    finally:
        first_stage_model.regularization = regularization


class _Unregularized(torch.nn.Module):
    def forward(self, moments: torch.Tensor) -> tuple[torch.Tensor, dict]:
        return moments, {}
