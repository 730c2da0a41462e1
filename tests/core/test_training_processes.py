"""Two processes with half a batch each train what one process trains with the whole; from shards."""

import os
import sys
from pathlib import Path

import pytest
import torch
from small_training import SecondOfTwo, SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.data.portrait import to_png
from consistentid_core.data.reading import open_portraits
from consistentid_core.data.rows import first_row
from consistentid_core.data.shard_store import ShardStore
from consistentid_core.training.processes import DistributedProcesses
from consistentid_core.training.state import SaveError, latest_state
from consistentid_core.training.trainer import Trainer

STEPS = 3


def draw(groups, portrait, prompt, *, seed, steps, size):
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(seed))


def as_shards(root):
    """People in three shards."""
    store, people = ShardStore(root), SmallPeople(12)
    for start in range(0, len(people), 4):
        rows = []
        for number in range(start, start + 4):
            one = people[number]
            row = first_row(f"{number:032x}", "", f"{number}.png", 1, 0)
            rows.append(
                row | {
                    "data": to_png(one.picture), "suffix": ".png", "label_map": to_png(one.label_map),
                    "id_original": one.id_original.tobytes(), "id_resized": b"", "caption": one.general_caption,
                    "face_caption": one.face_caption,
                }
            )  # fmt: skip
        store.store(rows)
    store.finish()


def run(folder, samples, processes=None, **settings):
    """One process has no cache and reads everything in its turn; two have a cache and read ahead."""
    frozen = SmallModels()
    # Half of the samples lose their words, so that now and then one process has none at all.
    config = small_config(
        steps=STEPS, drop_probability=0.5, validate_every=STEPS, sample_every=STEPS, **settings
    )
    losses = []
    trainer = Trainer(
        config, frozen, open_portraits(samples), small_modules(frozen), folder=Path(folder), processes=processes,
        on_step=lambda step, values: losses.append(values["loss"]), draw_sample=draw,
    )  # fmt: skip
    with trainer:
        trainer.run()
    return losses


def work(rank, paths, folder, samples, store):
    sys.path[:0] = paths
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    processes = DistributedProcesses(torch.device("cpu"))
    losses = run(folder, samples, processes, batch_size=1, cache_gigabytes=1)
    torch.save(losses, f"{folder}/losses-{rank}.pt")
    # A disk that is full for the first process must not leave the other one waiting.
    trouble = processes.any(rank == 0)
    assert trouble
    assert not processes.any(False)
    processes.leave()
    assert not torch.distributed.is_initialized()
    # Everything is done and written. The threads of PyTorch's gloo can abort a process whose interpreter is being torn
    # down (pytorch/pytorch, pull request 179291), on a busy machine now and then: it is not torn down.
    os._exit(0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    store = tmp_path_factory.mktemp("store") / "file"
    samples = tmp_path_factory.mktemp("set")
    as_shards(samples)
    torch.multiprocessing.spawn(work, (sys.path, str(two), str(samples), str(store)), nprocs=2)
    return run(one, samples, batch_size=2, prefetch=False), one, two


def test_losses_are_those_of_one_process(folders):
    expected, _, two = folders
    for rank in (0, 1):
        assert torch.load(two / f"losses-{rank}.pt") == pytest.approx(expected, rel=1e-5)


def test_weights_are_those_of_one_process(folders):
    _, *both = folders
    one, two = (latest_state(folder / "states") for folder in both)
    assert one.step == two.step == STEPS
    # AdamW divides a gradient by its own size: of one near zero, added up in another order, few digits are left.
    part_of_a_step = 0.05 * small_config().learning_rate
    for group, tensors in one.groups.items():
        for key, tensor in tensors.items():
            torch.testing.assert_close(
                two.groups[group][key], tensor, rtol=1e-3, atol=part_of_a_step, msg=key
            )


def test_validation_is_that_of_one_process(folders):
    _, *both = folders
    one, two = ((folder / "validation.csv").read_text().splitlines() for folder in both)
    assert len(one) == len(two) == 3  # heading, step 0, last step
    for row, other in zip(one[1:], two[1:], strict=True):
        assert [float(x) for x in other.split(",")] == pytest.approx(
            [float(x) for x in row.split(",")], rel=1e-2
        )


def test_two_processes_share_one_cache(folders):
    *_, two = folders
    kept = [path for path in (two / "cache").rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".safetensors"}
    assert {path.relative_to(two / "cache").parts[0].split("-")[0] for path in kept} == {
        "latents",
        "clip",
        "texts",
    }


def test_pictures_are_drawn_once_while_the_others_wait(folders):
    _, *both = folders
    one, two = (sorted(path.name for path in (folder / "pictures").rglob("*.png")) for folder in both)
    assert one == two
    assert len(one) == 2 + 2 * (4 + 2)  # portraits; at the first and the last step, samples and maps


def test_the_state_of_two_processes_is_gone_on_with_by_one(folders):
    *_, two = folders
    frozen = SmallModels()
    config = small_config(steps=STEPS, drop_probability=0.5, validate_every=STEPS, batch_size=2)
    trainer = Trainer(config, frozen, SmallPeople(12), small_modules(frozen), folder=two)
    assert trainer.step == STEPS


def test_a_process_learns_that_another_could_not_save(tmp_path):
    frozen = SmallModels()
    modules = small_modules(frozen)
    second = SecondOfTwo(answer=True)  # the first one's disk is full
    trainer = Trainer(small_config(), frozen, SmallPeople(12), modules, folder=tmp_path, processes=second)
    with pytest.raises(SaveError, match="the first process says why"):
        trainer.save()
