"""One training step: from samples to their losses. Pure: nothing is stepped, saved or reduced here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..faces.clip_pixels import CLIP_SIZE
from ..families import FAMILIES
from ..networks.unet_layers import AttentionLayer
from .attention import Columns, TrainedAttention, captured_layers
from .config import TrainingConfig
from .draws import SampleDraws
from .frozen import FrozenModels
from .items import Item
from .losses import FACIAL_SLOTS, column_localisation_losses, noise_losses
from .modules import TrainedModules
from .schedule import min_snr_weights


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples as the networks read them; all on the device of the frozen models.

    noisy, target: (B, 4, h, w), what the UNet reads and should predict.  timesteps: (B,) long.
    rows: (B, 77, D).  pooled: (B, P) or None.  sizes: (B, 6).
    indices, valid: (B, 5), of the facial words.
    part_features: (B, 5, 257, 1280).  clip_features: (B, 257, 1280).  id_vectors: (B, 512).
    part_masks: (B, 5, S, S).  foreground: (B, S, S), or None in a step that looks at the whole picture.
    """

    noisy: Tensor
    target: Tensor
    timesteps: Tensor
    rows: Tensor
    pooled: Tensor | None
    sizes: Tensor
    indices: Tensor
    valid: Tensor
    part_features: Tensor
    clip_features: Tensor
    id_vectors: Tensor
    part_masks: Tensor
    foreground: Tensor | None

    def __len__(self) -> int:
        return len(self.noisy)


@dataclass(frozen=True, eq=False)
class Losses:
    """Of each sample, (B,); the localisation loss without its weight, 0 where nothing is to be localised."""

    noise: Tensor
    localisation: Tensor

    def total(self, weight: float) -> Tensor:
        """What is minimised, (B,); weight: of the localisation loss."""
        return self.noise + weight * self.localisation


@torch.no_grad()
def prepare_batch(
    items: Sequence[Item],
    draws: Sequence[SampleDraws],
    frozen: FrozenModels,
    *,
    looks_at_foreground: bool,
) -> Batch:
    """Run the frozen encoders and add the drawn noise.

    draws: of each item.  looks_at_foreground: as drawn for the whole step.
    """
    device = frozen.device
    mean, deviation = frozen.encode_pictures(torch.stack([item.pixels for item in items]))
    shape = tuple(mean.shape[1:])
    latents = mean + deviation * torch.stack([draw.latent_noise(shape) for draw in draws]).to(device)
    noise = torch.stack([draw.noise(shape) for draw in draws]).to(device)
    timesteps = torch.tensor([draw.timestep for draw in draws], device=device)
    noisy, target = noised(latents, noise, timesteps, frozen)
    texts = frozen.encode_texts([item.text for item in items])
    clip_features, part_features = _clip_features(items, texts.valid, frozen)
    return Batch(
        noisy=noisy,
        target=target,
        timesteps=timesteps,
        rows=texts.rows,
        pooled=texts.pooled,
        sizes=torch.stack([item.sizes for item in items]).to(device),
        indices=texts.indices.to(device),
        valid=texts.valid.to(device),
        part_features=part_features,
        clip_features=clip_features,
        id_vectors=torch.stack([item.id_vector for item in items]).to(device),
        part_masks=torch.stack([item.part_masks for item in items]).to(device),
        foreground=torch.stack([item.foreground for item in items]).to(device)
        if looks_at_foreground
        else None,
    )


def noised(latents: Tensor, noise: Tensor, timesteps: Tensor, frozen: FrozenModels) -> tuple[Tensor, Tensor]:
    """Latents at their time steps, and what the UNet should say of them."""
    alphas = frozen.alphas_cumprod.to(latents.device)[timesteps].view(-1, 1, 1, 1)
    kept, added = alphas.sqrt(), (1 - alphas).sqrt()
    noisy = kept * latents + added * noise
    return noisy, noise if frozen.predicts == "noise" else kept * noise - added * latents


def batch_losses(
    batch: Batch,
    modules: TrainedModules,
    attention: TrainedAttention,
    frozen: FrozenModels,
    config: TrainingConfig,
) -> Losses:
    """The losses of each sample, with gradients to what is trained.

    attention: attached to the frozen UNet with the adapters of ``modules``, see :func:`layers_to_capture`.
    """
    localises = config.localisation != "off"
    prediction, columns = predict(batch, modules, attention, frozen, config, captures=localises)
    noise = noise_losses(prediction.float(), batch.target, batch.foreground)
    if config.min_snr_gamma:
        alphas = frozen.alphas_cumprod.to(noise.device)[batch.timesteps]
        noise = noise * min_snr_weights(alphas, gamma=config.min_snr_gamma, predicts=frozen.predicts)
    return Losses(noise, _localisation(columns, batch) if localises else torch.zeros_like(noise))


