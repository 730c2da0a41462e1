"""Face Likeness, Likeness Gate and Part Likeness in a browser: boxes, scale, bars, and what passes the gate."""

import pytest
from web_host import CLASSIC, NODES2

from consistentid_core.regions import REGIONS

#: Running models takes long, and what shows their results is the same with every front end.
pytestmark = pytest.mark.parametrize("interface", [CLASSIC, NODES2], indirect=True, ids=str)


@pytest.fixture(scope="module")
def found(play, interface):
    return play("likeness", interface)


def test_before_the_first_run_it_says_what_to_do(found):
    assert found["before"].startswith("Run the workflow to see")


def test_the_very_photo_scores_1_at_the_end_of_the_scale(found):
    assert found["end"] == "execution_success"
    likeness = found["likeness"]
    assert (likeness["score"], likeness["tags"]) == ("1.00", ["1.00"])
    assert likeness["place"] == pytest.approx(1, abs=0.02) and likeness["bands"] == 2


def test_the_next_picture_has_its_own_score_in_its_own_place(found):
    turned = found["turned"]
    score = float(turned["score"])
    assert score < 1 and turned["place"] == pytest.approx((score + 0.2) / 1.2, abs=0.02)


def test_both_recognisers_are_named_and_who_flatters_is_told(found):
    said = found["likeness"]["said"]
    assert said[0].count("w600k_r50") == 2 and "flatters" in said[1]


@pytest.mark.parametrize("state", ["likeness", "turned"])
def test_the_scale_stays_inside_the_view(found, state):
    assert found[state]["isInside"]


def test_the_gate_lets_the_best_one_pass(found):
    assert found["previews"] == 1


def test_each_part_has_its_crops_and_a_bar_as_long_as_its_score(found):
    assert [part["label"] for part in found["parts"]] == [region.label for region in REGIONS]
    compared = [part for part in found["parts"] if part["score"] != "not in both"]
    assert compared
    for part in compared:
        assert part["crops"] == [True, True]
        assert part["bar"] == pytest.approx((float(part["score"]) + 0.2) / 1.2, abs=0.03)


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
