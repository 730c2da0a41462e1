"""ComfyUI's MODEL, VAE, CLIP and CLIP_VISION as the frozen models of the training core.

Two traps of the host are dealt with here. Nodes run in inference mode, and tensors made there can never take
part in a backward pass: :func:`trainable_copy` loads the UNet anew outside of it, and what the encoders make in it is
copied (:func:`_as_nodes_run`). And the host keeps of the VAE's distribution only the middle, while training samples
from it: :meth:`HostModels.encode_pictures` asks for both halves.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

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
from ...consistentid_core.training.config import TrainingConfig
from ...consistentid_core.training.frozen import EncodedTexts
from ...consistentid_core.training.recompute import recomputed
from ..person.clip_features import check_is_vit_h, encode_pixels
from ..prompt.tokens import FIRST_ENCODER, clip_family, escape_brackets
from .draw import HostDrawing

_PREDICTIONS = {ModelType.EPS: "noise", ModelType.V_PREDICTION: "velocity"}


def _as_nodes_run(encode: Callable[..., Any]) -> Callable[..., Any]:
    """Run a frozen encoder in inference mode, as nodes do, and copy what it returns out of it.

    The host moves weights about while it encodes, and weights that were loaded in this mode can be moved in no other.
    """

    @wraps(encode)
    def encoded(*arguments):
        with torch.inference_mode():
            found = encode(*arguments)
        return _copied(found)

    return encoded


def _copied(found):
    if isinstance(found, torch.Tensor):
        return found.clone()
    if isinstance(found, EncodedTexts):
        return EncodedTexts(**{name: _copied(one) for name, one in vars(found).items()})
    return found if found is None else tuple(map(_copied, found))


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
        self.device = model.load_device
        self.unet_module = model.model.diffusion_model.requires_grad_(False)
        self._bring_unet()
        sigmas = model.model.model_sampling.sigmas.detach().clone()
        self.alphas_cumprod = (1 / (1 + sigmas.square())).to(self.device)

    def base_weight(self, layer: AttentionLayer, name: str) -> torch.Tensor:
        """A frozen attention matrix; name: ``to_q`` ... ``to_out``."""
        target = "to_out.0" if name == "to_out" else name
        return self.unet_module.get_parameter(f"{layer.weight_prefix}.{target}.weight")

    def drawing(self, config: TrainingConfig) -> HostDrawing:
        """Draws sample pictures with this very UNet, while no hooks of a run are on it."""
        return HostDrawing(self._model, self._vae, self._clip, self._clip_vision, config)

    @contextmanager
    def recomputed(self) -> Iterator[None]:
        """Gradient checkpointing of the UNet's blocks.

        The host's own wraps the whole UNet, which saves nothing, or loses which block runs.
        """
        blocks = [one for one in self.unet_module.modules() if isinstance(one, ResBlock | SpatialTransformer)]
        with recomputed(blocks):
            yield

    def _bring_unet(self) -> None:
        with torch.inference_mode():  # it may move encoders away, which are loaded in this mode
            comfy.model_management.load_models_gpu([self._model], force_full_load=True)
        _leave_inference_mode(self.unet_module)

    def unet(self, noisy, timesteps, rows, pooled, sizes):
        """The UNet in its own dtype; see the core's protocol."""
        self._bring_unet()  # The memory manager may have moved it away while an encoder ran.
        dtype = self._model.model.get_dtype_inference()
        arguments = {}
        if pooled is not None:
            embedded = self._model.model.embedder(sizes.flatten()).unflatten(0, sizes.shape).flatten(1)
            arguments["y"] = torch.cat((pooled.to(embedded), embedded), 1).to(dtype)
        return self.unet_module(
            noisy.to(dtype), timesteps.float(), context=rows.to(dtype), transformer_options={}, **arguments
        ).float()

    @_as_nodes_run
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

    @_as_nodes_run
    def encode_clip(self, pixel_values):
        """Penultimate hidden states, (n, 257, 1280)."""
        return encode_pixels(self._clip_vision, pixel_values.cpu()).to(self.device)

    @_as_nodes_run
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


def trainable_copy(model, precision: torch.dtype | None = None):
    """A MODEL of its own with the patches of the given one, whose tensors can take part in a backward pass.

    To be called outside inference mode.
    precision: in which the UNet computes; None for the one the host chooses.
    Raises ModelMismatchError for a model without a file behind it.
    """
    if model.cached_patcher_init is None:
        raise ModelMismatchError(
            "The model cannot be trained on as it is: it was put together by nodes and has no file to be loaded from a "
            "second time. Save it with Save Checkpoint and train on that file."
        )
    load, arguments, *place = model.cached_patcher_init
    loaded = load(*arguments, disable_dynamic=True)
    loaded = loaded[place[0]] if place else loaded
    copy = model.clone(disable_dynamic=True, model_override=loaded.get_clone_model_override())
    # The host would count the given model as loaded when this one is gone.
    copy.parent = None
    copy.model.requires_grad_(False)
    if precision is not None:
        _compute_in(copy.model, precision)
    return copy


def _compute_in(model, dtype: torch.dtype) -> None:
    """Let a model that is not loaded yet compute in a precision, and keep its weights in it where they are plain."""
    plain = {torch.float32, torch.float16, torch.bfloat16}
    unet = model.diffusion_model
    if {one.dtype for one in unet.parameters()} <= plain:
        unet.to(dtype)
        unet.dtype, model.manual_cast_dtype = dtype, None
    else:  # 8-bit weights stay what they are and are cast where they are used
        model.manual_cast_dtype = dtype


def _leave_inference_mode(module: torch.nn.Module) -> None:
    """Replace weights that the host moved in inference mode, while an encoder ran or a picture was drawn."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None and parameter.is_inference():
                part._parameters[name] = torch.nn.Parameter(parameter.clone(), requires_grad=False)
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_inference():
                part._buffers[name] = buffer.clone()


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
