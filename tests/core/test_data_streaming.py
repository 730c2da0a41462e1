"""Shards are read portrait by portrait: nothing of the set is held, and no byte is read that is not needed."""

import hashlib
import tarfile
import tracemalloc

import numpy as np
import pytest
import torch
from portrait_data import photo, quick_steps
from small_training import SmallModels, small_config, small_modules

from consistentid_core.data import shard_store
from consistentid_core.data.portrait import to_png
from consistentid_core.data.reading import open_portraits
from consistentid_core.data.rows import first_row
from consistentid_core.data.shard_store import ShardStore
from consistentid_core.errors import CheckpointError
from consistentid_core.training.trainer import Trainer


def make(root, shards, rows):
    """A set of so many shards with so many portraits each."""
    store, number = ShardStore(root), 0
    for _ in range(shards):
        batch = []
        for _ in range(rows):
            picture = photo(0, 80, 100).copy()
            picture[0, 0] = number % 256, number // 256, 0
            data = to_png(picture)
            row = first_row(hashlib.sha256(data).hexdigest()[:32], "", f"{number}.png", len(data), 0)
            batch.append(quick_steps(row | {"data": data, "suffix": ".png", "width": 80, "height": 100}))
            number += 1
        store.store(batch)
    store.finish()
    return root


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return make(tmp_path_factory.mktemp("many"), 70, 3)


@pytest.fixture
def reads(monkeypatch):
    """Every read of a portrait: file, first byte, last byte; and every listing of a tar."""
    spans, listed = [], []
    read, opened = shard_store._read_span, tarfile.open

    def noted(path, start, stop):
        spans.append((path, start, stop))
        return read(path, start, stop)

    monkeypatch.setattr(shard_store, "_read_span", noted)
    monkeypatch.setattr(
        shard_store.tarfile, "open", lambda *args, **more: listed.append(args) or opened(*args, **more)
    )
    return spans, listed


def test_in_any_order_a_shard_is_listed_once_and_a_portrait_is_one_read(many, reads):
    spans, listed = reads
    portraits = open_portraits(many)
    order = np.random.default_rng(0).permutation(len(portraits))
    keys = {int(number): portraits[int(number)].key for number in (*order, *order[::-1])}
    assert len(set(keys.values())) == len(portraits) == 210
    assert len(listed) == 70
    assert len(spans) == 2 * 210
    for path, start, stop in spans:
        assert stop - start < path.stat().st_size / 2


def test_nothing_but_the_portraits_own_bytes_is_read(many, reads, tmp_path):
    spans, _ = reads
    portraits = open_portraits(make(tmp_path / "set", 1, 3))
    whole = portraits[1]
    ((path, start, stop),) = spans
    data = path.read_bytes()
    path.write_bytes(b"\xff" * start + data[start:stop] + b"\xff" * (len(data) - stop))
    again = portraits[1]
    assert again.key == whole.key
    assert np.array_equal(again.picture, whole.picture)
    assert np.array_equal(again.id_vector, whole.id_vector)
    with pytest.raises(CheckpointError, match="Portrait 1 of shard .* cannot be read"):
        portraits[0]


def test_memory_does_not_grow_with_what_was_read(many):
    portraits = open_portraits(many)
    for number in range(len(portraits)):
        portraits[number]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(len(portraits)):
            portraits[number]
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    decoded = sum(portraits[number].picture.nbytes for number in range(len(portraits)))
    assert peak - before < decoded / 10
    assert after - before < decoded / 20
    assert sum(places.nbytes for places in portraits._places.values()) == 64 * len(portraits)


def test_training_reads_a_sharded_set_in_its_order_and_goes_on_exactly(many, tmp_path, reads):
    """Each epoch every portrait once, in an order of its own; stopped anywhere, the rest follows."""
    spans, _ = reads

    def train(folder, steps, stop_at=None):
        frozen, losses = SmallModels(), {}
        run = Trainer(
            small_config(steps=steps, batch_size=4, validation_samples=0), frozen, open_portraits(many),
            small_modules(frozen), folder=folder, on_step=lambda step, values: losses.update({step: values["loss"]}),
            should_stop=lambda: stop_at in losses,
        )  # fmt: skip
        with run:
            run.run()
        return losses, dict(run.modules.named_parameters())

    whole, weights = train(tmp_path / "whole", 6)
    assert len(set(spans)) == len(spans) == 24
    first, _ = train(tmp_path / "cut", 6, stop_at=2)
    second, again = train(tmp_path / "cut", 6)
    assert {**first, **second} == whole
    assert [name for name in weights if not torch.equal(weights[name], again[name])] == []


def test_a_shard_that_is_no_tar_is_named(tmp_path):
    root = make(tmp_path / "set", 1, 2)
    (tar,) = (root / "shards").glob("*.tar")
    tar.write_bytes(b"\xff" * tar.stat().st_size)
    with pytest.raises(CheckpointError, match=f"Shard '{tar.name}' cannot be read"):
        open_portraits(root)[0]


def test_an_index_leads_to_no_file_outside_its_set(tmp_path):
    root = make(tmp_path / "set", 1, 2)
    (tar,) = (root / "shards").glob("*.tar")
    (tmp_path / tar.name).write_bytes(b"\xff" * tar.stat().st_size)
    index = (root / "index.json").read_text()
    (root / "index.json").write_text(index.replace(tar.name, f"../../{tar.name}"))
    assert open_portraits(root)[0].key == tar_keys(tar)[0]


def tar_keys(path):
    with tarfile.open(path) as tar:
        return [name.partition(".")[0] for name in tar.getnames()]
