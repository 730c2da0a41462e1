"""A whole training run on stand-ins: it learns, stops, goes on exactly, and never leaves a broken file behind."""

import csv
import json
import shutil

import pytest
import torch
from small_training import SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.errors import TrainingStoppedError
from consistentid_core.networks.checkpoint import load_checkpoint
from consistentid_core.training.samples import split
from consistentid_core.training.state import AVERAGE, WEIGHTS, latest_state, saved_states
from consistentid_core.training.trainer import Trainer


def trainer(folder, **settings):
    extras = {
        name: settings.pop(name) for name in ("should_stop", "on_step", "recomputed") if name in settings
    }
    frozen = settings.pop("frozen", None) or SmallModels()
    config = small_config(**settings)
    return Trainer(config, frozen, SmallPeople(12), small_modules(frozen), folder=folder, **extras)


def train(folder, **settings):
    """Losses by step, and the trainer after the run."""
    losses = {}
    run = trainer(folder, on_step=lambda step, values: losses.update({step: values["loss"]}), **settings)
    with run:
        run.run()
    return losses, run


def weights(run):
    return {
        f"{name}.{key}": one for name, group in run.modules.groups().items() for key, one in group.items()
    }


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"), steps=6)


# --- learning ---------------------------------------------------------------------------------------------


def test_every_trained_tensor_has_a_gradient_after_two_steps(tmp_path):
    with trainer(tmp_path, drop_probability=0) as run:
        for _ in range(3):
            run.train_step()
        without = [name for name, one in run.modules.named_parameters() if not one.grad.any()]
    assert without == []


def test_the_loss_falls_when_the_same_people_are_seen_again(tmp_path):
    losses, _ = train(tmp_path, steps=24, background_probability=0, schedule="constant")
    assert sum(list(losses.values())[-8:]) < 0.9 * sum(list(losses.values())[:8])


def test_the_frozen_models_do_not_change(tmp_path):
    frozen = SmallModels()
    before = {name: one.clone() for name, one in frozen.unet_module.state_dict().items()}
    train(tmp_path, frozen=frozen)
    assert_same(before, frozen.unet_module.state_dict())


@pytest.mark.parametrize(
    ("settings", "silent"),
    [
        ({"features": "overall"}, ["facial_encoder."]),
        ({"features": "fine_grained"}, ["id_projection.", "_ip."]),
        ({"train_projection": False}, ["id_projection."]),
    ],
)
def test_what_an_ablation_leaves_out_stays_as_it_was(tmp_path, settings, silent):
    frozen = SmallModels()
    before = dict(small_modules(frozen).named_parameters())
    _, run = train(tmp_path, frozen=frozen, **settings)
    for name, parameter in run.modules.named_parameters():
        stays = any(part in name for part in silent)
        assert torch.equal(parameter, before[name]) == stays, name


# --- exactness --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path, uninterrupted, stop_at):
    seen = []
    first, _ = train(tmp_path, steps=6, should_stop=lambda: len(seen.append(None) or seen) >= stop_at)
    second, run = train(tmp_path, steps=6)
    assert list(second) == list(range(stop_at + 1, 7))
    assert {**first, **second} == uninterrupted[0]
    assert_same(weights(run), weights(uninterrupted[1]))
    one, other = (latest_state(each.states) for each in (run, uninterrupted[1]))
    assert_same(one.optimizer, other.optimizer)
    assert_same(one.average["adapter_modules"], other.average["adapter_modules"])


def test_what_was_trained_after_the_last_saved_state_is_trained_again_alike(tmp_path, uninterrupted):
    class Killed(BaseException):
        pass

    def kill_at_five(step, values):
        if step == 5:
            raise Killed

    run = trainer(tmp_path, steps=6, save_every=3, on_step=kill_at_five)
    with pytest.raises(Killed), run:
        run.run()
    again, run = train(tmp_path, steps=6, save_every=3)
    assert list(again) == [4, 5, 6]
    assert_same(weights(run), weights(uninterrupted[1]))
    rows = list(csv.DictReader((tmp_path / "steps.csv").open()))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [float(row["loss"]) for row in rows] == list(uninterrupted[0].values())


def test_passes_of_a_step_add_up_to_one_large_batch(tmp_path):
    one, together = train(tmp_path / "one", batch_size=4)
    several, in_passes = train(tmp_path / "several", batch_size=1, accumulation=4)
    assert list(several.values()) == pytest.approx(list(one.values()), rel=1e-5)
    for name, weight in weights(together).items():
        torch.testing.assert_close(weights(in_passes)[name], weight, rtol=1e-3, atol=2e-4, msg=name)