def predict(
    batch: Batch,
    modules: TrainedModules,
    attention: TrainedAttention,
    frozen: FrozenModels,
    config: TrainingConfig,
    *,
    captures: bool,
) -> tuple[Tensor, dict[int, Columns]]:
    """What the UNet says of a batch (B, 4, h, w), and, if asked for, how its layers attend to the facial words."""
    device_type = frozen.device.type
    with torch.autocast(device_type, _DTYPES[config.precision], enabled=config.precision != "fp32"):
        rows = batch.rows
        if config.features != "overall":
            rows = fused_rows(batch, modules)
        tokens = None
        if config.features != "fine_grained":
            shortcut = config.shortcut == "as inference" and FAMILIES[frozen.family].shortcut
            tokens = modules.id_projection(batch.id_vectors, batch.clip_features, shortcut=shortcut)
    facial = (batch.indices, batch.valid) if captures else None
    with attention.call(id_tokens=tokens, facial=facial) as columns:
        prediction = frozen.unet(batch.noisy, batch.timesteps, rows.float(), batch.pooled, batch.sizes)
    return prediction, columns


def fused_rows(batch: Batch, modules: TrainedModules) -> Tensor:
    """The rows of the texts with the facial parts fused into those of their words."""
    marked = torch.zeros(batch.rows.shape[:2], dtype=torch.bool, device=batch.rows.device)
    # Padding slots point at row 0: added up, a real word there is not unmarked by them.
    marked = marked.int().scatter_add(1, batch.indices, batch.valid.int()).bool()
    return modules.facial_encoder(batch.rows, batch.part_features, marked, batch.valid)


def layers_to_capture(layers: Sequence[AttentionLayer], config: TrainingConfig) -> list[int]:
    """The adapter indices of the layers that the configured localisation loss reads."""
    if config.localisation == "off":
        return []
    return captured_layers(layers, "cross" if config.localisation == "paper" else "self")


def with_identity_of(batch: Batch, others: Sequence[int]) -> Batch:
    """The same pictures, texts and noise with the identity of other samples of the batch."""
    chosen = torch.tensor(others, device=batch.noisy.device)
    return replace(
        batch,
        id_vectors=batch.id_vectors[chosen],
        clip_features=batch.clip_features[chosen],
        part_features=batch.part_features[chosen],
    )


@torch.no_grad()
def with_nobody(batch: Batch, frozen: FrozenModels) -> Batch:
    """The same pictures, texts and noise with "nobody": a zero face and the zero image (SPEC 4)."""
    zero = _zero_features(frozen)
    return replace(
        batch,
        id_vectors=torch.zeros_like(batch.id_vectors),
        clip_features=zero.expand_as(batch.clip_features),
        part_features=zero.expand_as(batch.part_features),
    )


_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def _localisation(columns: Mapping[int, Columns], batch: Batch) -> Tensor:
    if not columns:
        raise RuntimeError(
            "The UNet ran without calling any of the layers whose attention is to be localised. Train on an ordinary "
            "SD1.5 or SDXL model, or switch the localisation loss off."
        )
    losses = [
        column_localisation_losses(layer.probabilities, batch.part_masks, layer.valid)
        for layer in columns.values()
    ]
    return torch.stack(losses).mean(0)


def _clip_features(items: Sequence[Item], valid: Tensor, frozen: FrozenModels) -> tuple[Tensor, Tensor]:
    """Features of the whole pictures (B, 257, 1280) and of their parts (B, 5, 257, 1280).

    Only parts that a word carries go through CLIP; the others are the zero image, as the original's padding is.
    """
    counts = [min(len(item.part_pixels), int(row.sum())) for item, row in zip(items, valid, strict=True)]
    pixels = [item.clip_pixels[None] for item in items]
    pixels += [item.part_pixels[:count] for item, count in zip(items, counts, strict=True)]
    encoded = frozen.encode_clip(torch.cat(pixels))
    whole, parts = encoded[: len(items)], encoded[len(items) :]
    zero = _zero_features(frozen) if any(count < FACIAL_SLOTS for count in counts) else encoded[:1]
    features = zero.expand(len(items), FACIAL_SLOTS, *encoded.shape[1:]).clone()
    for row, some in zip(features, parts.split(counts), strict=True):
        row[: len(some)] = some
    return whole, features


def _zero_features(frozen: FrozenModels) -> Tensor:
    """The features of the zero image, (1, 257, 1280)."""
    return frozen.encode_clip(torch.zeros(1, 3, CLIP_SIZE, CLIP_SIZE))
