"""Is the saved state in a folder one of this very run? Another one would go on to something nobody asked for."""

import json
from pathlib import Path

from ..errors import TrainingStoppedError
from .config import TrainingConfig
from .state import RunState

#: Settings that decide nothing of what is drawn and computed; with any other changed, a run is another run.
_MAY_CHANGE = {
    "steps", "save_every", "keep", "keep_best", "validate_every", "log_every", "max_skipped", "file_format",
    "tensorboard", "output", "data", "checkpoint", "vae", "clip_vision", "start_from", "gradient_checkpointing",
    "deterministic", "preset", "accumulation", "batch_size", "sample_every", "sample_count", "sample_prompts",
    "sample_steps", "map_timestep", "cache", "cache_gigabytes", "prefetch",
}  # fmt: skip


def require_same_run(
    folder: Path, state: RunState, config: TrainingConfig, *, global_batch: int, samples: int
) -> None:
    """Raise TrainingStoppedError, naming what differs, if a state was saved by a run with other settings."""
    changed = [
        f"{name} was {state.settings.get(name)!r} and is {value!r}"
        for name, value in json.loads(config.as_json()).items()
        if name not in _MAY_CHANGE and state.settings.get(name) != value
    ]
    for name, value in (("global_batch", global_batch), ("samples", samples)):
        if state.counters[name] != value:
            changed.append(f"{name} was {int(state.counters[name])} and is {value}")
    if changed:
        raise TrainingStoppedError(
            f"'{folder}' holds a run with other settings: {'; '.join(changed)}. To go on with that run, set "
            "them back; for another run, choose another output folder, with start_from naming a file of this one."
        )
