"""The model everything starts from: the small UNet, trained on pictures and texts, without any identity."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from consistentid_core.training.step import noised

from .portraits import People
from .world import World, new_unet, to_latents

_RATE, _WARMUP, _BATCH, _DROPPED = 2e-3, 40, 16, 0.1


def base_world(path: Path, people: People, *, steps: int, seed: int, say: Callable[[str], None]) -> World:
    """The trained base; read from the file if it is there, otherwise trained and written to it."""
    world = World(new_unet(seed))
    if not path.is_file():
        _train(world, people, steps=steps, seed=seed, say=say)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        save_file(world.unet_module.state_dict(), unfinished)
        unfinished.replace(path)
    world.unet_module.load_state_dict(load_file(path))
    return world


def _train(world: World, people: People, *, steps: int, seed: int, say: Callable[[str], None]) -> None:
    """As any diffusion model is trained; the weights at the end are the running average's."""
    portraits = [people[index] for index in range(len(people))]
    pixels = (
        torch.stack([torch.from_numpy(one.picture.copy()) for one in portraits]).permute(0, 3, 1, 2) / 255
    )
    latents = to_latents(pixels)
    texts = [f"Caption:{one.general_caption} Detail:{one.face_caption}" for one in portraits]
    rows = {text: world.encode_texts([text]).rows[0] for text in {"", *texts}}
    unet = world.unet_module.requires_grad_(True)
    optimiser = torch.optim.AdamW(unet.parameters(), lr=_RATE, weight_decay=0.01)
    average = [one.detach().clone() for one in unet.parameters()]
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for step in range(steps):
        chosen = torch.randint(len(portraits), (_BATCH,), generator=generator)
        timesteps = torch.randint(1000, (_BATCH,), generator=generator)
        noise = torch.randn((_BATCH, *latents.shape[1:]), generator=generator)
        dropped = torch.rand(_BATCH, generator=generator) < _DROPPED
        text = torch.stack(
            [rows["" if d else texts[i]] for i, d in zip(chosen.tolist(), dropped, strict=True)]
        )
        noisy, target = noised(latents[chosen], noise, timesteps, world)
        loss = (world.unet(noisy, timesteps, text, None, None) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        rate = min(1.0, (step + 1) / _WARMUP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimiser.param_groups[0]["lr"] = _RATE * max(rate, 0.05)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(unet.parameters()), 1 - min(0.99, (1 + step) / (10 + step)))
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            say(f"base: step {step + 1} of {steps}, loss {sum(losses[-100:]) / 100:.4f}")
    with torch.no_grad():
        for one, kept in zip(unet.parameters(), average, strict=True):
            one.copy_(kept)
    unet.requires_grad_(False)
