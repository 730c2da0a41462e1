"""Scoring with networks that see painted angles, so that every number is worked out by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from evaluation_data import Angles, find_several, hand_networks, metric, painted, save, several, unit
from PIL import Image

from consistentid_core.errors import EvaluationError
from consistentid_core.evaluation.feature_store import FeatureStore
from consistentid_core.evaluation.levels import ITSELF, NO_IDENTITY
from consistentid_core.evaluation.metrics.null_levels import OTHER_PERSON, SAME_PERSON
from consistentid_core.evaluation.pictures import Collection, Item, Subject
from consistentid_core.evaluation.result import KEYS, read_result, write_result
from consistentid_core.evaluation.score import score


def cosine(*degrees):
    return float(np.mean([math.cos(math.radians(one)) for one in degrees]))


@pytest.fixture
def collection(tmp_path):
    """Anna is seen at 0° and in another photo at 30°, Ben at 90°. Anna is drawn at 10° and once without a face,
    Ben at 80° and at 40°. Without anybody the model draws 60°."""

    def photo(name, angle):
        return save(tmp_path / f"{name}.png", painted(angle))

    anna = Subject("anna", photo("anna", 0), (photo("anna_2", 30),))
    ben = Subject("ben", photo("ben", 90))
    plain = photo("plain", 60)
    items = [
        Item("a1", photo("a1", 10), (anna,), "at 10", "hat", plain, 8.0, "start"),
        Item("a2", photo("a2", None), (anna,), "at 10", "hat", plain, 2.0, "warm"),
        Item("b1", photo("b1", 80), (ben,), "at 20", "beach", plain, 4.0, "cold"),
        Item("b2", photo("b2", 40), (ben,), "at 20", "beach", plain, 2.0, "warm"),
    ]
    return Collection("test", items, {"steps": 3})


@pytest.fixture
def result(collection):
    return score(collection, hand_networks(), FeatureStore(None))


def test_face_sim_is_printed_by_both_conventions_with_the_misses(result):
    found = metric(result, "face_sim/judge")
    assert found.found["mean"] == pytest.approx(cosine(10, 10, 50)) and found.found["n"] == 3
    assert found.as_zero["mean"] == pytest.approx(3 * cosine(10, 10, 50) / 4) and found.as_zero["n"] == 4
    assert found.missed == 1
    assert metric(result, "detection_rate").found["mean"] == pytest.approx(0.75)


def test_two_recognisers_judge_and_the_one_that_conditions_is_marked(result):
    assert metric(result, "face_sim/conditioner").note == "conditions the pictures"
    assert metric(result, "face_sim/judge").note == ""


def test_the_rank_in_the_gallery_needs_no_scale(result):
    # Ben drawn at 40° is nearer to Anna's 0° than to his own 90°.
    assert metric(result, "top1/judge").found["mean"] == pytest.approx(2 / 3)
    assert metric(result, "top1/judge").as_zero["mean"] == pytest.approx(2 / 4)
    (chance,) = metric(result, "top1/judge").levels
    assert (chance["name"], chance["typical"]) == ("chance", 0.5)
    ranks = [picture["values"]["rank/judge"] for picture in result["pictures"]]
    assert ranks[0] == 1 and math.isnan(ranks[1]) and ranks[2:] == [1, 2]


def test_null_levels_stand_beside_a_likeness(result):
    levels = {level["name"]: level["typical"] for level in metric(result, "face_sim/judge").levels}
    assert levels == pytest.approx(
        {ITSELF: 1.0, SAME_PERSON: cosine(30), OTHER_PERSON: 0.0, NO_IDENTITY: (cosine(60) + cosine(30)) / 2},
        abs=1e-6,
    )


def test_copy_paste_and_the_other_photo_are_only_of_people_who_have_one(result):
    # Anna: 20° to the other photo, 10° to the reference, 30° between them.
    assert metric(result, "copy_paste/judge").found["mean"] == pytest.approx((20 - 10) / 30, abs=1e-6)
    other = metric(result, "face_sim_other/judge")
    assert other.found["mean"] == pytest.approx(cosine(20)) and other.found["n"] == 1
    assert other.as_zero["mean"] == pytest.approx(cosine(20) / 2) and other.as_zero["n"] == 2


def test_clip_reads_prompts_references_and_the_plain_model(result):
    # Without a face the middle of the picture is painted 10.
    assert metric(result, "clip_t/clip").found["mean"] == pytest.approx(100 * cosine(0, 0, 60, 20))
    assert metric(result, "clip_i/clip").found["mean"] == pytest.approx(cosine(10, 10, 10, 50))
    assert metric(result, "clip_before_after/clip").found["mean"] == pytest.approx(cosine(50, 50, 20, 20))


def test_faces_diversity_and_times(result):
    assert metric(result, "face_share").found["mean"] == pytest.approx((48 / 64) ** 2)
    assert metric(result, "diversity").found["mean"] == pytest.approx(0.4)  # Ben's 80 and 40
    seconds = [metric(result, f"seconds_{phase}").found["mean"] for phase in ("start", "cold", "warm")]
    assert seconds == [8.0, 4.0, 2.0]


def test_fid_warns_of_few_pictures(result):
    assert metric(result, "fid").found["n"] == 4
    assert any("below 2,048" in text for text in result["warnings"])


def test_people_and_categories_are_apart(result):
    assert result["per_person"]["anna"]["face_sim/judge"]["mean"] == pytest.approx(cosine(10))
    assert result["per_person"]["ben"]["face_sim/judge"]["mean"] == pytest.approx(cosine(10, 50))
    assert result["per_category"]["beach"]["clip_t/clip"]["mean"] == pytest.approx(100 * cosine(60, 20))


def test_what_was_not_given_is_listed_and_not_guessed(result, collection):
    assert {one["metric"] for one in result["not_computed"]} == {
        "FGIS",
        "DINO",
        "ID-Conf",
        "right person among the first 10",
    }
    bare = hand_networks(
        detect=None, recognisers=(), clips=(), inception=None, perceptual=None, conditioners=set()
    )
    nothing = score(collection, bare, FeatureStore(None))
    assert [one["key"] for one in nothing["metrics"]] == ["seconds_start", "seconds_cold", "seconds_warm"]
    assert all("weights not given" in one["why"] for one in nothing["not_computed"])
    assert len(nothing["not_computed"]) == 7


def test_a_result_has_the_documented_form_and_survives_its_file(result, tmp_path):
    assert tuple(result) == KEYS
    write_result(tmp_path / "scores.json", result)
    again = read_result(tmp_path)
    assert again["pictures"][1]["values"]["face_sim/judge"] is None  # JSON knows no NaN
    assert metric(again, "face_sim/judge").found["mean"] == pytest.approx(cosine(10, 10, 50), abs=1e-6)
    page = Path(__file__).parents[2].joinpath("docs", "evaluation.md").read_text("utf-8")
    assert [key for key in KEYS if f"`{key}`" not in page] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("[]", "no result of scoring"),
        ('{"format": "consistentid-evaluation", "version": 9}', "has version 9"),
        ('{"format": "consistentid-evaluation", "version": 1}', "lacks name, made"),
    ],
)
def test_what_is_no_result_is_named(tmp_path, text, words):
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(EvaluationError, match=words):
        read_result(tmp_path)
    with pytest.raises(EvaluationError, match="Score the pictures first"):
        read_result(tmp_path / "missing")


# ---------------------------------------------------------------- reading


def test_a_second_scoring_shows_no_picture_to_a_network(collection, tmp_path):
    score(collection, hand_networks(), FeatureStore(tmp_path / "features"))
    recogniser = Angles("judge", 5.0)
    networks = hand_networks(recognisers=[recogniser], detect=None)
    networks.detect = lambda picture: pytest.fail("a picture was looked at again")
    again = score(collection, networks, FeatureStore(tmp_path / "features"))
    assert recogniser.calls == 0
    assert metric(again, "face_sim/judge").found["n"] == 3


def test_only_what_changed_is_looked_at_again(collection, tmp_path):
    score(collection, hand_networks(), FeatureStore(tmp_path / "features"))
    save(collection.items[1].picture, painted(20))
    seen = []
    networks = hand_networks()
    detect = networks.detect
    networks.detect = lambda picture: seen.append(1) or detect(picture)
    again = score(collection, networks, FeatureStore(tmp_path / "features"))
    assert len(seen) == 1 and metric(again, "face_sim/judge").found["n"] == 4


def test_pictures_are_shown_in_batches(collection):
    networks = hand_networks()
    score(collection, networks, FeatureStore(None), batch=100)
    assert networks.recognisers[0].calls == 1


def test_a_damaged_store_is_named(collection, tmp_path):
    score(collection, hand_networks(), FeatureStore(tmp_path / "features"))
    next((tmp_path / "features").rglob("*.safetensors")).write_bytes(b"half")
    with pytest.raises(EvaluationError, match="Delete it"):
        score(collection, hand_networks(), FeatureStore(tmp_path / "features"))


def test_half_and_missing_pictures_are_named_counted_and_left_out(collection):
    collection.items[0].picture.write_bytes(b"\x89PNG\r\n")
    collection.items[2].picture.unlink()
    result = score(collection, hand_networks(), FeatureStore(None))
    assert [(one["name"].split("/")[-1], one["reason"]) for one in result["problems"]] == [
        ("b1.png", "gone or a broken link"),
        ("a1.png", "cannot be decoded"),
    ]
    assert result["counts"]["pictures"] == 2 and metric(result, "face_sim/judge").found["n"] == 1


def test_a_scoring_stops_at_a_bad_picture_if_that_is_wanted(collection):
    collection.items[0].picture.write_bytes(b"half")
    with pytest.raises(EvaluationError, match=r"1 pictures cannot be used.*\n.*a1\.png"):
        score(collection, hand_networks(), FeatureStore(None), stop_at_problem=True)


def test_a_reference_that_is_gone_takes_its_pictures_along(collection):
    collection.items[0].subjects[0].reference.unlink()
    result = score(collection, hand_networks(), FeatureStore(None))
    assert {picture["person"] for picture in result["pictures"]} == {"ben"}


def test_a_reference_without_a_face_is_no_miss_of_the_model(collection):
    save(collection.items[2].subjects[0].reference, painted(None))
    result = score(collection, hand_networks(), FeatureStore(None))
    found = metric(result, "face_sim/judge")
    assert (found.found["n"], found.as_zero["n"], found.missed) == (1, 2, 1)
    assert [one["reason"] for one in result["problems"]] == ["no face in the reference"]


def test_what_cannot_be_known_of_a_picture_has_no_value_in_its_row(collection):
    """Else a comparison of two runs, and pictures.csv, would count a rank that nobody has."""
    save(collection.items[2].subjects[0].reference, painted(None))
    cleo = Subject("cleo", save(collection.items[0].picture.with_name("cleo.png"), painted(120)))
    collection.items.append(Item("c", collection.items[3].picture, (cleo,)))
    result = score(collection, hand_networks(), FeatureStore(None))
    ben = [picture["values"] for picture in result["pictures"] if picture["person"] == "ben"]
    assert all(math.isnan(values[key]) for values in ben for key in ("rank/judge", "top1/judge"))


def test_a_turned_photo_s_face_is_a_share_of_the_upright_picture(collection):
    """A camera's picture lies on its side in the file; boxes are those of the upright one."""
    upright = np.pad(painted(10), ((64, 0), (0, 0), (0, 0)))  # the face is at the bottom
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(collection.items[0].picture, exif=exif)
    networks = hand_networks()
    (face,) = networks.detect(painted(10))
    networks.detect = lambda picture: [
        replace(face, box=(8.0, len(picture) - 56.0, 56.0, len(picture) - 8.0), points=face.points)
    ]
    collection.items = collection.items[:1]
    result = score(collection, networks, FeatureStore(None))
    assert metric(result, "face_share").found["mean"] == pytest.approx(48 * 48 / (64 * 128))


