"""One file says everything about a training run.

Two presets: ``original`` does what the released trainer does (SPEC 7.1), ``recommended`` what the paper says and what
has proved itself in training since. Every setting can be given beside the preset; what the paper
ablates is a setting.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ..errors import ConsistentIDError
from ..regions import REGION_NAMES
from .best import KeepBest
from .schedule import Schedule

Preset = Literal["recommended", "original"]

#: The learning rate to train with from the beginning (the paper), and to go on with trained weights.
LEARNING_RATE, FINE_TUNING_RATE = 1e-4, 1e-5


class ConfigError(ConsistentIDError, ValueError):
    """A training configuration cannot be used."""


@dataclass(frozen=True)
class TrainingConfig:
    """All settings of a run; the defaults are the preset ``recommended``.

    Files:
    checkpoint: Stable Diffusion file.  vae: file of its own, or "" for the checkpoint's.  clip_vision: ViT-H/14 file.
    data: folder with the samples.  output: folder of the run.
    start_from: "" for new weights, a ConsistentID file to go on with, or an IP-Adapter-FaceID-Plus file.

    Pictures: resolution: side of the square, a multiple of 64.  crop: where it is cut from an oblong picture.

    Steps: batch_size: per process and pass.  accumulation: passes per step.  steps: in all.
    precision: in which UNet and encoders compute; trained weights are always float32.
    gradient_checkpointing: compute blocks twice instead of keeping their results.

    Optimiser (AdamW): learning_rate: None for 1e-4, or 1e-5 when going on with a ConsistentID file.
    clip_norm, ema_decay, min_snr_gamma: 0 for off.

    Losses: localisation: ``paper`` (cross attention of the facial words), ``original_code`` (self attention), ``off``.
    background_probability: of steps whose noise loss looks at the person only.
    foreground: ``exact`` is all that the label map calls no background; ``filled`` is the original's, empty where
    background surrounds the head.  drop_probability: of samples without text and whole picture.

    Ablations: features: ``both``, ``overall`` (ID tokens only), ``fine_grained`` (facial words only).
    train_projection: whether the ID projection learns.
    captions: of the face, from the data, or one ``fixed`` sentence.
    regions: of the five, those in use; the paper adds them in the order face, nose, eyes, ears, mouth.
    pairing: of facial words and parts; ``by rank`` is what the released weights and the nodes' defaults use.
    shortcut: ``as inference`` (SDXL adds the face to the ID tokens), or ``never`` as in the original's training.

    Running: every so many steps are saved, validated, logged; 0 for never.  keep: saved states kept.
    validation_samples: held out.  max_skipped: steps in a row with values that are no numbers, before the run stops.
    file_format: of the weights; ``bin`` for the original's code.

    Pictures: sample_every: so many steps are drawn, with the step before the first and the last; 0 for never.
    sample_count: of the held-out portraits are drawn, each with every one of sample_prompts.
    sample_steps: of sampling.  map_timestep: at which the attention of the facial words is looked at.

    keep_best: by which column of the validation the best state is kept beside the newest ones; ``off`` for none.
    cache: folder for what the encoders said, "" for one in the output folder; runs may share it.
    cache_gigabytes: how large it may become; 0 for no cache.  prefetch: prepare the next batch beside this one.
    """

    preset: Preset = "recommended"

    checkpoint: str = ""
    vae: str = ""
    clip_vision: str = ""
    data: str = ""
    output: str = ""
    start_from: str = ""

    resolution: int = 512
    crop: Literal["centre", "random"] = "centre"

    seed: int = 0
    steps: int = 100_000
    batch_size: int = 2
    accumulation: int = 1
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    gradient_checkpointing: bool = False
    deterministic: bool = False

    learning_rate: float | None = None
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    schedule: Schedule = "cosine"
    warmup_steps: int = 500
    clip_norm: float = 1.0
    ema_decay: float = 0.9999
    min_snr_gamma: float = 0.0

    localisation: Literal["paper", "original_code", "off"] = "paper"
    localisation_weight: float = 0.01
    background_probability: float = 0.5
    foreground: Literal["exact", "filled"] = "exact"
    drop_probability: float = 0.1

    features: Literal["both", "overall", "fine_grained"] = "both"
    train_projection: bool = True
    captions: Literal["data", "fixed"] = "data"
    regions: tuple[str, ...] = REGION_NAMES
    pairing: Literal["by rank", "by name"] = "by rank"
    shortcut: Literal["as inference", "never"] = "as inference"
    rank: int = 128

    save_every: int = 1000
    keep: int = 3
    validate_every: int = 500
    validation_samples: int = 8
    validation_timesteps: tuple[int, ...] = (100, 300, 500, 700, 900)
    log_every: int = 10
    max_skipped: int = 10
    file_format: Literal["safetensors", "bin"] = "safetensors"
    tensorboard: bool = False

    sample_every: int = 1000
    sample_count: int = 2
    sample_prompts: tuple[str, ...] = ("a portrait of a person", "a person in a spacesuit, on the moon")
    sample_steps: int = 25
    map_timestep: int = 500

    keep_best: KeepBest = "right"
    cache: str = ""
    cache_gigabytes: float = 20.0
    prefetch: bool = True

    def __post_init__(self) -> None:
        problems = [*_wrong_choices(self), *_wrong_values(self)]
        if problems:
            raise ConfigError(f"The training configuration cannot be used: {'; '.join(problems)}.")

    def rate(self, *, goes_on: bool) -> float:
        """The learning rate; goes_on: from weights that ConsistentID was trained to before."""
        if self.learning_rate is not None:
            return self.learning_rate
        return FINE_TUNING_RATE if goes_on else LEARNING_RATE

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain values, to be written down and read again with :func:`from_mapping`."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    def as_json(self) -> str:
        """:meth:`as_dict` as a text."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)


