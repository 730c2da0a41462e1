"""From what is set in the training node to the configuration of a run."""

from pathlib import Path
from typing import Any

from ...consistentid_core.training.config import PATHS, ConfigError, TrainingConfig, from_mapping

#: In place of a choice: what the preset says.
AS_PRESET = "as preset"


def node_config(settings: str, **widgets: Any) -> TrainingConfig:
    """The configuration of a run.

    settings: YAML, any other settings; they win over the widgets.
    widgets: settings by name; ``as preset``, and a learning rate of 0, leave the choice to the preset.
    Raises ConfigError for a text that is no YAML mapping, or for a setting that cannot be used.
    """
    chosen = {name: value for name, value in widgets.items() if value != AS_PRESET}
    if not chosen.get("learning_rate"):
        chosen.pop("learning_rate", None)
    return from_mapping({"log_every": 1, **chosen, **_read(settings)})


def file_behind(model) -> str:
    """The checkpoint a MODEL was loaded from, to be noted with the run; empty if nothing says so."""
    init = getattr(model, "cached_patcher_init", None)
    first = init[1][0] if init and init[1] else None
    return str(first) if isinstance(first, str | Path) else ""


def _read(text: str) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(
            f"The text in 'settings' is no YAML: {error}. Write one setting per line, like 'rank: 64'."
        ) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"The text in 'settings' is no list of settings: {text.strip()[:60]!r}. Write one setting per line, like "
            "'rank: 64'."
        )
    # A workflow says what is trained, not where on this machine is written.
    paths = [name for name in values if name in PATHS]
    if paths:
        raise ConfigError(
            f"The text in 'settings' sets {', '.join(paths)}, which names a file or folder. In the node its own inputs "
            "choose files, and the rest lies in the folder of the run. Delete the line."
        )
    if "preset" in values:
        raise ConfigError(
            "The text in 'settings' sets preset, which is an input of the node. Delete the line and use the input."
        )
    return values
