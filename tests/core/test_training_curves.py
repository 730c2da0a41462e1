"""The curves of a run, in CSV and in TensorBoard: complete, and without a row twice after an interruption."""

import contextlib
import csv

import numpy as np
import torch
from PIL import Image
from small_training import SmallModels, SmallPeople, small_config, small_modules
from tensorboard.backend.event_processing.event_accumulator import IMAGES, SCALARS, EventAccumulator

from consistentid_core.training.trainer import STEP_COLUMNS, Trainer
from consistentid_core.training.validation import COLUMNS


class Killed(BaseException):
    """As if the process had ended here."""


def train(folder, *, kill_at=None, **settings):
    frozen = SmallModels()

    def on_step(step, values):
        if step == kill_at:
            raise Killed

    def draw(groups, portrait, prompt, *, seed, steps, size):
        return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(seed))

    config = small_config(
        **{
            "steps": 6, "save_every": 3, "validate_every": 2, "sample_every": 3, "sample_prompts": ["a person"],
            "tensorboard": True, **settings,
        }
    )  # fmt: skip
    run = Trainer(
        config,
        frozen,
        SmallPeople(12),
        small_modules(frozen),
        folder=folder,
        on_step=on_step,
        draw_sample=draw,
    )
    with run:
        run.run()


def read_back(folder):
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={SCALARS: 0, IMAGES: 0})
    events.Reload()
    return events


def rows(folder, table):
    return list(csv.DictReader((folder / f"{table}.csv").open()))


def test_tensorboard_has_the_curves_of_the_tables_and_the_pictures(tmp_path):
    train(tmp_path)
    events = read_back(tmp_path)
    wanted = {"steps": STEP_COLUMNS, "validation": COLUMNS}
    assert set(events.Tags()["scalars"]) == {f"{table}/{name}" for table in wanted for name in wanted[table]}
    for table in wanted:
        for name in wanted[table]:
            found = {one.step: one.value for one in events.Scalars(f"{table}/{name}")}
            expected = {int(row["step"]): np.float32(row[name]) for row in rows(tmp_path, table)}
            assert found == expected, (table, name)
    assert set(events.Tags()["images"]) == {
        f"pictures/{kind}" for kind in ("sample-1-1", "sample-2-1", "attention-1", "attention-2")
    }
    for tag, name in (("pictures/sample-2-1", "sample-2-1"), ("pictures/attention-1", "attention-1")):
        shown = events.Images(tag)
        assert [one.step for one in shown] == [0, 3, 6]
        with Image.open(tmp_path / "pictures" / "step-00000003" / f"{name}.png") as picture:
            assert (shown[1].width, shown[1].height) == picture.size


def test_after_an_interruption_no_step_is_there_twice_and_none_is_missing(tmp_path):
    train(tmp_path / "whole")
    with contextlib.suppress(Killed):
        train(tmp_path / "cut", kill_at=5)
    train(tmp_path / "cut")
    for table, steps in (("steps", range(1, 7)), ("validation", (0, 2, 4, 6))):
        whole, cut = rows(tmp_path / "whole", table), rows(tmp_path / "cut", table)
        assert [int(row["step"]) for row in cut] == list(steps)
        for one, other in zip(whole, cut, strict=True):
            assert {k: v for k, v in one.items() if k != "seconds"} == {
                k: v for k, v in other.items() if k != "seconds"
            }
    events = read_back(tmp_path / "cut")
    assert [one.step for one in events.Scalars("steps/loss")] == [1, 2, 3, 4, 5, 6]
    assert [one.step for one in events.Scalars("validation/right")] == [0, 2, 4, 6]
    assert [one.step for one in events.Images("pictures/sample-1-1")] == [0, 3, 6]


def test_a_run_that_ended_before_its_first_state_begins_its_curves_anew(tmp_path):
    with contextlib.suppress(Killed):
        train(tmp_path, kill_at=2)
    train(tmp_path)
    assert [int(row["step"]) for row in rows(tmp_path, "validation")] == [0, 2, 4, 6]
    assert [int(row["step"]) for row in rows(tmp_path, "steps")] == [1, 2, 3, 4, 5, 6]
    events = read_back(tmp_path)
    assert [one.step for one in events.Scalars("validation/right")] == [0, 2, 4, 6]
    assert [one.step for one in events.Images("pictures/attention-1")] == [0, 3, 6]


def test_half_a_row_of_a_full_disk_is_gone_when_the_run_goes_on(tmp_path):
    train(tmp_path, tensorboard=False)
    table = tmp_path / "steps.csv"
    with table.open("a") as file:
        file.write("5")  # of what would have been row 50
    train(tmp_path, tensorboard=False)
    assert [one["step"] for one in rows(tmp_path, "steps")] == [str(step) for step in range(1, 7)]