#: What differs from the defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "recommended": {},
    "original": {
        "learning_rate": LEARNING_RATE,
        "schedule": "constant",
        "warmup_steps": 0,
        "clip_norm": 0.0,
        "ema_decay": 0.0,
        "localisation": "original_code",
        "foreground": "filled",
        "shortcut": "never",
    },
}


@dataclass(frozen=True)
class _Setting:
    name: str
    kind: Any
    choices: tuple[Any, ...] = field(default=())


def from_mapping(values: Mapping[str, Any]) -> TrainingConfig:
    """The configuration of a preset with the settings given beside it.

    Raises ConfigError for an unknown setting or a value of another kind, naming it.
    """
    settings = {setting.name: setting for setting in _settings()}
    unknown = [name for name in values if name not in settings]
    if unknown:
        raise ConfigError(
            f"The training configuration has unknown settings: {', '.join(map(str, unknown))}. "
            f"There are: {', '.join(settings)}."
        )
    preset = values.get("preset", "recommended")
    if preset not in PRESETS:
        raise ConfigError(f"There is no preset '{preset}'. There are: {', '.join(PRESETS)}.")
    given = {name: _converted(settings[name], value) for name, value in values.items()}
    return TrainingConfig(**{**PRESETS[preset], **given})


def read_config(path: str | PathLike[str]) -> TrainingConfig:
    """The configuration in a YAML or JSON file.

    Paths in it are relative to the file. Raises ConfigError if it is missing or cannot be used.
    """
    import yaml  # type: ignore[import-untyped]

    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"No training configuration at '{path}'. Check the path.")
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' is no YAML or JSON text: {error}.") from error
    if not isinstance(values, Mapping):
        raise ConfigError(f"'{path}' holds a {type(values).__name__}, not settings like 'steps: 1000'.")
    placed = {
        name: str((path.parent / value).absolute())
        for name, value in values.items()
        if name in PATHS and isinstance(value, str) and value
    }
    return from_mapping({**values, **placed})


#: Settings that name files and folders.
PATHS = ("checkpoint", "vae", "clip_vision", "data", "output", "start_from", "cache")


