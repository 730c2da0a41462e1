"""Reading portraits for training: the next batch beside this one, and never more of the set than is needed."""

import gc
import threading
import time
import weakref

import pytest
from small_training import SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.errors import CheckpointError
from consistentid_core.training.batches import Batches
from consistentid_core.training.processes import OneProcess
from consistentid_core.training.trainer import Trainer


class WatchedPeople(SmallPeople):
    """Knows which portraits were read, in which thread, and how many are alive at a time."""

    def __init__(self, count):
        super().__init__(count)
        self.read, self.threads, self.most = [], set(), 0
        self._alive = weakref.WeakSet()

    def __getitem__(self, index):
        portrait = super().__getitem__(index)
        self.read.append(index)
        self.threads.add(threading.current_thread().name)
        self._alive.add(portrait)
        gc.collect()
        self.most = max(self.most, len(self._alive))
        return portrait


def batches(people, **settings):
    return Batches(small_config(**settings), SmallModels(), people, OneProcess())


def test_the_next_pass_is_prepared_while_this_one_is_computed():
    people = WatchedPeople(12)
    reader = batches(people, accumulation=2, steps=3)
    reader.read(0, 0, looks_at_foreground=False)
    deadline = time.monotonic() + 20
    while len(people.read) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(people.read) == 4
    assert any(name.startswith("next batch") for name in people.threads)
    reader.read(0, 1, looks_at_foreground=False)
    reader.close()
    assert sorted(people.read[:4]) == sorted(set(people.read[:4]))


def test_everything_is_read_once_and_nothing_after_the_last_step():
    people = WatchedPeople(12)
    reader = batches(people, steps=3)
    for step in range(3):
        reader.read(step, 0, looks_at_foreground=False)
    reader.close()
    assert len(people.read) == len(set(people.read)) == 6


def test_a_pass_that_was_not_prepared_is_read_when_it_is_asked_for():
    people = WatchedPeople(12)
    reader = batches(people, steps=9)
    expected = [one.key for one in reader.items(reader.draws(5, 0))]
    reader.read(0, 0, looks_at_foreground=False)
    assert [one.key for one in reader._prepared(5, 0)] == expected
    reader.close()


def test_the_set_is_never_in_memory(tmp_path):
    people, frozen = WatchedPeople(80), SmallModels()
    run = Trainer(
        small_config(steps=30, batch_size=2), frozen, people, small_modules(frozen), folder=tmp_path
    )  # fmt: skip
    with run:
        run.run()
    assert len(set(people.read)) == 60
    # Portraits of the batch that is prepared; the one before holds squares of the training size alone.
    assert people.most <= 2


class BrokenPeople(WatchedPeople):
    def __getitem__(self, index):
        if len(self.read) == 5:
            raise CheckpointError("The portrait 'x.png' cannot be read")
        return super().__getitem__(index)


def test_a_portrait_that_cannot_be_read_ends_the_run_at_its_own_step(tmp_path):
    frozen, seen = SmallModels(), []
    run = Trainer(
        small_config(steps=9), frozen, BrokenPeople(12), small_modules(frozen), folder=tmp_path,
        on_step=lambda step, values: seen.append(step),
    )  # fmt: skip
    with pytest.raises(CheckpointError, match=r"x\.png"), run:
        run.run()
    assert seen == [1, 2]


def test_no_thread_is_left_after_a_run(tmp_path):
    frozen = SmallModels()
    with Trainer(
        small_config(steps=9), frozen, SmallPeople(12), small_modules(frozen), folder=tmp_path
    ) as run:
        run.train_step()
        assert any(one.name.startswith("next batch") for one in threading.enumerate())
    assert not any(one.name.startswith("next batch") for one in threading.enumerate())
