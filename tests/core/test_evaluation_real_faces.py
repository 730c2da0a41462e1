"""Scoring real photos of real people by real recognisers: what the tables say must be what one sees.

No CLIP, DINO or Inception can be had for tests; those are scored in test_evaluation_score.py by hand-computed values,
and in test_evaluation_command.py by small ones of the same classes.
"""

import pytest
import real_faces
from evaluation_data import metric, save

from consistentid_core.evaluation.feature_store import FeatureStore
from consistentid_core.evaluation.levels import ITSELF, NO_IDENTITY
from consistentid_core.evaluation.metrics.null_levels import OTHER_PERSON, SAME_PERSON
from consistentid_core.evaluation.networks import Networks
from consistentid_core.evaluation.pictures import Collection, Item, Subject
from consistentid_core.evaluation.score import score

PEOPLE = 12
RECOGNISERS = ("sface", "fr_feature")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Photo 0 is the reference, photo 1 another one, photos 2 and 3 stand for drawn pictures; the plain model draws
    a stranger. The last picture of the first person is the reference itself."""
    folder = tmp_path_factory.mktemp("faces")

    def photo(person, number):
        return save(folder / f"{person}_{number}.png", real_faces.photo(person, number))

    stranger = photo(39, 0)
    items = []
    for person in range(PEOPLE):
        subject = Subject(f"{person}", photo(person, 0), (photo(person, 1),))
        items += [
            Item(f"{person}_{number}", photo(person, number), (subject,), plain=stranger) for number in (2, 3)
        ]
    items.append(Item("copied", save(folder / "copied.png", real_faces.photo(0, 0)), (items[0].subjects[0],)))
    networks = Networks(
        detect=real_faces.detect,
        detector_sha256="yunet",
        recognisers=[real_faces.recogniser(name) for name in RECOGNISERS],
    )
    return score(Collection("real", items), networks, FeatureStore(None))


@pytest.mark.parametrize("name", RECOGNISERS)
def test_the_right_person_is_first(result, name):
    assert metric(result, f"top1/{name}").found["mean"] >= 0.95
    assert metric(result, f"top10/{name}").found["mean"] == 1.0
    assert metric(result, f"rank/{name}").found["mean"] == 1
    assert metric(result, "detection_rate").found["mean"] >= 0.95


@pytest.mark.parametrize("name", RECOGNISERS)
def test_the_levels_lie_in_their_order(result, name):
    levels = {level["name"]: level for level in metric(result, f"face_sim/{name}").levels}
    assert levels[ITSELF]["typical"] == pytest.approx(1, abs=1e-5)
    assert levels[SAME_PERSON]["typical"] > 0.5 > levels[OTHER_PERSON]["typical"]
    assert levels[NO_IDENTITY]["typical"] < 0.5
    assert levels[OTHER_PERSON]["measured_pairs"] == PEOPLE * (PEOPLE - 1) // 2
    found = metric(result, f"face_sim/{name}").found
    assert found["groups"] == PEOPLE and levels[OTHER_PERSON]["high"] < found["low"]


@pytest.mark.parametrize("name", RECOGNISERS)
def test_a_copied_photo_is_a_failure_of_its_own_kind(result, name):
    copied = result["pictures"][-1]["values"]
    assert copied[f"face_sim/{name}"] == pytest.approx(1, abs=1e-4)
    assert copied[f"copy_paste/{name}"] == pytest.approx(1, abs=0.01)
    others = [one["values"][f"copy_paste/{name}"] for one in result["pictures"][:-1]]
    assert sum(others) / len(others) < 0.5
