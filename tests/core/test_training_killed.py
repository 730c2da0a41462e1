"""A run that is killed, as by a power cut, at any place goes on to the very same weights."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from small_training import SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.files import atomic
from consistentid_core.training.trainer import Trainer

#: What is being written to the disk itself when the process ends, or the step that was just made; and where it goes on.
PLACES = {
    "half a state": (".step-00000003", 0, 1),
    "half of the best": (".best-", 0, 1),
    "a whole state": ("states after .step-00000003", 0, 4),
    "a step": ("", 5, 4),
}


def train(
    folder: Path, on_step=lambda step, values: None
) -> tuple[dict[int, float], dict[str, torch.Tensor]]:
    """Losses by step, and the weights after the last."""
    losses: dict[int, float] = {}

    def note(step, values):
        losses[step] = values["loss"]
        on_step(step, values)

    frozen = SmallModels()
    run = Trainer(
        small_config(steps=6, save_every=3, validate_every=2, cache_gigabytes=1, sample_every=3),
        frozen, SmallPeople(12), small_modules(frozen),
        folder=folder, on_step=note,
    )  # fmt: skip
    with run:
        run.run()
    return losses, dict(run.modules.named_parameters())


def die(*ignored) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(paths: list[str], threads: int, folder: str, at_file: str, at_step: int) -> None:
    sys.path[:0] = paths
    torch.set_num_threads(threads)  # sums are added up in another order with another number
    sync, before = atomic._sync, ""

    def sync_or_die(path):
        nonlocal before
        sync(path)
        # Of a folder that was filled the parent comes last, after it got its name.
        name = f"states after {before}" if path.name == "states" else str(path)
        before = path.name
        if at_file and at_file in name:
            die()

    atomic._sync = sync_or_die
    train(Path(folder), lambda step, values: die() if step == at_step else None)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("place", PLACES)
def test_killed_it_goes_on_bit_for_bit(tmp_path, uninterrupted, place):
    process = multiprocessing.get_context("spawn").Process(
        target=train_until_killed, args=(sys.path, torch.get_num_threads(), str(tmp_path), *PLACES[place][:2])
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    losses, weights = train(tmp_path)
    expected_losses, expected = uninterrupted
    assert {step: expected_losses[step] for step in losses} == losses
    assert [name for name in expected if not torch.equal(weights[name], expected[name])] == []
    assert min(losses) == PLACES[place][2]