def _settings() -> list[_Setting]:
    kinds = get_type_hints(TrainingConfig)
    return [
        _Setting(
            f.name, kinds[f.name], get_args(kinds[f.name]) if get_origin(kinds[f.name]) is Literal else ()
        )
        for f in dataclasses.fields(TrainingConfig)
    ]


def _converted(setting: _Setting, value: Any) -> Any:
    """A value as its setting wants it. YAML takes 1e-5 for a text, and JSON has no tuples."""
    try:
        if setting.kind is bool or setting.choices:
            if setting.kind is bool and not isinstance(value, bool):
                raise ValueError
            # YAML takes a bare `off` for false.
            return "off" if value is False and "off" in setting.choices else value
        if setting.kind is int:
            if isinstance(value, bool) or int(value) != float(value):
                raise ValueError
            return int(value)
        if setting.kind is str:
            if not isinstance(value, str):
                raise ValueError
            return value
        if setting.kind is float or setting.kind == float | None:
            if value is None and setting.kind is not float:
                return None
            if not math.isfinite(number := float(value)):
                raise ValueError
            return number
        if isinstance(value, str):  # which would come apart into letters
            raise ValueError
        element = get_args(setting.kind)[0]
        return tuple(element(one) for one in value)
    except (TypeError, ValueError, OverflowError):
        kind = getattr(setting.kind, "__name__", str(setting.kind))
        raise ConfigError(
            f"The setting '{setting.name}' is {value!r}; expected a value of the kind {kind}."
        ) from None


def _wrong_choices(config: TrainingConfig) -> list[str]:
    return [
        f"'{setting.name}' is '{getattr(config, setting.name)}', expected one of {', '.join(setting.choices)}"
        for setting in _settings()
        if setting.choices and getattr(config, setting.name) not in setting.choices
    ]


#: Settings that count something: at least so many.
_AT_LEAST = {
    "steps": 1, "batch_size": 1, "accumulation": 1, "warmup_steps": 0, "rank": 1, "save_every": 0, "keep": 1,
    "validate_every": 0, "validation_samples": 0, "log_every": 1, "max_skipped": 1, "clip_norm": 0,
    "min_snr_gamma": 0, "weight_decay": 0, "localisation_weight": 0, "sample_every": 0, "sample_count": 0,
    "sample_steps": 1, "cache_gigabytes": 0, "epsilon": 0,
}  # fmt: skip


#: Time steps of the noise schedule of every Stable Diffusion model.
_TIMESTEPS = range(1000)


def _wrong_values(config: TrainingConfig) -> list[str]:
    problems = [
        f"'{name}' is {getattr(config, name)}, expected at least {least}"
        for name, least in _AT_LEAST.items()
        if not getattr(config, name) >= least
    ]
    problems += [
        f"'{name}' is {getattr(config, name)}, expected a probability from 0 to 1"
        for name in ("background_probability", "drop_probability")
        if not 0 <= getattr(config, name) <= 1
    ]
    if config.resolution < 64 or config.resolution % 64:
        problems.append(f"'resolution' is {config.resolution}, expected a multiple of 64")
    if not 0 <= config.ema_decay < 1:
        problems.append(f"'ema_decay' is {config.ema_decay}, expected 0 (off) or a number below 1")
    if len(config.betas) != 2 or not all(0 <= beta < 1 for beta in config.betas):
        problems.append(f"'betas' is {config.betas}, expected two numbers from 0 to 1")
    if config.map_timestep not in _TIMESTEPS:
        problems.append(f"'map_timestep' is {config.map_timestep}, expected a time step from 0 to 999")
    if not config.validation_timesteps or not {*config.validation_timesteps} <= {*_TIMESTEPS}:
        problems.append(
            f"'validation_timesteps' is {list(config.validation_timesteps)}, expected one or more time steps from 0 "
            "to 999"
        )
    if config.learning_rate is not None and not config.learning_rate > 0:
        problems.append(f"'learning_rate' is {config.learning_rate}, expected more than 0")
    unknown = [name for name in config.regions if name not in REGION_NAMES]
    if unknown:
        problems.append(f"'regions' names {', '.join(unknown)}, expected some of {', '.join(REGION_NAMES)}")
    return problems
