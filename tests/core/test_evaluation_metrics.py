"""Intervals, distances between sets, and the small metrics: by hand, and against the libraries they stand for."""

import math
import tracemalloc

import numpy as np
import pytest
import torch

from consistentid_core.evaluation.intervals import estimate, estimate_median, paired_test
from consistentid_core.evaluation.levels import ITSELF, NO_IDENTITY, levels_of
from consistentid_core.evaluation.metrics.detection import detection, face_share
from consistentid_core.evaluation.metrics.distribution import fid, kid
from consistentid_core.evaluation.metrics.diversity import pairs_to_compare
from consistentid_core.evaluation.metrics.embedding import clip_t, cosine_pairs
from consistentid_core.evaluation.metrics.null_levels import OTHER_PERSON, SAME_PERSON
from consistentid_core.evaluation.metrics.speed import seconds_by_phase

NAN = np.nan
RANDOM = np.random.default_rng(1)


# ---------------------------------------------------------------- intervals


def test_gaps_are_left_out_and_counted():
    found = estimate(np.array([1.0, NAN, 3.0, 2.0]))
    assert (found.n, found.mean) == (3, 2.0)
    assert found.low < 2.0 < found.high


@pytest.mark.parametrize("size", [0, 1])
def test_too_few_values_have_no_interval(size):
    found = estimate(np.full(size, 0.5))
    assert found.n == size and math.isnan(found.low) and math.isnan(found.high)
    assert math.isnan(found.mean) == (size == 0)


def test_values_that_are_all_alike_have_an_interval_of_no_width():
    assert estimate(np.full(9, 0.3)).low == estimate(np.full(9, 0.3)).high == pytest.approx(0.3)


def test_the_same_values_give_the_same_interval():
    values = RANDOM.normal(size=40)
    assert estimate(values) == estimate(values.copy())


def covered(make, count=200):
    """How often the interval holds the true mean, 0."""
    hits = 0
    for _ in range(count):
        values, groups = make()
        found = estimate(values, groups)
        hits += found.low <= 0.0 <= found.high
    return hits / count


def test_intervals_of_95_percent_cover_about_as_often():
    assert 0.88 <= covered(lambda: (RANDOM.normal(size=40), None)) <= 0.99


def test_pictures_of_one_person_resemble_each_other_and_the_interval_knows():
    people = np.repeat(np.arange(15), 20)

    def make(known):
        values = RANDOM.normal(size=15)[people] + 0.3 * RANDOM.normal(size=len(people))
        return values, list(people) if known else None

    assert covered(lambda: make(True)) >= 0.85
    assert covered(lambda: make(False)) <= 0.6  # pictures alone pretend to know far more


def test_few_people_are_not_resampled():
    values = RANDOM.normal(size=40)
    assert estimate(values, ["a", "b"] * 20).groups == 0
    assert estimate(values, ["a", "b", "c", "d", "e"] * 8).groups == 5


def test_people_with_more_pictures_count_more_as_in_the_mean():
    values = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    assert estimate(values, ["a", "a", "a", "b", "c", "d", "e"]).mean == pytest.approx(3 / 7)


def test_a_median_has_its_interval():
    found = estimate_median(np.array([1.0, 2.0, 3.0, 4.0, 100.0, NAN]))
    assert (found.n, found.mean) == (5, 3.0)
    assert 1.0 <= found.low <= 3.0 <= found.high <= 100.0
    assert estimate_median(np.array([NAN])).n == 0


def test_a_median_s_interval_knows_people_too():
    """Fifteen people with twenty pictures each that are nearly the same."""
    people = np.repeat(np.arange(15), 20)

    def covers(known):
        values = RANDOM.normal(size=15)[people] + 0.1 * RANDOM.normal(size=len(people))
        found = estimate_median(values, list(people) if known else None)
        assert found.groups == (15 if known else 0) and found.mean == np.median(values)
        return found.low <= 0.0 <= found.high

    assert np.mean([covers(True) for _ in range(60)]) >= 0.85
    assert np.mean([covers(False) for _ in range(60)]) <= 0.6


