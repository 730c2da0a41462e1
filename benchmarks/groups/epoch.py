"""What the encoders cost a portrait of a training set: without a cache, in the epoch that fills one, and in later ones.

One portrait with all its parts and the fixed sentence. An epoch is this and the step, portrait by portrait.
"""

import tempfile
from pathlib import Path

from tools import paths
from tools.standins import catalogue

from ..job import Job
from ..rows import Row, interleave, ratio, seconds, size
from .training import our_step

_ROOM = 1 << 30


def measure(job: Job) -> dict[str, Row]:
    job.start_host()
    models = job.models(
        {
            catalogue.CHECKPOINT: catalogue.MEASURED[job.family][catalogue.CHECKPOINT],
            catalogue.CLIP_VISION: catalogue.FULL[catalogue.CLIP_VISION],
        }
    )
    checkpoint, clip_vision = (str(one.folder / one.name) for one in models.values())
    from consistentid_pack.consistentid_core.training.config import from_mapping
    from consistentid_pack.nodes.training.command import load_models

    precision = "fp32" if job.device == "cpu" else "bf16"
    config = from_mapping({"checkpoint": checkpoint, "clip_vision": clip_vision, "precision": precision})
    return measure_encoders(load_models(config), job, precision=precision)


def measure_encoders(
    frozen, job: Job, *, precision: str = "fp32", rank: int = 128, sizes: dict[str, dict] | None = None
) -> dict[str, Row]:
    """frozen: see the training core.  rank, sizes: of the trained networks of the step."""
    from consistentid_pack.consistentid_core.training.batches import Batches
    from consistentid_pack.consistentid_core.training.cache import FeatureCache
    from consistentid_pack.consistentid_core.training.config import from_mapping
    from consistentid_pack.consistentid_core.training.encoders import CachedModels
    from consistentid_pack.consistentid_core.training.processes import OneProcess

    from ..device import time_of

    # Never without text: the portrait is to be encoded whole.
    config = from_mapping(
        {"batch_size": 1, "resolution": job.size, "precision": precision, "drop_probability": 0}
    )
    sample = _portrait()

    def encode(models: CachedModels):
        batches = Batches(config, models, [sample], OneProcess())
        drawn = batches.draws(0, 0)
        return batches.of(batches.items(drawn), drawn, looks_at_foreground=True)

    with tempfile.TemporaryDirectory() as folder:
        places = (Path(folder, str(number)) for number in range(job.rounds + 2))

        def with_cache() -> CachedModels:
            return CachedModels(frozen, FeatureCache(next(places), _ROOM))

        filled = with_cache()
        batch = encode(filled)
        kept = FeatureCache(Path(folder, "0"), _ROOM).found
        step = our_step(frozen, batch, {"precision": precision, "rank": rank}, sizes)
        plain = CachedModels(frozen)

        def filling() -> float:
            empty = with_cache()  # asks each encoder what it is: once a run, not once a portrait
            return time_of(lambda: encode(empty), job.device)

        taken = interleave(
            {
                "without": lambda: time_of(lambda: encode(plain), job.device),
                "filling": filling,
                "cached": lambda: time_of(lambda: encode(filled), job.device),
                "step": lambda: time_of(step, job.device),
            },
            job.rounds,
        )

    def with_step(name: str) -> list[float]:
        return [sum(both) for both in zip(taken[name], taken["step"], strict=True)]

    without = with_step("without")
    return {
        "without": seconds("encoding a portrait: picture, six crops for CLIP vision, text", taken["without"]),
        "cached": ratio("encoding from the cache ÷ without a cache", taken["cached"], taken["without"]),
        "first_epoch": ratio(
            "an epoch that fills the cache ÷ without a cache", with_step("filling"), without
        ),
        "later_epochs": ratio("a later epoch ÷ without a cache", with_step("cached"), without),
        "kept": size("kept of a portrait on the disk", kept),
    }


def _portrait():
    """The example portrait with its label map, as a set would hold it."""
    import numpy as np
    from consistentid_pack.consistentid_core.data.portrait import Portrait
    from consistentid_pack.consistentid_core.families import FAMILIES
    from PIL import Image

    assets = paths.WORKFLOWS / "assets"
    with (
        Image.open(assets / "astronaut.png") as picture,
        Image.open(assets / "astronaut_labels.png") as labels,
    ):
        vector = np.zeros(512, np.float32)
        vector[0] = 1
        caption = FAMILIES["sd15"].default_caption
        return Portrait(
            "portrait", np.asarray(picture.convert("RGB")), np.asarray(labels), "a portrait", caption, vector
        )
