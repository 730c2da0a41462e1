"""Where the facial words look: the numbers of the curves, and the pictures of a run."""

import csv

import numpy as np
import pytest
import torch
from small_training import SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.regions import REGION_NAMES, REGIONS, region_named
from consistentid_core.training.attention import Columns, captured_layers
from consistentid_core.training.attention_maps import (
    ATTENTION_COLUMNS,
    WordAttention,
    region_attention,
    words_of,
)
from consistentid_core.training.hooks import Hooks
from consistentid_core.training.map_picture import draw_maps
from consistentid_core.training.processes import OneProcess
from consistentid_core.training.trainer import Trainer


def run(folder, **settings):
    frozen = SmallModels()
    trainer = Trainer(
        small_config(**{"steps": 2, **settings}), frozen, SmallPeople(12), small_modules(frozen), folder=folder
    )  # fmt: skip
    with trainer:
        trainer.run()
    return trainer


class SeeingAttention:
    """Attention that is three times as strong on the nose as elsewhere, and even for the other words."""

    def __init__(self, layers):
        self.layers = layers

    def call(self, *, id_tokens, facial):
        from contextlib import nullcontext

        indices, valid = facial
        columns = {}
        for layer, side in zip(self.layers, (4, 8, 8), strict=False):
            maps = torch.ones(len(indices), 2, side, side, 5)
            maps[:, :, side // 2, side // 2, 3] = 3.0
            columns[layer] = Columns(0.01 * maps.flatten(2, 3), valid)
        return nullcontext(columns)


def looking(people, **settings):
    frozen = SmallModels()
    config = small_config(batch_size=3, **settings)
    layers = captured_layers(frozen.layers, "cross")[:3]
    return words_of(
        people, range(len(people)), small_modules(frozen), SeeingAttention(layers), frozen, config
    )


def test_numbers_are_attention_inside_over_outside():
    for item, words in looking(SmallPeople(4)):
        assert set(words) == set(REGION_NAMES)
        slot = [REGION_NAMES[1:2], item.parts].pop().index("Nose")
        assert slot == 3
        for region, word in words.items():
            expected = pytest.approx(1, abs=1e-4)
            if region != "nose":
                assert word.ratio == expected
                assert word.map.shape == (8, 8)
        # The nose covers (32..40, 28..36) of 64: of the places named above a quarter lies inside at 8 x 8.
        assert words["nose"].ratio > 1.2
        assert words["nose"].inside > words["nose"].outside


def test_a_word_that_is_not_in_the_text_is_missing():
    for _, words in looking(SmallPeople(2), regions=["face", "nose"]):
        assert set(words) == {"face", "nose"}


def test_two_processes_find_what_one_does():
    frozen, people, config = SmallModels(), SmallPeople(5), small_config()
    modules, layers = small_modules(frozen), captured_layers(frozen.layers, "cross")[:3]

    class Part:
        world = 2

        def __init__(self, rank):
            self.rank, self.sums = rank, None

        def add_up(self, tensors):
            self.sums = tensors[0].clone()

    args = (people, modules, SeeingAttention(layers), frozen, config)
    parts = [Part(0), Part(1)]
    for part in parts:
        region_attention(*args, part)
    inside, outside = (parts[0].sums + parts[1].sums).tolist()
    whole = region_attention(*args, OneProcess())
    assert list(whole) == list(ATTENTION_COLUMNS)
    for number, value in enumerate(whole.values()):
        assert value == pytest.approx(inside[number] / outside[number])


@pytest.mark.parametrize("localisation", ["paper", "original_code", "off"])
def test_cross_attention_is_looked_at_whatever_is_trained(tmp_path, localisation):
    run(tmp_path, localisation=localisation, validate_every=1)
    rows = list(csv.DictReader((tmp_path / "validation.csv").open()))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    for row in rows:
        for column in ATTENTION_COLUMNS:
            assert 0 < float(row[column]) < 100


def test_a_region_that_no_text_has_stays_empty(tmp_path):
    run(tmp_path, regions=["nose"], validate_every=2)
    row = next(csv.DictReader((tmp_path / "validation.csv").open()))
    assert [column for column in ATTENTION_COLUMNS if row[column]] == ["attention_nose"]


def test_looking_leaves_the_hooks_as_they_were():
    frozen, config = SmallModels(), small_config()
    modules = small_modules(frozen)
    hooks = Hooks(config, frozen, modules, recomputed=lambda: pytest.fail("not configured"))

    def count():
        return sum(len(one._forward_hooks) for one in frozen.unet_module.modules())

    hooks.put_on()
    before = count()
    assert before
    with hooks.off():
        assert count() == 0
        with pytest.raises(RuntimeError, match="inside its 'with' block"):
            _ = hooks.attention
    with pytest.raises(ZeroDivisionError), hooks.capturing([1]):
        assert count() == before
        raise ZeroDivisionError
    assert count() == before
    hooks.take_off()
    assert count() == 0


def test_a_run_writes_maps_without_a_way_to_draw_samples(tmp_path):
    run(tmp_path, sample_every=1)
    folder = tmp_path / "pictures"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == sorted(
        [
            *(f"portraits/{number}.png" for number in (1, 2)),
            *(f"step-{step:08d}/attention-{number}.png" for step in range(3) for number in (1, 2)),
        ]
    )
    page = (folder / "index.html").read_text()
    assert "<h2>Samples</h2>" not in page
    assert page.split("<h2>Attention</h2>")[1].count("<tr>") == 1 + 3


def test_maps_change_nothing_of_the_run(tmp_path):
    with_maps, without = run(tmp_path / "with", sample_every=1), run(tmp_path / "without")
    others = dict(without.modules.named_parameters())
    for name, one in with_maps.modules.named_parameters():
        assert torch.equal(one, others[name]), name


def test_a_map_shines_in_its_colour_where_the_word_looks_and_the_part_has_an_outline():
    item, _ = looking(SmallPeople(1))[0]
    words = {
        region.name: WordAttention(torch.zeros(8, 8).index_fill_(0, torch.tensor([0]), 1.0), 0.2, 0.1)
        for region in REGIONS[:-1]
    }
    sheet = np.asarray(draw_maps(item, words, "step 1", "held out")).astype(int)
    for number, region in enumerate(REGIONS[:-1], 1):
        left, top = 12 + number * 268, 44
        tile = sheet[top : top + 256, left : left + 256]
        colour = np.array(region_named(region.name).colour)
        # The first row of the map is the strongest: near the region's own colour, moved towards white.
        shining = tile[4, 20]
        wanted = colour + (255 - colour) * 0.35
        assert np.abs(shining - wanted).max() < 45, region.name
        assert tile[200].max() < 200 or region.name == "face"
    nose = sheet[44 : 44 + 256, 12 + 4 * 268 : 12 + 4 * 268 + 256]
    # The nose ends at 28/64 on the left: the line lies just outside, and inside is none.
    assert nose[36 * 4, 28 * 4 - 2].min() > 150
    assert nose[36 * 4, 32 * 4].min() < 150
    mouth = sheet[44 : 44 + 256, 12 + 5 * 268 : 12 + 5 * 268 + 256]
    assert (mouth.max(2) - mouth.min(2)).max() < 110  # no word: the portrait, nearly grey


def test_what_the_portrait_is_to_the_run_stands_below_it():
    item, words = looking(SmallPeople(1))[0]
    sheets = [
        np.asarray(draw_maps(item, words, "step 1", who)) for who in ("held out", "trained on", "held out")
    ]
    below = (slice(44 + 256, None), slice(0, 12 + 268))
    assert not np.array_equal(sheets[0][below], sheets[1][below])
    assert np.array_equal(sheets[0], sheets[2])