def test_many_pictures_take_no_more_memory_than_a_few_of_them_at_once():
    values = RANDOM.normal(size=20_000)
    tracemalloc.start()
    estimate_median(values)
    found = estimate(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.low < values.mean() < found.high and peak < 300e6


def test_a_paired_difference_is_tested_by_its_pairs():
    a = RANDOM.normal(size=30)
    found, chance = paired_test(a, a + 0.2 + 0.02 * RANDOM.normal(size=30))
    assert found.mean == pytest.approx(0.2, abs=0.02) and chance < 0.001
    _, nothing = paired_test(a, a + RANDOM.normal(size=30))
    assert nothing > 0.01
    assert paired_test(a, a)[1] == 1.0
    assert math.isnan(paired_test(np.array([1.0, NAN]), np.array([2.0, 3.0]))[1])


def test_a_small_sign_flip_test_is_exact():
    # Of the 8 ways to choose signs of (1, 2, 3), two reach a mean of 2 in size.
    assert paired_test(np.zeros(3), np.array([1.0, 2.0, 3.0]))[1] == pytest.approx(2 / 8)


# ---------------------------------------------------------------- sets


def through(size):
    network = torch.nn.Identity()
    network.num_features = size
    return network


@pytest.mark.parametrize(("drawn", "photos", "width"), [(12, 9, 32), (40, 50, 8)])
def test_fid_is_torchmetrics_number(drawn, photos, width):
    from torchmetrics.image.fid import FrechetInceptionDistance

    a, b = RANDOM.normal(size=(drawn, width)), 0.5 + 2 * RANDOM.normal(size=(photos, width))
    metric = FrechetInceptionDistance(feature=through(width)).set_dtype(torch.float64)
    metric.update(torch.from_numpy(b), real=True)
    metric.update(torch.from_numpy(a), real=False)
    assert fid(a, b).value == pytest.approx(float(metric.compute()), rel=1e-3)


def test_fid_of_two_lines_by_hand():
    # Means 1 and 4, variances 2 and 8: (4 - 1)^2 + 2 + 8 - 2 sqrt(16).
    a, b = np.array([[0.0], [2.0]]), np.array([[2.0], [6.0]])
    assert fid(a, b).value == pytest.approx(9 + 2 + 8 - 2 * 4)
    assert fid(a, a).value == pytest.approx(0, abs=1e-9)
    assert fid(a, b).is_small


def test_kid_by_hand():
    # The kernel is (x y / 1 + 1)^3; without the diagonals: 1·1, 8·1 and the mixed ones.
    photos, drawn = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    kernel = lambda x, y: (x * y + 1) ** 3  # noqa: E731
    mixed = sum(kernel(x, y) for x in (0, 1) for y in (1, 2)) / 4
    expected = kernel(0, 1) + kernel(1, 2) - 2 * mixed
    assert kid(drawn, photos).value == pytest.approx(expected)


def test_kid_of_few_pictures_asks_all_photos():
    """One draw of three photos out of a thousand would say how it was drawn."""
    photos, drawn = RANDOM.normal(size=(1000, 4)), RANDOM.normal(size=(3, 4))
    found = [kid(drawn, photos[order]) for order in (np.arange(1000), np.arange(1000)[::-1])]
    assert all(one.spread > 0 for one in found)
    assert abs(found[0].value - found[1].value) < 3 * found[0].spread / 10 * 2**0.5
    assert math.isnan(kid(drawn, photos[:3]).spread)  # there is nothing to draw


def test_sets_that_cannot_be_compared_are_named():
    with pytest.raises(ValueError, match="two pictures or more each"):
        fid(np.zeros((1, 4)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="two pictures or more each"):
        kid(np.zeros((3, 4)), np.zeros((5, 3)))


# ---------------------------------------------------------------- small ones


def test_clip_t_is_the_cosine_times_100():
    pictures, prompts = np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 1.0], [NAN, NAN]])
    np.testing.assert_allclose(clip_t(pictures, prompts), [100 * 0.5**0.5, NAN])
    with pytest.raises(ValueError, match="twice"):
        cosine_pairs(np.zeros((2, 3)), np.zeros((2, 4)))


def test_detection_counts_the_people_that_are_wanted():
    np.testing.assert_allclose(detection([0, 1, 3, 1], [1, 1, 2, 2]), [0, 1, 1, 0.5])


def test_the_share_of_a_face_ends_at_the_picture():
    assert face_share((10, 10, 30, 60), 100, 100) == pytest.approx(0.1)
    assert face_share((-50, 0, 50, 100), 100, 100) == pytest.approx(0.5)
    assert face_share((120, 120, 130, 130), 100, 100) == 0.0


def test_pairs_are_within_a_person_each_once_and_not_too_many():
    pairs = pairs_to_compare({"a": ["y", "x", "x"], "b": ["z"]})
    assert pairs == [("a", "x", "y")]
    many = {"a": [f"{number:02}" for number in range(40)]}
    assert len(pairs_to_compare(many)) == 100 and pairs_to_compare(many) == pairs_to_compare(many)


def test_times_are_apart_by_phase():
    found = seconds_by_phase([9, 4, 2, 1, 0], ["start", "cold", "warm", "warm", "warm"])
    assert {phase: list(values) for phase, values in found.items()} == {
        "start": [9],
        "cold": [4],
        "warm": [2, 1],
    }


def test_null_levels_are_of_photos_strangers_and_nobody():
    levels = levels_of(lambda a, b: 1 - abs(a - b) / 10, [0.0, 4.0], [[1.0], []], [6.0])
    assert {level.name: round(level.typical, 6) for level in levels} == {
        ITSELF: 1.0,
        SAME_PERSON: 0.9,
        OTHER_PERSON: 0.6,
        NO_IDENTITY: 0.6,
    }
    assert {level.name: level.measured_pairs for level in levels}[NO_IDENTITY] == 2


def test_one_person_alone_has_no_strangers():
    names = [level.name for level in levels_of(lambda a, b: a * b, [1.0], [[]], [])]
    assert names == [ITSELF]
    assert levels_of(lambda a, b: NAN, [1.0, 2.0], [[], []], [1.0]) == []


def test_many_people_are_sampled_the_same_way_every_time():
    people = [float(number) for number in range(100)]
    first, again = (levels_of(lambda a, b: a - b, people, [[] for _ in people], []) for _ in range(2))
    assert first == again
    assert {level.name: level.measured_pairs for level in first}[OTHER_PERSON] == 2000