def test_nothing_that_can_be_scored_is_an_error(collection):
    for item in collection.items:
        item.picture.write_bytes(b"half")
    with pytest.raises(EvaluationError, match="None of the pictures can be scored"):
        score(collection, hand_networks(), FeatureStore(None))


def test_one_person_alone_is_scored_without_a_gallery(collection):
    collection.items = collection.items[:2]
    result = score(collection, hand_networks(), FeatureStore(None))
    assert metric(result, "face_sim/judge").found["n"] == 1
    assert "rank in the gallery" in {one["metric"] for one in result["not_computed"]}


def test_pictures_of_different_sizes_are_scored_together(collection):
    save(collection.items[0].picture, np.pad(painted(10), ((0, 40), (0, 8), (0, 0))))
    result = score(collection, hand_networks(), FeatureStore(None))
    assert result["counts"]["pictures"] == 4 and metric(result, "fid").found["n"] == 4


def test_an_unknown_order_of_faces_is_named(collection):
    with pytest.raises(ValueError, match="no order of faces"):
        score(collection, hand_networks(), FeatureStore(None), order="prettiest")


# ---------------------------------------------------------------- several people


def test_faces_of_several_people_are_matched_and_blends_measured(tmp_path):
    anna = Subject("anna", save(tmp_path / "anna.png", painted(0)))
    ben = Subject("ben", save(tmp_path / "ben.png", painted(90)))
    drawn = save(tmp_path / "both.png", several(70, 20))  # Ben stands left of Anna
    networks = hand_networks(detect=find_several)
    result = score(
        Collection("two", [Item("both", drawn, (anna, ben), "at 0")]), networks, FeatureStore(None)
    )
    values = {picture["person"]: picture["values"]["face_sim/judge"] for picture in result["pictures"]}
    assert values == pytest.approx({"anna": cosine(20), "ben": cosine(20)}, abs=1e-6)
    expected = (cosine(20) - cosine(70)) / cosine(20)
    assert metric(result, "id_conf/judge").found["mean"] == pytest.approx(expected, abs=1e-6)
    assert metric(result, "detection_rate").found["mean"] == 1.0
    assert result["counts"]["pictures"] == 1