def test_a_run_with_other_settings_is_not_gone_on_with(tmp_path):
    train(tmp_path, steps=1)
    with pytest.raises(TrainingStoppedError, match="seed was 0 and is 1"):
        trainer(tmp_path, steps=2, seed=1)
    with pytest.raises(TrainingStoppedError, match="global_batch was 2 and is 4"):
        trainer(tmp_path, steps=2, batch_size=4)


# --- files ------------------------------------------------------------------------------------------------


def test_the_saved_file_is_a_consistentid_file(tmp_path):
    _, run = train(tmp_path)
    _, folder = saved_states(run.states)[-1]
    for name in (WEIGHTS, AVERAGE):
        checkpoint = load_checkpoint(folder / f"{name}.safetensors")
        assert (checkpoint.family, checkpoint.layer_count, checkpoint.rank) == ("sd15", 32, 2)
    assert_same(
        load_checkpoint(folder / f"{WEIGHTS}.safetensors").adapters, run.modules.groups()["adapter_modules"]
    )


def test_only_the_newest_states_are_kept(tmp_path):
    _, run = train(tmp_path, steps=5, save_every=1, keep=2)
    assert [step for step, _ in saved_states(run.states)] == [4, 5]


def test_the_settings_are_written_into_the_folder(tmp_path):
    _, run = train(tmp_path, seed=7)
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads(run.config.as_json())


# --- trouble ----------------------------------------------------------------------------------------------


class BrokenModels(SmallModels):
    """A UNet that predicts no numbers at some steps."""

    def __init__(self, broken):
        super().__init__()
        self.broken, self.calls = broken, 0

    def unet(self, *inputs):
        self.calls += 1
        factor = float("nan") if self.calls in self.broken else 1.0
        return super().unet(*inputs) * factor


def test_a_step_without_numbers_changes_no_weight_and_is_counted(tmp_path):
    run = trainer(tmp_path, frozen=BrokenModels({2}))
    with run:
        run.train_step()
        before = {name: one.clone() for name, one in weights(run).items()}
        assert run.train_step()["skipped"] == 1
        assert_same(weights(run), before)
        assert run.train_step()["skipped"] == 0
    assert (run.step, run.updates.skipped, run.updates.skipped_in_row) == (3, 1, 0)


def test_too_many_steps_without_numbers_stop_the_run(tmp_path):
    with pytest.raises(TrainingStoppedError, match="3 steps in a row, up to step 3"):
        train(tmp_path, frozen=BrokenModels(range(100)), max_skipped=3)


def test_a_full_disk_stops_the_run_and_leaves_the_older_state(tmp_path, monkeypatch):
    _, run = train(tmp_path, steps=2)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(Exception, match="Step 4 could not be saved .*the disk is full"):
        train(tmp_path, steps=4)
    assert [step for step, _ in saved_states(run.states)] == [2]
    assert list(run.states.iterdir()) == [run.states / "step-00000002"]
    assert latest_state(run.states).step == 2


def test_a_damaged_state_is_passed_over_for_the_one_before(tmp_path, caplog):
    _, run = train(tmp_path, steps=3, save_every=1)
    (run.states / "step-00000003" / "optimizer.safetensors").write_bytes(b"cut short")
    assert latest_state(run.states).step == 2
    assert "optimizer.safetensors changed after it was written" in caplog.text


def test_half_a_state_is_none_and_goes_with_the_next(tmp_path):
    half = tmp_path / "states" / f".step-00000005_{'0' * 32}.tmp"
    half.mkdir(parents=True)
    assert latest_state(half.parent) is None
    train(tmp_path, steps=1)
    assert [path.name for path in half.parent.iterdir()] == ["step-00000001"]


# --- validation -------------------------------------------------------------------------------------------


def test_validation_is_repeated_exactly_and_changes_nothing(tmp_path):
    with_validation, run = train(tmp_path / "with", validate_every=2)
    without, _ = train(tmp_path / "without")
    assert with_validation == without
    rows = list(csv.DictReader((tmp_path / "with" / "validation.csv").open()))
    assert [row["step"] for row in rows] == ["0", "2", "4"]
    # At step 0 LoRA adds nothing, but ID tokens are there already: three identities, three losses.
    assert len({rows[0][name] for name in ("right", "wrong", "nobody")}) == 3


def test_held_out_samples_are_never_trained_on():
    training, held_out = split(SmallPeople(20), 4)
    assert len(held_out) == 4
    assert set(training.indices) | set(held_out.indices) == set(range(20))
    assert not set(training.indices) & set(held_out.indices)


def test_without_samples_there_is_no_run():
    with pytest.raises(TrainingStoppedError, match="no sample that can be trained on"):
        split(SmallPeople(0), 4)
