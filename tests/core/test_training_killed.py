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

#: While the state of step 3 is written: with its first file, and with its folder under its name; and in step 5.
PLACES = {"half a state": (1, 0), "a whole state": (6, 0), "a step": (0, 5)}


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
        small_config(steps=6, save_every=3), frozen, SmallPeople(12), small_modules(frozen),
        folder=folder, on_step=note,
    )  # fmt: skip
    with run:
        run.run()
    return losses, dict(run.modules.named_parameters())


def die(*ignored) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(paths: list[str], threads: int, folder: str, at_sync: int, at_step: int) -> None:
    sys.path[:0] = paths
    torch.set_num_threads(threads)  # sums are added up in another order with another number
    sync, count = atomic._sync, 0

    def sync_or_die(path):
        nonlocal count
        count += 1
        sync(path)
        if count == at_sync:
            die()

    atomic._sync = sync_or_die
    train(Path(folder), lambda step, values: die() if step == at_step else None)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("place", PLACES)
def test_killed_it_goes_on_bit_for_bit(tmp_path, uninterrupted, place):
    process = multiprocessing.get_context("spawn").Process(
        target=train_until_killed, args=(sys.path, torch.get_num_threads(), str(tmp_path), *PLACES[place])
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    losses, weights = train(tmp_path)
    expected_losses, expected = uninterrupted
    assert {step: expected_losses[step] for step in losses} == losses
    assert [name for name in expected if not torch.equal(weights[name], expected[name])] == []
    assert min(losses) == (1 if place == "half a state" else 4)
