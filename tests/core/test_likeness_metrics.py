"""Likeness, ranks, both conventions for a miss, copy-paste, ID-Conf and null levels worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from consistentid_core.evaluation.metrics.copy_paste import copy_paste
from consistentid_core.evaluation.metrics.id_conf import id_conf, match_people
from consistentid_core.evaluation.metrics.likeness import (
    auc,
    best_and_mean,
    likeness,
    mean_both_ways,
    rank_in_gallery,
    top_k_both_ways,
)
from consistentid_core.evaluation.metrics.null_levels import (
    OTHER_PERSON,
    SAME_PERSON,
    level_of_pairs,
    levels_for,
    other_person_level,
    published_levels,
    same_person_level,
)

NAN = np.nan


def at(*degrees):
    """Unit vectors in a plane at these angles."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def test_likeness_is_the_cosine_whatever_the_lengths():
    scores = likeness(at(0, 90) * [[3.0], [0.5]], at(0, 60, 180))
    np.testing.assert_allclose(scores, [[1, 0.5, -1], [0, 3**0.5 / 2, 0]], atol=1e-12)


def test_a_missing_face_is_a_gap_and_nobody_is_refused():
    scores = likeness(np.array([[NAN, NAN], [1.0, 0.0]]), at(0, 60))
    assert np.isnan(scores[0]).all() and scores[1] == pytest.approx([1, 0.5])
    with pytest.raises(ValueError, match="length 0"):
        likeness(np.zeros((1, 2)), at(0))
    with pytest.raises(ValueError, match="one and the same recogniser"):
        likeness(np.ones((1, 2)), np.ones((1, 3)))


def test_best_and_mean_leave_out_photos_without_a_face():
    best, mean = best_and_mean(np.array([[0.2, 0.6, NAN], [NAN, NAN, NAN], [-0.5, -0.1, -0.3]]))
    np.testing.assert_allclose(best, [0.6, NAN, -0.1])
    np.testing.assert_allclose(mean, [0.4, NAN, -0.3])


def test_a_rank_counts_who_is_as_alike_or_more():
    scores = np.array([[0.9, 0.1, 0.2], [0.3, 0.5, 0.4], [0.4, 0.4, 0.1], [NAN, NAN, NAN]])
    assert rank_in_gallery(scores, [0, 0, 0, 0]).tolist()[:3] == [1, 3, 2]
    ranks = rank_in_gallery(scores, [0, 1, 2, 1])
    np.testing.assert_array_equal(ranks, [1, 1, 3, NAN])
    first = top_k_both_ways(ranks, 1)
    assert (first.misses_as_zero, first.misses_dropped) == pytest.approx((2 / 4, 2 / 3))


@pytest.mark.parametrize("right", [[0], [0, 3], [0, -1]], ids=("too few", "beyond", "negative"))
def test_a_right_person_who_is_not_in_the_gallery_is_named(right):
    with pytest.raises(ValueError, match="right person"):
        rank_in_gallery(np.zeros((2, 3)), right)


def test_a_miss_is_counted_both_ways():
    both = mean_both_ways(np.array([0.8, NAN, -0.2, 0.6]))
    assert both.misses_as_zero == pytest.approx((0.8 + 0 + 0 + 0.6) / 4)
    assert both.misses_dropped == pytest.approx((0.8 - 0.2 + 0.6) / 3)
    assert (both.n, both.misses, both.detection_rate) == (4, 1, 0.75)
    nothing = mean_both_ways(np.array([NAN, NAN]))
    assert nothing.misses_as_zero == 0 and np.isnan(nothing.misses_dropped)
    assert np.isnan(mean_both_ways(np.array([])).detection_rate)


def test_auc_is_the_share_of_pairs_in_the_right_order():
    assert auc(np.array([3.0, 1.0]), np.array([0.0, 2.0])) == 3 / 4
    assert auc(np.array([1.0]), np.array([1.0])) == 0.5
    with pytest.raises(ValueError, match="found 1 of the same person and 0 of others"):
        auc(np.array([1.0]), np.array([]))


