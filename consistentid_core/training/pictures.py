"""Sample pictures during a run: the same people, prompts and seeds from the first step to the last.

Who trains supplies the path from weights to a picture, as it is taken after training; this file says what is
drawn and where it goes. Drawing changes nothing of the run: a run without pictures has the same weights.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.portrait import Portrait, to_png
from ..files.atomic import write_whole
from .config import TrainingConfig
from .draws import seeded
from .picture_page import PictureFolder
from .samples import SampleSource


class DrawSample(Protocol):
    """Draws one picture with the weights of a run, the way the finished file is used."""

    def __call__(
        self,
        groups: Mapping[str, Mapping[str, Tensor]],
        portrait: Portrait,
        prompt: str,
        *,
        seed: int,
        steps: int,
        size: int,
    ) -> Tensor:
        """The portrait's person as the prompt says.

        groups: the weights by the groups of a released file (``FacialEncoder``, ``image_proj``, ``adapter_modules``).
        They are those of the run itself: copy what is kept or changed. The UNet carries no hooks of the run meanwhile.
        steps: of sampling.  size: side of the square in pixels.
        Returns (size, size, 3) float in [0, 1].
        """


#: Told of every sample picture: its step and its file.
OnPicture = Callable[[int, Path], None]


def draw_samples(
    draw: DrawSample,
    groups: Mapping[str, Mapping[str, Tensor]],
    portraits: SampleSource,
    config: TrainingConfig,
    folder: PictureFolder,
    step: int,
    on_picture: OnPicture,
) -> None:
    """Draw the first portraits with every prompt and write them below the folder of a step."""
    for number in range(min(config.sample_count, len(portraits))):
        portrait = portraits[number]
        for place, prompt in enumerate(config.sample_prompts):
            seed = seeded(config.seed, f"picture {number} {place}")
            with _undisturbed():
                picture = draw(
                    groups, portrait, prompt, seed=seed, steps=config.sample_steps, size=config.resolution
                )
            path = folder.sample(step, number, place)
            write_picture(path, picture)
            on_picture(step, path)


def write_picture(path: Path, picture: Tensor) -> None:
    """Write a picture (H, W, 3) in [0, 1] as a file, whole or not at all; what is no number is black."""
    values = (picture.detach().float().cpu().nan_to_num(0).clamp(0, 1) * 255).round().byte()
    write_png(path, Image.fromarray(values.numpy()))


def write_png(path: Path, picture: Image.Image) -> None:
    """The same for a finished picture; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, to_png(np.asarray(picture)), lasting=False)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Sampling code may use and seed the global generators; the run finds them as they were."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=list(devices)), torch.no_grad():
        yield
