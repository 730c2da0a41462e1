"""Around a run: the dry run's page, stopping by signal, what is said before the first step."""

import json
import logging
import os
import signal
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from small_training import SIZES, SmallModels, SmallPeople, small_config

from consistentid_core.errors import MissingDependencyError
from consistentid_core.files.weights_file import read_weights
from consistentid_core.regions import region_named
from consistentid_core.training.config import ConfigError
from consistentid_core.training.processes import OneProcess
from consistentid_core.training.run import launched_processes, stopping_on_signals, train


def run(folder, **settings):
    frozen = SmallModels()
    arguments = {
        name: settings.pop(name) for name in ("dry_run", "should_stop", "processes") if name in settings
    }
    config = small_config(output=str(folder) if folder else "", **settings)
    return train(config, frozen, frozen.base_weight, SmallPeople(12), sizes=SIZES, **arguments)


def test_a_dry_run_shows_the_first_batch_and_trains_nothing(tmp_path):
    page = run(tmp_path, dry_run=True, drop_probability=0, batch_size=2)
    text = page.read_text()
    assert text.count("<h2>person ") == 2
    # Each of the five words of each of the two texts.
    assert text.count("<mark>") == 10
    assert "10 portraits to train on, 2 held out" in text
    assert not (tmp_path / "states").exists()
    for number in range(2):
        for name in ("picture", "parts", "foreground"):
            with Image.open(page.parent / f"{number:02d}_{name}.png") as picture:
                assert picture.size == (64, 64)


def test_only_the_first_process_writes_the_page(tmp_path):
    class Second(OneProcess):
        rank, world = 1, 2

    assert run(tmp_path, dry_run=True, processes=Second()) is None
    assert not (tmp_path / "dry_run").exists()


def test_the_host_s_own_wish_for_repeatable_operations_stays(tmp_path):
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        run(tmp_path, steps=1, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_the_weights_that_are_passed_on_tell_no_folders(tmp_path):
    state = run(tmp_path / "anna", steps=1, data=str(tmp_path / "anna's photos"))
    with safe_open(state / "consistentid.safetensors", "pt") as file:
        settings = json.loads(file.metadata()["settings"])
    assert (settings["data"], settings["output"], settings["steps"]) == ("anna's photos", "anna", 1)


def test_parts_are_shown_in_their_colours_and_the_background_is_black(tmp_path):
    page = run(tmp_path, dry_run=True, drop_probability=0, batch_size=1)
    plain, parts, foreground = (
        np.asarray(Image.open(page.parent / f"00_{name}.png")).astype(float)
        for name in ("picture", "parts", "foreground")
    )
    nose, corner = (36, 32), (0, 0)
    skin = 0.5 * plain[nose] + 0.5 * np.array(region_named("face").colour)  # the face covers the nose
    expected = 0.5 * skin + 0.5 * np.array(region_named("nose").colour)
    assert np.abs(parts[nose] - expected).max() <= 1
    assert np.array_equal(parts[corner], plain[corner])
    assert not foreground[corner].any()
    assert np.array_equal(foreground[nose], plain[nose])


def test_the_first_batch_of_a_dry_run_is_that_of_the_run(tmp_path):
    seen = [run(tmp_path / name, dry_run=True).read_text() for name in ("one", "two")]
    assert seen[0] == seen[1]


def test_a_run_says_what_it_is_going_to_do(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        folder = run(tmp_path, steps=1)
    assert folder == tmp_path / "states" / "step-00000001"
    for text in (
        "10 portraits to train on",
        "1 steps of 2 samples in 1 process,",
        "new weights",
        "memory: about",
    ):
        assert text in caplog.text


def test_a_trained_file_is_gone_on_with(tmp_path, caplog):
    first = run(tmp_path / "first", steps=1)
    with caplog.at_level(logging.INFO):
        run(
            tmp_path / "second",
            steps=1,
            start_from=str(first / "consistentid.safetensors"),
            learning_rate=None,
        )
    assert "a ConsistentID file, learning rate 1e-05" in caplog.text


def test_an_output_folder_is_needed():
    with pytest.raises(ConfigError, match="names no output folder"):
        run("")


def test_without_tensorboard_the_setting_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingDependencyError, match="'tensorboard' is on, but the package is not installed"):
        run(tmp_path, tensorboard=True)
    assert list(tmp_path.iterdir()) == []


def test_one_process_that_nothing_launched_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert isinstance(launched_processes(), OneProcess)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_the_step_in_progress(tmp_path, number):
    before = signal.getsignal(number)
    with stopping_on_signals() as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), number)
        folder = run(tmp_path, should_stop=should_stop)
    assert folder.name == "step-00000001"
    assert signal.getsignal(number) is before


def test_a_second_interrupt_ends_at_once():
    with pytest.raises(KeyboardInterrupt), stopping_on_signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_half_precision_is_trained_with_full_precision_weights(tmp_path):
    folder = run(tmp_path, steps=2, precision="bf16")
    weights = read_weights(folder / "consistentid.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
