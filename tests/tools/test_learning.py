"""The learning experiment: its criteria can fail, its people are drawn as said, its page shows its results."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.learning import criteria, report
from benchmarks.learning.people import draw, draw_person, draw_view
from benchmarks.learning.portraits import SIDE, People, face_vector, portrait
from consistentid_core.regions import CLASSES, REGIONS

NOISE = np.random.default_rng(0).standard_normal(64)
LOW, HIGH = (0.2 + 0.001 * NOISE).tolist(), (0.21 + 0.001 * NOISE[::-1]).tolist()

# --- criteria ----------------------------------------------------------------------------------


def test_an_identity_counts_as_used_where_the_right_one_is_clearly_better():
    assert criteria.identity_is_used(right=LOW, wrong=HIGH).passed


@pytest.mark.parametrize(
    "right, wrong",
    [(HIGH, LOW), (LOW, LOW), (LOW, (np.array(LOW) + 0.001 * np.roll(NOISE, 7)).tolist())],
    ids=["worse", "the same", "chance"],
)
def test_an_identity_is_not_used_where_it_is_no_better_than_chance(right, wrong):
    assert not criteria.identity_is_used(right, wrong).passed


def test_somebody_elses_identity_may_not_help():
    assert criteria.wrong_identity_gains_nothing(wrong=HIGH, nobody=LOW).passed
    assert criteria.wrong_identity_gains_nothing(wrong=LOW, nobody=LOW).passed
    assert not criteria.wrong_identity_gains_nothing(wrong=LOW, nobody=HIGH).passed


def test_the_localisation_loss_must_fall_far_and_for_nearly_everybody():
    start = (0.0 + 0.01 * NOISE).tolist()
    assert criteria.localisation_falls(start, (np.array(start) - 0.3).tolist()).passed
    assert not criteria.localisation_falls(start, (np.array(start) - 0.02).tolist()).passed
    assert not criteria.localisation_falls(start, start).passed
    few = [-9.0, *start[1:]]  # one person alone moves the mean far enough
    assert not criteria.localisation_falls(start, few).passed


def test_a_single_word_that_looks_elsewhere_fails_them_all():
    before = dict.fromkeys(("face", "nose"), 0.9)
    assert criteria.words_look_at_their_parts(before, {"face": 2.0, "nose": 2.0}).passed
    assert not criteria.words_look_at_their_parts(before, {"face": 2.0, "nose": 0.9}).passed
    assert not criteria.words_look_at_their_parts(
        {"face": 1.9, "nose": 1.9}, {"face": 2.0, "nose": 2.0}
    ).passed
    assert not criteria.words_look_at_their_parts({}, {}).passed


# --- people ------------------------------------------------------------------------------------


def test_a_number_is_the_same_person_in_every_set_and_each_picture_another():
    one, other = People([3, 4], 2, seed=1), People([4, 9], 2, seed=1)
    assert np.array_equal(one[2].picture, other[0].picture)
    assert not np.array_equal(one[0].picture, one[1].picture)
    assert not np.array_equal(one[0].picture, People([3], 2, seed=2)[0].picture)
    assert len(one) == 4


def test_every_picture_has_every_region_where_the_label_map_says():
    generator = np.random.default_rng(5)
    for _ in range(20):
        person, view = draw_person(generator), draw_view(generator)
        picture, labels = draw(person, view, SIDE)
        assert picture.shape == (SIDE, SIDE, 3) and labels.shape == (SIDE, SIDE)
        for region in REGIONS:
            assert np.isin(labels, region.class_ids[0]).sum() >= 3, region.name
        # Painted in another colour, the lips change where the map has lips, and nowhere else.
        repainted, same = draw(replace(person, lips=(0.0, 1.0, 0.0)), view, SIDE)
        assert np.array_equal(same, labels)
        changed = (repainted != picture).any(2)
        lips = np.isin(labels, [CLASSES.index("Upper_Lip"), CLASSES.index("Lower_Lip")])
        edge = np.pad(lips, 1)
        near = sum(np.roll(edge, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)).astype(bool)
        assert changed[lips].mean() > 0.9 and not changed[~near[1:-1, 1:-1]].any()


def test_a_caption_says_nothing_about_who_somebody_is():
    generator = np.random.default_rng(6)
    view = draw_view(generator)
    first, second = (portrait(draw_person(generator), view, "") for _ in range(2))
    assert (first.general_caption, first.face_caption) == (second.general_caption, second.face_caption)
    assert not np.array_equal(first.picture, second.picture)


def test_a_face_vector_tells_people_apart_and_comes_from_the_picture():
    people = People(range(30), 2, seed=3)
    vectors = np.stack([people[index].id_vector for index in range(60)]).reshape(30, 2, 512)
    assert np.allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-5)
    likeness = vectors[:, 0] @ vectors[:, 1].T
    same, others = np.diag(likeness), likeness[~np.eye(30, dtype=bool)]
    assert (same[:, None] > others[None]).mean() > 0.97
    one = people[0]
    assert np.array_equal(face_vector(one.picture, one.label_map), one.id_vector)


# --- results -----------------------------------------------------------------------------------


def test_the_page_shows_what_was_found():
    table = report.PAGE.read_text("utf-8").split(report.BEGIN)[1].split(report.END)[0]
    expected = report.markdown(json.loads(report.RESULTS.read_text("utf-8")))
    assert table.strip() == expected.strip(), "run: python -m benchmarks.learning"


def test_a_row_is_the_median_of_the_seeds_with_the_lowest_and_highest():
    row = "wrong − right: t"
    assert report._spread([{row: 3.0}, {row: 9.0}, {row: 5.0}], row) == "5.0 (3.0 … 9.0)"
    assert report._spread([{row: 3.0}], row) == "3.0"


def test_a_recipe_takes_the_place_of_its_old_numbers_and_leaves_the_other(tmp_path):
    path = tmp_path / "learning.json"
    for recipe, number in (("cut", 1), ("full", 2), ("cut", 3)):
        report.write(recipe, {"seeds": number}, path)
    assert json.loads(path.read_text("utf-8")) == {"cut": {"seeds": 3}, "full": {"seeds": 2}}
