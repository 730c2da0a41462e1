"""Pictures that the small model makes, to be looked at; nothing is judged by them."""

from dataclasses import replace

import torch
from torch import Tensor

from consistentid_core.training.attention import TrainedAttention
from consistentid_core.training.modules import TrainedModules
from consistentid_core.training.step import Batch, fused_rows

from .world import World, to_pixels

_STEPS = 30


@torch.no_grad()
def sample(
    batch: Batch,
    negative: Batch,
    modules: TrainedModules,
    attention: TrainedAttention,
    world: World,
    *,
    guidance: float,
    seed: int,
) -> Tensor:
    """DDIM with guidance, from the same noise for every row; (B, 3, H, W) in [0, 1].

    batch: texts and identities.  negative: what guidance leads away from.
    """
    shape = tuple(batch.noisy.shape[1:])
    latents = torch.randn((1, *shape), generator=torch.Generator().manual_seed(seed)).expand(
        len(batch), *shape
    )
    timesteps = torch.linspace(len(world.alphas_cumprod) - 1, 0, _STEPS + 1).long()[:-1].tolist()
    for number, timestep in enumerate(timesteps):
        positive, other = (
            _predict(replace(one, noisy=latents), timestep, modules, attention, world)
            for one in (batch, negative)
        )
        velocity = other + guidance * (positive - other)
        alpha = world.alphas_cumprod[timestep]
        clean = (alpha.sqrt() * latents - (1 - alpha).sqrt() * velocity).clamp(-4, 4)
        noise = (latents - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        after = (
            world.alphas_cumprod[timesteps[number + 1]] if number + 1 < len(timesteps) else torch.tensor(1.0)
        )
        latents = after.sqrt() * clean + (1 - after).sqrt() * noise
    return to_pixels(latents)


def _predict(
    batch: Batch, timestep: int, modules: TrainedModules, attention: TrainedAttention, world: World
) -> Tensor:
    tokens = modules.id_projection(batch.id_vectors, batch.clip_features, shortcut=False)
    with attention.call(id_tokens=tokens):
        timesteps = torch.full((len(batch),), timestep)
        return world.unet(batch.noisy, timesteps, fused_rows(batch, modules), None, batch.sizes)
