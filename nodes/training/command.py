"""The training command: files named in a configuration, loaded by ComfyUI, handed to the training core."""

import logging
from pathlib import Path

import comfy.clip_vision
import comfy.sd
import comfy.utils
import torch

from ...consistentid_core.data.reading import open_portraits
from ...consistentid_core.errors import ConsistentIDError, MissingModelError
from ...consistentid_core.training.config import ConfigError, TrainingConfig, read_config
from ...consistentid_core.training.run import launched_processes, stopping_on_signals, train
from .host_adapter import HostModels

logger = logging.getLogger(__name__)

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def main(path: Path, *, dry_run: bool) -> int:
    """Train as a configuration file says; returns the exit code, 1 for an error that was explained."""
    try:
        config = read_config(path)
        _require_files(config)
        samples = open_portraits(config.data)
        processes = launched_processes()  # before any model: it chooses the device
        if processes.rank > 0:
            logging.getLogger(__name__.partition(".")[0]).setLevel(logging.WARNING)
        frozen = load_models(config)
        with stopping_on_signals() as should_stop:
            done = train(
                config, frozen, frozen.base_weight, samples,
                processes=processes, dry_run=dry_run, recomputed=frozen.recomputed, should_stop=should_stop,
                draw_sample=frozen.drawing(config),
            )  # fmt: skip
        processes.leave()
    except ConsistentIDError as error:
        logger.error("%s", error)
        return 1
    if done is not None:
        logger.info("Written: %s", done)
    return 0


def load_models(config: TrainingConfig) -> HostModels:
    """The checkpoint, VAE and CLIP vision files of a configuration."""
    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(
        config.checkpoint, disable_dynamic=True, model_options={"dtype": _DTYPES[config.precision]}
    )
    if config.vae:
        weights, metadata = comfy.utils.load_torch_file(config.vae, return_metadata=True)
        vae = comfy.sd.VAE(sd=weights, metadata=metadata)
    clip_vision = comfy.clip_vision.load(config.clip_vision)
    missing = [name for name, one in (("VAE", vae), ("text encoder", clip)) if one is None]
    if missing or clip_vision is None:
        what = ", ".join(missing) or "CLIP vision model"
        raise MissingModelError(
            f"No {what} was found in the files of the configuration. Name a full Stable Diffusion checkpoint in "
            "'checkpoint', and CLIP ViT-H/14 in 'clip_vision'."
        )
    return HostModels(model, vae, clip, clip_vision)


def _require_files(config: TrainingConfig) -> None:
    for name in ("checkpoint", "clip_vision", "data"):
        if not getattr(config, name):
            raise ConfigError(f"The training configuration does not set '{name}'.")
    for name in ("checkpoint", "vae", "clip_vision", "start_from"):
        file = getattr(config, name)
        if file and not Path(file).is_file():
            raise MissingModelError(f"'{name}' of the training configuration is '{file}', where no file is.")
