"""Caches of what the frozen encoders say: not a bit changes, nothing is computed twice, nothing damaged is used."""

import multiprocessing
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_training import SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.training.cache import FeatureCache, content_key
from consistentid_core.training.encoders import CachedModels
from consistentid_core.training.trainer import Trainer


class CountingModels(SmallModels):
    """Counts what goes through each encoder."""

    def __init__(self):
        super().__init__()
        self.pictures = self.texts = 0

    def encode_pictures(self, pixels):
        self.pictures += len(pixels)
        return super().encode_pictures(pixels)

    def encode_texts(self, texts):
        self.texts += len(texts)
        return super().encode_texts(texts)

    @property
    def counts(self):
        return self.pictures, self.clip_pictures, self.texts


def train(folder, frozen=None, people=None, **settings):
    frozen = frozen or CountingModels()
    config = small_config(**{"steps": 8, "cache_gigabytes": 1, "drop_probability": 0.3, **settings})
    losses = []
    run = Trainer(
        config, frozen, people or SmallPeople(12), small_modules(frozen), folder=folder,
        on_step=lambda step, values: losses.append(values["loss"]),
    )  # fmt: skip
    with run:
        run.run()
    return losses, dict(run.modules.named_parameters()), frozen


def assert_same(one, other):
    assert one[0] == other[0]
    assert [name for name in one[1] if not torch.equal(one[1][name], other[1][name])] == []


def entries(folder):
    return sorted((folder / "cache").rglob("*.safetensors"))


# --- runs -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(tmp_path_factory.mktemp("plain"), cache_gigabytes=0, prefetch=False)


def test_a_run_has_the_same_bits_without_a_cache_with_a_new_and_with_a_full_one(tmp_path, plain):
    shared = {"cache": str(tmp_path / "cache")}
    new = train(tmp_path / "new", **shared)
    again = train(tmp_path / "again", **shared)
    assert_same(new, plain)
    assert_same(again, plain)
    # All that a full cache still asks: who the encoders are, and the zero image.
    assert again[2].counts == (1, 2, 1)
    assert new[2].counts[0] == 10 + 1


def test_preparing_the_next_batch_changes_no_bit(tmp_path, plain):
    assert_same(train(tmp_path, cache_gigabytes=0, prefetch=True), plain)


def test_a_dropped_sample_reads_another_text_and_the_same_picture(tmp_path):
    """The cache goes by what is read and not by the portrait, so that a drop cannot get the wrong features."""
    shared = {"cache": str(tmp_path / "cache"), "steps": 12}
    dropped = train(tmp_path / "one", drop_probability=1, **shared)
    kept = train(tmp_path / "two", drop_probability=0, **shared)
    for found, probability in ((dropped, 1), (kept, 0)):
        alone = train(
            tmp_path / f"alone {probability}", drop_probability=probability, steps=12, cache_gigabytes=0
        )
        assert_same(found, alone)
    assert kept[2].pictures == 1  # of the probe: the squares were there
    assert kept[2].texts == 10 + 1


class OblongPeople(SmallPeople):
    """Portraits twice as high as wide."""

    def __getitem__(self, index):
        from dataclasses import replace

        import numpy as np

        portrait = super().__getitem__(index)
        return replace(
            portrait,
            picture=np.repeat(portrait.picture, 2, 0) // 2 + np.arange(128, dtype=np.uint8)[:, None, None],
        )


def test_with_random_crops_the_latents_are_left_out_and_the_rest_is_exact(tmp_path):
    people = OblongPeople(12)
    plain = train(tmp_path / "plain", people=people, crop="random", cache_gigabytes=0)
    cached = train(tmp_path / "cached", people=people, crop="random")
    assert_same(cached, plain)
    assert {path.parts[-3].split("-")[0] for path in entries(tmp_path / "cached")} == {"clip", "texts"}
    centred = train(tmp_path / "centred", people=people, crop="centre", cache_gigabytes=0)
    assert centred[0] != plain[0]


def test_damaged_entries_are_named_and_computed_again(tmp_path, plain, caplog):
    shared = {"cache": str(tmp_path / "cache")}
    train(tmp_path / "first", **shared)
    cut, changed, moved, other = entries(tmp_path)[:4]
    cut.write_bytes(cut.read_bytes()[:-5])
    data = bytearray(changed.read_bytes())
    data[-3] ^= 1
    changed.write_bytes(data)
    moved.write_bytes(other.read_bytes())
    other.write_bytes(b"")
    broken = (cut, changed, moved, other)
    assert_same(train(tmp_path / "second", **shared), plain)
    assert [str(path) in caplog.text for path in broken] == [True] * 4
    caplog.clear()
    assert_same(train(tmp_path / "third", **shared), plain)
    assert "damaged" not in caplog.text


