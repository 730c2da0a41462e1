"""The best state stays, whatever becomes of the others."""

import logging

import pytest
import torch
from small_training import SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.training import trainer as trainer_room
from consistentid_core.training.best import BestSoFar
from consistentid_core.training.state import load_state, saved_states
from consistentid_core.training.trainer import Trainer

#: What the validation finds at each step: "right" is best at 2, the difference to a wrong person at 4.
RIGHT = {0: 0.5, 1: 0.4, 2: 0.2, 3: 0.3, 4: 0.25, 5: 0.45, 6: 0.45}
T_WRONG = {0: 0.0, 1: 1.0, 2: 2.0, 3: 1.5, 4: 4.0, 5: 3.0, 6: 3.5}


@pytest.fixture(autouse=True)
def given_validation(monkeypatch):
    class Found:
        def summary(self):
            step = Found.run.step
            names = ("wrong", "nobody", "right_better_than_wrong", "t_nobody", "localisation")
            return {"right": RIGHT[step], "t_wrong": T_WRONG[step], **dict.fromkeys(names, 0.0)}

    monkeypatch.setattr(trainer_room, "validate", lambda *args: Found())
    return Found


def train(folder, found, *, stop_at=None, **settings):
    frozen, done = SmallModels(), []
    run = Trainer(
        small_config(**{"steps": 6, "validate_every": 1, "save_every": 1, "keep": 2, **settings}),
        frozen, SmallPeople(12), small_modules(frozen), folder=folder,
        on_step=lambda step, values: done.append(step), should_stop=lambda: stop_at in done,
    )  # fmt: skip
    found.run = run
    with run:
        run.run()
    return run


def names(run):
    return sorted(path.name for path in run.states.iterdir())


@pytest.mark.parametrize(("by", "best"), [("right", 2), ("t_wrong", 4)])
def test_the_best_stays_beside_the_newest(tmp_path, given_validation, caplog, by, best):
    with caplog.at_level(logging.INFO):
        run = train(tmp_path, given_validation, keep_best=by)
    assert names(run) == [f"best-{best:08d}", "step-00000005", "step-00000006"]
    assert load_state(run.states / f"best-{best:08d}").step == best
    assert f"Best by '{by}': step {best}." in caplog.text
    assert f"The best so far by '{by}', kept as '{run.states / f'best-{best:08d}'}'" in caplog.text
    assert [step for step, _ in saved_states(run.states)] == [5, 6]


def test_the_best_holds_the_weights_of_its_step(tmp_path, given_validation):
    run = train(tmp_path / "one", given_validation)
    there = train(tmp_path / "two", given_validation, stop_at=2)
    best = load_state(run.states / "best-00000002")
    for name, group in there.modules.groups().items():
        for key, one in group.items():
            assert torch.equal(best.groups[name][key], one)


def test_nothing_is_kept_where_it_is_switched_off(tmp_path, given_validation):
    run = train(tmp_path, given_validation, keep_best="off")
    assert names(run) == ["step-00000005", "step-00000006"]


def test_a_resumed_run_knows_what_was_best(tmp_path, given_validation):
    train(tmp_path, given_validation, stop_at=3)
    run = train(tmp_path, given_validation)
    assert names(run) == ["best-00000002", "step-00000005", "step-00000006"]


def test_going_by_another_column_begins_anew(tmp_path, given_validation):
    train(tmp_path, given_validation, stop_at=4)
    run = train(tmp_path, given_validation, keep_best="t_wrong")
    assert names(run) == [
        "best-00000006",
        "step-00000005",
        "step-00000006",
    ]  # 3.5 after 3.0; 4.0 was not looked at


def test_a_run_that_only_gets_worse_keeps_none_and_says_so(tmp_path, given_validation, monkeypatch, caplog):
    monkeypatch.setitem(RIGHT, 0, 0.1)
    with caplog.at_level(logging.INFO):
        run = train(tmp_path, given_validation)
    assert "Best by 'right': the weights the run began with; no step was better." in caplog.text
    assert names(run) == ["step-00000005", "step-00000006"]


def test_no_number_is_no_best():
    best = BestSoFar("right")
    assert not best.improves(1, {"right": float("nan")})
    assert best.counters() == {}
    assert best.improves(2, {"right": 0.3})
    assert not best.improves(3, {"right": 0.3})
    assert best.step == 2