def part_networks():
    """A parser that sees skin in the middle, and an encoder that sees the painted angle there."""

    def parse(square):
        side = len(square)
        labels = np.zeros((side, side), np.uint8)
        labels[side // 3 : -side // 3, side // 3 : -side // 3] = 1
        return labels

    def encode(pictures, whole=True):
        return np.stack([unit(float(one[len(one) // 2, len(one) // 2, 1])) for one in pictures])

    dino = SimpleNamespace(name="dino", sha256="dino-sha", size=2, encode=encode)
    return {"parse": parse, "dino": dino}


def test_a_picture_without_a_face_is_a_miss_of_the_parts_too(collection):
    """Under "faces found" it would pull the share of shown parts down, and the reader would look for hidden eyes."""
    result = score(collection, hand_networks(**part_networks()), FeatureStore(None))
    for key, mean in (("fgis/tight", cosine(10, 10, 50)), ("fgis_coverage", 1.0)):
        found = metric(result, key)
        assert (found.found["n"], found.as_zero["n"], found.missed) == (3, 4, 1), key
        assert found.found["mean"] == pytest.approx(mean, abs=1e-6)
        assert found.as_zero["mean"] == pytest.approx(mean * 3 / 4, abs=1e-6)


def test_a_photo_of_several_people_is_no_level_of_the_parts_of_one(tmp_path):
    """MultiID-Bench has all people of a case in one photo, and which face there is whose the parts do not know."""
    networks = hand_networks(detect=find_several, clips=(), **part_networks())
    group = save(tmp_path / "ori.png", several(80, 10))
    alone = save(tmp_path / "anna_2.png", painted(30))
    anna = Subject("anna", save(tmp_path / "anna.png", painted(0)), (group, alone))
    ben = Subject("ben", save(tmp_path / "ben.png", painted(90)), (group,))
    drawn = save(tmp_path / "both.png", several(70, 20))
    result = score(Collection("two", [Item("both", drawn, (anna, ben))]), networks, FeatureStore(None))
    found = metric(result, "fgis/tight")
    assert found.found["mean"] == pytest.approx(cosine(20, 20), abs=1e-6)
    same = next(level for level in found.levels if level["name"] == SAME_PERSON)
    assert (same["measured_pairs"], same["typical"]) == (1, pytest.approx(cosine(30), abs=1e-6))


def test_a_person_without_a_face_in_the_group_is_missed(tmp_path):
    anna = Subject("anna", save(tmp_path / "anna.png", painted(0)))
    ben = Subject("ben", save(tmp_path / "ben.png", painted(90)))
    drawn = save(tmp_path / "both.png", several(70, None))
    networks = hand_networks(detect=find_several)
    result = score(Collection("two", [Item("both", drawn, (anna, ben))]), networks, FeatureStore(None))
    assert metric(result, "face_sim/judge").missed == 1
    assert metric(result, "detection_rate").found["mean"] == 0.5
    assert json.dumps(result["per_person"]["ben"])


def test_one_photo_in_two_cases_is_one_person(tmp_path):
    """MultiID-Bench has people in several cases: a gallery that holds somebody twice would rank them second."""
    anna, again = (Subject(name, save(tmp_path / f"{name}.png", painted(0))) for name in ("1/ref", "2/ref"))
    ben = Subject("ben", save(tmp_path / "ben.png", painted(90)))
    items = [
        Item(f"{number}", save(tmp_path / f"{number}_drawn.png", painted(10 + number)), (subject,))
        for number, subject in enumerate((anna, again, ben))
    ]
    result = score(Collection("cases", items), hand_networks(clips=()), FeatureStore(None))
    assert [picture["values"]["rank/judge"] for picture in result["pictures"]] == [1, 1, 2]
    strangers = {level["name"]: level for level in metric(result, "face_sim/judge").levels}[OTHER_PERSON]
    assert (strangers["measured_pairs"], strangers["high"]) == (1, pytest.approx(0, abs=1e-6))
    assert result["counts"]["people"] == 2


@pytest.mark.parametrize(("order", "angle"), [("left_to_right", 10), ("right_to_left", 70)])
def test_which_of_several_faces_is_meant_is_chosen_as_in_id_embedding(tmp_path, order, angle):
    anna = Subject("anna", save(tmp_path / "anna.png", painted(0)))
    drawn = save(tmp_path / "two.png", several(10, 70))
    networks = hand_networks(detect=find_several)
    result = score(
        Collection("one", [Item("two", drawn, (anna,), "at 0")]), networks, FeatureStore(None), order=order
    )
    assert metric(result, "face_sim/judge").found["mean"] == pytest.approx(cosine(angle))
    assert result["settings"]["face of several"] == order


def test_a_full_disk_ends_a_scoring_in_words_and_the_next_goes_on(collection, tmp_path, monkeypatch):
    from consistentid_core.data import storage

    write, written = storage.write, []

    def full(path, data):
        if len(written) == 3:
            raise storage.StorageError(f"The disk is full: '{path}' could not be written.")
        written.append(path)
        write(path, data)

    monkeypatch.setattr("consistentid_core.evaluation.feature_store.storage.write", full)
    with pytest.raises(storage.StorageError, match="disk is full"):
        score(collection, hand_networks(), FeatureStore(tmp_path / "features"))
    monkeypatch.undo()
    result = score(collection, hand_networks(), FeatureStore(tmp_path / "features"))
    assert metric(result, "face_sim/judge").found["n"] == 3
