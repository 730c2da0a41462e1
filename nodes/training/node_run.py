"""A training run inside a node: between the host's inference mode, its memory manager and its progress bar."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import comfy.utils
import numpy as np
import torch
from PIL import Image

from ...consistentid_core.data.portrait import Portrait
from ...consistentid_core.training.config import TrainingConfig
from ...consistentid_core.training.draws import seeded
from ...consistentid_core.training.memory import TooLittleMemoryError
from ...consistentid_core.training.run import train
from ...consistentid_core.training.samples import SampleSource
from ...consistentid_core.training.state import WEIGHTS, read_groups, saved_states
from ..host.older import unload
from ..host.pictures import to_image
from .draw import HostDrawing
from .files import losses_of, publish
from .host_adapter import HostModels, trainable_copy
from .interrupts import held_back, was_cancelled

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_PREVIEW_SIDE = 512


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """file: the weights as the loader lists them.  losses: of every step.  steps: done in all.
    pictures: IMAGE (n, S, S, 3), the sample pictures of the first and of the last step that has some.
    """

    file: str
    losses: list[float]
    steps: int
    pictures: torch.Tensor


def train_in_node(
    model, vae, clip, clip_vision, config: TrainingConfig, samples: SampleSource, *, name: str
) -> TrainedRun:
    """Run a configuration to its end, or go on with it, and give its weights to the loader.

    config: ``output`` names the run's folder.  name: of the file of weights.
    When the user cancels, state and weights are saved before the host's exception is raised.
    Raises TooLittleMemoryError where the device's memory is full, and what
    :func:`...consistentid_core.training.run.train` raises.
    """
    drawing = HostDrawing(model, vae, clip, clip_vision, config)
    folder = Path(config.output)
    with held_back():
        try:
            with torch.inference_mode(False), torch.enable_grad():
                _train(model, vae, clip, clip_vision, config, samples, drawing)
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            raise TooLittleMemoryError(_too_little(config, folder)) from error
        finally:
            gc.collect()
            comfy.model_management.soft_empty_cache()
        (*_, (steps, state)) = saved_states(folder / "states")
        file = publish(name, state)
    pictures = _pictures_of(folder) or [_one_picture(drawing, config, samples[0], state)]
    return TrainedRun(file, losses_of(folder), steps, to_image(pictures))


def _train(
    model, vae, clip, clip_vision, config: TrainingConfig, samples: SampleSource, drawing: HostDrawing
) -> None:
    """Train on a copy of the model that is gone afterwards."""
    comfy.model_management.unload_all_models()  # what is loaded would count as memory that is taken
    copy = trainable_copy(model, _DTYPES[config.precision])
    try:
        frozen = HostModels(copy, vae, clip, clip_vision)
        progress = _Progress(config.steps)
        train(
            config, frozen, frozen.base_weight, samples,
            recomputed=frozen.recomputed, should_stop=was_cancelled, on_step=progress.step,
            draw_sample=drawing, on_picture=progress.picture,
        )  # fmt: skip
    finally:
        unload(copy)


class _Progress:
    """The node's progress bar, with the newest sample picture above it."""

    def __init__(self, steps: int):
        self._bar = comfy.utils.ProgressBar(steps)

    def step(self, step: int, values: Mapping[str, float]) -> None:
        self._bar.update_absolute(step)

    def picture(self, step: int, path: Path) -> None:
        with Image.open(path) as picture:
            self._bar.update_absolute(step, preview=("PNG", picture.convert("RGB"), _PREVIEW_SIDE))


def _pictures_of(folder: Path) -> list[np.ndarray]:
    """The sample pictures of the first and the last step that has some."""
    steps = sorted((folder / "pictures").glob("step-*"))
    found = [sorted(one.glob("sample-*.png")) for one in steps]
    found = [one for one in found if one]
    return [_read(path) for paths in (found[:1] + found[1:][-1:]) for path in paths]


def _read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _one_picture(drawing: HostDrawing, config: TrainingConfig, portrait: Portrait, state: Path) -> np.ndarray:
    """Of a run that drew none: samples switched off, or too few portraits to hold one out."""
    prompt = config.sample_prompts[0] if config.sample_prompts else portrait.general_caption
    picture = drawing(
        read_groups(next(state.glob(f"{WEIGHTS}.*"))), portrait, prompt,
        seed=seeded(config.seed, "picture"), steps=config.sample_steps, size=config.resolution,
    )  # fmt: skip
    return (picture.nan_to_num(0).clamp(0, 1) * 255).round().byte().numpy()


def _is_out_of_memory(error: BaseException) -> bool:
    is_oom = getattr(comfy.model_management, "is_oom", None)
    found = is_oom(error) if is_oom else isinstance(error, comfy.model_management.OOM_EXCEPTION)
    return found or isinstance(error, MemoryError) or "not enough memory" in str(error).lower()


def _too_little(config: TrainingConfig, folder: Path) -> str:
    advice = [] if config.gradient_checkpointing else ["switch gradient_checkpointing on"]
    if config.batch_size > 1:
        advice.append(
            f"set batch_size to {config.batch_size // 2} and accumulation to {config.accumulation * 2}"
        )
    if config.precision == "fp32":
        advice.append("set precision to bf16")
    if config.ema_decay:
        advice.append("write 'ema_decay: 0' into settings")
    if config.resolution > 512:
        advice.append(f"set resolution below {config.resolution}")
    done = saved_states(folder / "states")
    kept = f" Step {done[-1][0]} is saved, and the run goes on from there." if done else ""
    return (
        f"The memory of the device is full. To make training fit: {', or '.join(advice) or 'use a larger device'}."
        f"{kept}"
    )
