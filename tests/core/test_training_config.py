"""One file says everything, and says what is wrong with it."""

import json
from pathlib import Path

import pytest

from consistentid_core.training.config import ConfigError, TrainingConfig, from_mapping, read_config


def written(folder, text, name="run.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_the_original_preset_is_the_released_trainer():
    # SPEC 7.1, "Optimiser", "Dropout", "Noise loss", "Localisation loss".
    original = from_mapping({"preset": "original"})
    expected = {
        "learning_rate": 1e-4, "betas": (0.9, 0.999), "weight_decay": 0.01, "epsilon": 1e-8, "schedule": "constant",
        "warmup_steps": 0, "clip_norm": 0, "ema_decay": 0, "accumulation": 1, "min_snr_gamma": 0, "precision": "bf16",
        "batch_size": 2, "resolution": 512, "save_every": 1000, "localisation": "original_code",
        "localisation_weight": 0.01, "background_probability": 0.5, "foreground": "filled", "drop_probability": 0.1,
        "pairing": "by rank", "shortcut": "never", "rank": 128, "crop": "centre",
    }  # fmt: skip
    assert {name: getattr(original, name) for name in expected} == expected


def test_going_on_with_trained_weights_is_slower():
    config = TrainingConfig()
    assert (config.rate(goes_on=False), config.rate(goes_on=True)) == (1e-4, 1e-5)
    assert from_mapping({"preset": "original"}).rate(goes_on=True) == 1e-4
    assert from_mapping({"learning_rate": 3e-5}).rate(goes_on=True) == 3e-5


def test_a_setting_beside_the_preset_wins():
    config = from_mapping({"preset": "original", "localisation": "paper"})
    assert (config.localisation, config.clip_norm) == ("paper", 0)


@pytest.mark.parametrize("preset", ["original", "recommended"])
def test_what_is_written_down_is_read_as_the_same(preset):
    config = from_mapping({"preset": preset, "regions": ["face", "nose"], "steps": 7})
    assert from_mapping(json.loads(config.as_json())) == config


def test_yaml_needs_no_quotes_and_no_decimal_point(tmp_path):
    path = written(tmp_path, "learning_rate: 1e-5\nlocalisation: off\nregions: [face, eyes]\nsteps: 20\n")
    config = read_config(path)
    assert (config.learning_rate, config.localisation, config.steps) == (1e-5, "off", 20)
    assert config.regions == ("face", "eyes")


def test_what_a_run_writes_down_can_be_read_from_anywhere(tmp_path, monkeypatch):
    """The configuration echoed into the run folder names the same files as the one it was started with."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "run.yaml").write_text("data: set\noutput: run")
    monkeypatch.chdir(tmp_path)
    config = read_config("here/run.yaml")
    echoed = tmp_path / "config.json"
    echoed.write_text(config.as_json())
    assert read_config(echoed) == config
    assert config.data == str(tmp_path / "here" / "set")


def test_paths_are_relative_to_the_file(tmp_path):
    config = read_config(written(tmp_path, "data: portraits\noutput: /elsewhere\n"))
    assert config.data == str(tmp_path / "portraits")
    assert config.output == "/elsewhere"
    assert config.vae == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step: 5", "unknown settings: step"),
        ("preset: fast", "no preset 'fast'"),
        ("steps: many", "'steps' is 'many'"),
        ("steps: 1.5", "'steps' is 1.5"),
        ("steps: true", "'steps' is True"),
        ("tensorboard: 'yes'", "'tensorboard' is 'yes'"),
        ("data: 5", "'data' is 5"),
        ("localisation: both", "'localisation' is 'both', expected one of paper, original_code, off"),
        ("resolution: 500", "'resolution' is 500, expected a multiple of 64"),
        ("drop_probability: 2", "'drop_probability' is 2.0, expected a probability"),
        ("learning_rate: 0", "'learning_rate' is 0.0, expected more than 0"),
        ("ema_decay: 1", "'ema_decay' is 1.0"),
        ("batch_size: 0", "'batch_size' is 0, expected at least 1"),
        ("steps: .inf", "'steps' is inf"),
        ("cache_gigabytes: .inf", "'cache_gigabytes' is inf"),
        ("localisation_weight: .nan", "'localisation_weight' is nan"),
        ("epsilon: -1", "'epsilon' is -1.0, expected at least 0"),
        ("map_timestep: 1000", "'map_timestep' is 1000, expected a time step from 0 to 999"),
        ("validation_timesteps: [500, 1000]", "'validation_timesteps' is .500, 1000., expected one or more"),
        ("validation_timesteps: [-1]", "'validation_timesteps' is .-1.,"),
        ("validation_timesteps: []", "'validation_timesteps' is ..,"),
        ("regions: [hair]", "'regions' names hair"),
        ("- a list", "holds a list"),
        ("steps: [", "no YAML or JSON"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read_config(written(tmp_path, text))


def test_several_problems_are_named_at_once():
    with pytest.raises(ConfigError, match="'steps' is 0.*'resolution' is 1"):
        from_mapping({"steps": 0, "resolution": 1})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"No training configuration at .*run\.yaml"):
        read_config(tmp_path / "run.yaml")


def test_the_example_in_the_documentation_can_be_used(tmp_path):
    page = Path(__file__).resolve().parents[2] / "docs" / "training.md"
    example = page.read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    config = read_config(written(tmp_path, example))
    assert (config.steps, config.gradient_checkpointing, config.start_from) == (20000, True, "")