class OtherModels(CountingModels):
    """Another CLIP vision model, by one weight."""

    def __init__(self):
        super().__init__()
        self._clip[0, 0] += 1e-3


def test_another_model_does_not_get_the_features_of_this_one(tmp_path):
    shared = {"cache": str(tmp_path / "cache")}
    train(tmp_path / "one", **shared)
    other = train(tmp_path / "two", OtherModels(), **shared)
    assert_same(other, train(tmp_path / "alone", OtherModels(), cache_gigabytes=0))
    assert other[2].pictures == other[2].texts == 1  # its VAE and text encoder are the same
    assert len(list((tmp_path / "cache").glob("clip-*"))) == 2


def test_a_cache_is_bounded(tmp_path, plain, caplog):
    limit = 40_000
    found = train(tmp_path, cache_gigabytes=limit / (1 << 30))
    assert_same(found, plain)
    size = sum(path.stat().st_size for path in entries(tmp_path))
    assert 0.5 * limit < size <= limit
    assert caplog.text.count("is full; what is not in it is computed each time") == 1
    # What is there counts: a second run adds nothing.
    train(tmp_path / "two", cache=str(tmp_path / "cache"), cache_gigabytes=limit / (1 << 30))
    assert sum(path.stat().st_size for path in entries(tmp_path)) <= limit


def fill(paths, folder, rank):
    sys.path[:0] = paths
    cache = FeatureCache(Path(folder), 1 << 20, shares=2)
    for number in range(40):
        cache.put("texts-x", content_key(str(number)), {"rows": torch.full((100,), number / 3)})
        cache.get("texts-x", content_key(str((number * 7) % 40)))


def test_two_processes_fill_one_cache(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=fill, args=(sys.path, str(tmp_path), rank)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    cache = FeatureCache(tmp_path, 1 << 20)
    for number in range(40):
        found = cache.get("texts-x", content_key(str(number)))
        assert torch.equal(found["rows"], torch.full((100,), number / 3))
    assert all(path.suffix == ".safetensors" for path in tmp_path.rglob("*") if path.is_file())


# --- entries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensor", "kept"),
    [
        (torch.randn(50, generator=torch.Generator().manual_seed(1)), torch.float32),
        (torch.randn(50, generator=torch.Generator().manual_seed(1)).half().float(), torch.float16),
        (
            torch.randn(50, generator=torch.Generator().manual_seed(1)).bfloat16().float() * 1e30,
            torch.float32,
        ),
        ((torch.arange(50) * 2.0**100).bfloat16().float(), torch.bfloat16),
        (torch.tensor([float("nan"), 1.0]), torch.float32),
        (torch.tensor([1, 0, 76]), torch.int64),
        (torch.tensor([True, False]), torch.bool),
    ],
)
def test_values_come_back_to_the_bit_in_as_few_bytes_as_hold_them(tmp_path, tensor, kept):
    cache = FeatureCache(tmp_path, 1 << 20)
    cache.put("kind-x", "ab12", {"one": tensor})
    found = cache.get("kind-x", "ab12")["one"]
    assert found.dtype == tensor.dtype
    assert torch.equal(found.view(torch.uint8), tensor.view(torch.uint8))
    assert load_file(tmp_path / "kind-x" / "ab" / "ab12.safetensors")["one"].dtype == kept


def test_keys_tell_contents_apart():
    one = torch.zeros(4)
    keys = [
        content_key(one), content_key(one.view(2, 2)), content_key(one.double()), content_key(one + 1),
        content_key("a"), content_key("a", "b"), content_key("ab"), content_key(one, one),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert content_key(one.clone()) == keys[0]


def test_a_disk_that_takes_no_more_is_named_and_training_goes_on(tmp_path, plain, caplog, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("consistentid_core.training.cache.write_whole", full)
    assert_same(train(tmp_path, steps=8), plain)
    assert caplog.text.count("takes no more") == 1


def test_texts_and_tokens_are_not_read_by_two_threads_at_a_time():
    class Busy(SmallModels):
        is_busy = False

        def encode_texts(self, texts):
            assert not Busy.is_busy
            Busy.is_busy = True
            found = super().encode_texts(texts)
            Busy.is_busy = False
            return found

        def count_tokens(self, text):
            assert not Busy.is_busy
            return super().count_tokens(text)

    from concurrent.futures import ThreadPoolExecutor

    models = CachedModels(Busy())
    with ThreadPoolExecutor(2) as pool:
        counted = [pool.submit(models.count_tokens, "a face " * 30) for _ in range(50)]
        for _ in range(50):
            models.encode_texts(["a nose " * 30])
        assert {one.result() for one in counted} == {62}
