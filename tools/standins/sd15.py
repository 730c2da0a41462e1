"""A base model checkpoint (Stable Diffusion 1.5, or SDXL) with random weights."""

from pathlib import Path
from typing import Literal

from .clip_text import add_clip_g, add_clip_l
from .random_weights import Plan, write_safetensors
from .unet import SD15, SDXL, Family, add_unet
from .vae import add_taesd, add_vae

#: Every level 320 channels wide: the whole layout, a quarter of the parameters.
NARROW = (1, 1, 1, 1)
NARROW_SDXL = (1, 1, 1)

#: Factor between the autoencoder's latents and the ones the UNet works on.
_LATENT_SCALE = {SD15.name: 0.18215, SDXL.name: 0.13025}


def write(
    path: Path,
    *,
    family: Family = SD15,
    channel_mult: tuple[int, ...] | None = None,
    vae: Literal["full", "taesd"] = "full",
    clip: bool = True,
    seed: int = 0,
) -> None:
    """Write a float16 checkpoint that ComfyUI's checkpoint loader recognises.

    channel_mult: width of each UNet level in units of 320; the family's own by default.
    Full SD1.5 takes 2034 MiB; ``NARROW`` with ``taesd`` takes 452 MiB, ``NARROW_SDXL`` 2104 MiB.
    """
    plan = Plan()
    add_unet(plan, family, channel_mult or family.channel_mult)
    if clip and family is SDXL:
        add_clip_l(plan, "conditioner.embedders.0.transformer.text_model.")
        add_clip_g(plan, "conditioner.embedders.1.model.")
    elif clip:
        add_clip_l(plan, "cond_stage_model.transformer.text_model.")
    if vae == "full":
        add_vae(plan)
    else:
        add_taesd(plan, _LATENT_SCALE[family.name])
    write_safetensors(plan, Path(path), seed)