def test_copy_paste_in_degrees():
    # Target at 0, reference at 60 degrees.
    generated = at(60, 0, 30, 50, 80)
    expected = [1, -1, 0, (50 - 10) / 60, (80 - 20) / 60]
    np.testing.assert_allclose(
        copy_paste(generated, at(0).repeat(5, 0), at(60).repeat(5, 0)), expected, atol=1e-12
    )


def test_copy_paste_of_one_photo_twice_or_without_a_face_is_undefined():
    gap = np.array([[NAN, NAN]])
    assert np.isnan(copy_paste(at(30), at(0), at(0)))
    assert np.isnan(copy_paste(gap, at(0), at(60)))
    assert np.isnan(copy_paste(at(30), at(0), at(3e-5)))  # half a millionth of a radian
    assert not np.isnan(copy_paste(at(30), at(0), at(3e-4)))
    with pytest.raises(ValueError, match="three vectors for each picture"):
        copy_paste(at(0, 1), at(0), at(1))


def test_id_conf_of_hand_computed_faces():
    scores = np.array([[0.8, 0.2, 0.4], [0.5, 0.5, 0.1], [0.6, -0.3, -0.9], [-0.2, -0.1, -0.4]])
    np.testing.assert_allclose(id_conf(scores), [0.5, 0, 1, NAN])
    assert np.isnan(id_conf(scores[:, :1])).all()


def test_faces_and_people_are_matched_for_the_best_total():
    # One by one, both faces would take the first person.
    assert match_people(np.array([[0.9, 0.8], [0.7, 0.1]])) == [(0, 1), (1, 0)]
    assert match_people(np.array([[0.1, 0.9, 0.2]])) == [(0, 1)]
    assert match_people(np.array([[0.1], [0.9], [0.2]])) == [(1, 0)]
    with pytest.raises(ValueError, match="1 gaps"):
        match_people(np.array([[NAN, 0.1]]))


def test_a_level_is_measured_on_pairs():
    level = same_person_level(at(0, 60, 90))  # 60, 90 and 30 degrees apart
    assert (level.name, level.measured_pairs) == (SAME_PERSON, 3)
    assert level.typical == pytest.approx(0.5)
    assert 0 < level.low < level.typical < level.high < np.cos(np.radians(30)) + 1e-9
    assert same_person_level(at(0)) is None
    assert same_person_level(np.array([[1.0, 0.0], [NAN, NAN]])) is None
    with pytest.raises(ValueError, match="No pair of faces"):
        level_of_pairs("nothing", [NAN])


def test_strangers_are_pairs_of_different_people():
    level = other_person_level(at(0, 10, 90), ["a", "a", "b"])
    assert (level.name, level.measured_pairs) == (OTHER_PERSON, 2)
    assert level.typical == pytest.approx((np.cos(np.pi / 2) + np.cos(np.radians(80))) / 2)
    assert other_person_level(at(0, 10), ["a", "a"]) is None
    with pytest.raises(ValueError, match="2 vectors need as many people"):
        other_person_level(at(0, 10), ["a"])


def test_own_photos_take_the_place_of_what_was_published():
    arcface, unknown = SimpleNamespace(size=512), SimpleNamespace(size=300)
    same, other = levels_for(arcface)
    assert (same.typical, other.typical) == (0.46, 0.05) and not same.is_measured
    assert {level.source for level in (same, other)} == {"ArcFace, 512 numbers"}
    measured, still = levels_for(arcface, at(0, 60))
    assert measured.source == ""
    assert measured.is_measured and measured.typical == pytest.approx(0.5) and still == other
    assert published_levels(unknown) == () == levels_for(unknown, at(0))
    assert [level.name for level in levels_for(unknown, at(0, 60))] == [SAME_PERSON]
