"""Likeness with real recognisers, a real detector and 400 photos of 40 real people.

Recognisers, detector and photos come out of public packages (tools/real_faces.py). No public package holds DINO:
parts of faces are compared through a small ViT of the same class with random weights, which sees differences but
knows nothing of faces.
"""

import numpy as np
import pytest
import real_faces
import torch

from consistentid_core.evaluation.dino import load_dino
from consistentid_core.evaluation.metrics.copy_paste import copy_paste
from consistentid_core.evaluation.metrics.fgis import (
    CROPS,
    MASKED,
    TIGHT,
    compare_parts,
    encode_parts,
    face_square,
    part_crops,
)
from consistentid_core.evaluation.metrics.id_conf import id_conf, match_people
from consistentid_core.evaluation.metrics.likeness import (
    auc,
    likeness,
    mean_both_ways,
    rank_in_gallery,
    top_k_both_ways,
)
from consistentid_core.evaluation.metrics.null_levels import other_person_level, same_person_level
from consistentid_core.evaluation.recognisers import align, align_all
from consistentid_core.faces.face_parts import parts_from_masks

PEOPLE = np.repeat(np.arange(real_faces.PEOPLE), real_faces.PHOTOS_EACH)


@pytest.fixture(scope="module")
def crops():
    """The aligned face of every photo, uint8 (400, 112, 112, 3)."""
    pairs = []
    for person in range(real_faces.PEOPLE):
        for number in range(real_faces.PHOTOS_EACH):
            photo = real_faces.photo(person, number)
            pairs.append((photo, real_faces.detect(photo)[0].points))
    return align_all(pairs)


@pytest.fixture(scope="module", params=["sface", "fr_feature"])
def vectors(request, crops):
    """Of all photos by one recogniser; by SFace of three photos of each person, since it takes its time."""
    if request.param == "fr_feature":
        return real_faces.recogniser(request.param).embed(crops), PEOPLE
    few = np.arange(len(crops)) % real_faces.PHOTOS_EACH < 3
    return real_faces.recogniser(request.param).embed(crops[few]), PEOPLE[few]


def test_photos_of_one_person_are_more_alike_than_of_two(vectors):
    found, people = vectors
    scores = likeness(found, found)
    upper = np.triu_indices(len(found), 1)
    same = (people[:, None] == people[None])[upper]
    assert auc(scores[upper][same], scores[upper][~same]) >= 0.99


def test_identical_pictures_score_1(vectors):
    found, _ = vectors
    np.testing.assert_allclose(np.diag(likeness(found, found)), 1, atol=1e-6)


def test_the_right_person_leads_the_gallery(vectors):
    found, people = vectors
    _, first = np.unique(people, return_index=True)
    others = np.setdiff1d(np.arange(len(found)), first)
    ranks = rank_in_gallery(likeness(found[others], found[first]), people[others])
    assert top_k_both_ways(ranks, 1).misses_dropped > 0.95 and np.median(ranks) == 1


def test_levels_measured_on_people_stand_apart(vectors):
    found, people = vectors
    other = other_person_level(found[::3], people[::3])
    for person in range(5):
        assert same_person_level(found[people == person]).low > other.high


def test_a_picture_without_a_face_is_counted_both_ways():
    recogniser = real_faces.recogniser("fr_feature")
    pictures = [real_faces.photo(0, 1), np.full((300, 300, 3), 90, np.uint8), real_faces.photo(0, 2)]
    found = [real_faces.detect(picture) for picture in pictures]
    assert [len(faces) for faces in found] == [1, 0, 1]
    rows = np.full((3, recogniser.size), np.nan)
    seen = [index for index, faces in enumerate(found) if faces]
    rows[seen] = recogniser.embed(align_all([(pictures[index], found[index][0].points) for index in seen]))
    reference = recogniser.embed(align_all([_face(0, 0)]))
    scores = likeness(rows, reference)[:, 0]
    both = mean_both_ways(scores)
    assert both.misses == 1 and both.detection_rate == pytest.approx(2 / 3)
    assert both.misses_dropped == pytest.approx((scores[0] + scores[2]) / 2)
    assert both.misses_as_zero == pytest.approx((scores[0] + scores[2]) / 3)


def test_copy_paste_says_which_photo_was_copied():
    recogniser = real_faces.recogniser("fr_feature")
    reference, target, third = recogniser.embed(align_all([_face(3, 0), _face(3, 5), _face(3, 8)]))
    value = copy_paste(
        np.stack([reference, target, third]), *(np.stack([one] * 3) for one in (target, reference))
    )
    assert value[:2] == pytest.approx([1, -1], abs=1e-3)

    def angle(a, b):
        return np.arccos(
            np.dot(a.astype(float), b) / np.linalg.norm(a.astype(float)) / np.linalg.norm(b.astype(float))
        )

    by_hand = (angle(third, target) - angle(third, reference)) / angle(target, reference)
    assert value[2] == pytest.approx(by_hand, abs=1e-6) and -1 < value[2] < 1


def test_two_people_in_one_picture_are_matched_and_told_apart():
    recogniser = real_faces.recogniser("fr_feature")
    picture = np.concatenate([real_faces.photo(7, 1), real_faces.photo(2, 1)], axis=1)
    found = sorted(real_faces.detect(picture), key=lambda face: face.box[0])
    gallery = recogniser.embed(align_all([_face(2, 0), _face(7, 0), _face(11, 0)]))
    scores = likeness(recogniser.embed(align_all([(picture, face.points) for face in found])), gallery)
    assert match_people(scores) == [(0, 1), (1, 0)]
    best, second = np.sort(scores, axis=1)[:, :-3:-1].T
    np.testing.assert_allclose(id_conf(scores), np.minimum(1, (best - second) / best))
    assert id_conf(scores).min() > 0.5
    (blended,) = likeness(gallery[:1] + gallery[1:2], gallery)
    assert id_conf(blended[None])[0] < 0.1


def _face(person, number):
    photo = real_faces.photo(person, number)
    return photo, real_faces.detect(photo)[0].points


# ---------------------------------------------------------------- parts of faces


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    from transformers import ViTConfig, ViTModel

    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(1)
    # Large weights, or the class token would hardly look at the picture.
    config = ViTConfig(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        image_size=96,
        patch_size=16,
        initializer_range=0.25,
    )
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return load_dino(folder)


#: Where parts lie in an aligned face (112x112): rows, columns. A stand-in for the face parser.
_PLACES = {
    "face": (slice(20, 108), slice(20, 92)),
    "eyes": (slice(44, 60), slice(28, 84)),
    "nose": (slice(62, 78), slice(46, 66)),
    "mouth": (slice(84, 102), slice(38, 74)),
}


def _parts(places=_PLACES):
    masks = {}
    for name, place in places.items():
        masks[name] = np.zeros((112, 112), bool)
        masks[name][place] = True
    return parts_from_masks(masks)


def _swapped_eyes(face, donor):
    mixed = face.copy()
    mixed[_PLACES["eyes"]] = donor[_PLACES["eyes"]]
    return mixed


@pytest.mark.parametrize("how", CROPS)
def test_an_identical_face_scores_1_in_every_part(encoder, how):
    face = part_crops(align(*_face(0, 0)), _parts(), how)
    one, two = encode_parts(encoder, [face, face])
    scores = compare_parts(one, two)
    assert list(scores.scores) == ["face", "eyes", "nose", "mouth"]
    assert list(scores.scores.values()) == pytest.approx([1] * 4, abs=1e-5)
    assert scores.mean == pytest.approx(1, abs=1e-5) and scores.coverage == 1


@pytest.mark.parametrize("how", CROPS)
def test_swapped_eyes_lower_the_score_of_the_eyes_and_hardly_the_others(encoder, how):
    losses = []
    for person in range(6):
        face, donor = align(*_face(person, 0)), align(*_face(person + 20, 0))
        crops = [part_crops(picture, _parts(), how) for picture in (face, _swapped_eyes(face, donor))]
        scores = compare_parts(*encode_parts(encoder, crops)).scores
        losses.append({name: 1 - score for name, score in scores.items()})
    mean = {name: np.mean([loss[name] for loss in losses]) for name in losses[0]}
    assert mean["eyes"] > 0.005
    assert mean["mouth"] == pytest.approx(0, abs=1e-6)
    # The tight square of the nose reaches a little into the eyes, and a network without training minds any pixel.
    assert mean["nose"] < mean["eyes"] / (2 if how == TIGHT else 5)


def test_only_what_both_show_is_compared(encoder):
    face = align(*_face(0, 0))
    some = {name: place for name, place in _PLACES.items() if name != "mouth"}
    reference, other = encode_parts(
        encoder, [part_crops(face, _parts()), part_crops(face, _parts(some | {"ears": _PLACES["nose"]}))]
    )
    scores = compare_parts(reference, other)
    assert set(scores.scores) == {"face", "eyes", "nose"} and scores.coverage == 3 / 4
    nothing = compare_parts(reference, {})
    assert nothing.coverage == 0 and np.isnan(nothing.mean) and not nothing.scores
    assert compare_parts({}, reference).coverage == 0


def test_a_tight_crop_is_the_square_around_the_part_with_a_fifth_on_each_side():
    picture = np.random.default_rng(0).integers(1, 256, (200, 200, 3), np.uint8)
    mask = np.zeros((200, 200), bool)
    mask[80:100, 50:110] = True  # 60 wide, 20 high: 84 a side, centred on (80, 90)
    parts = parts_from_masks({"eyes": mask})
    np.testing.assert_array_equal(part_crops(picture, parts, TIGHT)["eyes"], picture[48:132, 38:122])
    masked = part_crops(picture, parts, MASKED)["eyes"]
    np.testing.assert_array_equal(masked, np.where(mask[..., None], picture, 0))
    with pytest.raises(ValueError, match="Unknown crops 'loose'"):
        part_crops(picture, parts, "loose")


def test_a_crop_at_the_edge_is_black_where_the_picture_ends():
    picture = np.full((100, 100, 3), 200, np.uint8)
    mask = np.zeros((100, 100), bool)
    mask[0:10, 90:100] = True
    crop = part_crops(picture, parts_from_masks({"ears": mask}))["ears"]
    assert crop.shape == (14, 14, 3)
    assert (crop[:2] == 0).all() and (crop[:, 12:] == 0).all() and (crop[2:, :12] == 200).all()
    square = face_square(picture, (90, 40, 110, 60))
    assert square.shape == (40, 40, 3) and (square[:, 20:] == 0).all() and (square[:, :20] == 200).all()


def test_a_part_of_one_pixel_has_a_crop():
    picture = np.full((50, 50, 3), 9, np.uint8)
    mask = np.zeros((512, 512), bool)
    mask[100, 100] = True
    assert part_crops(picture, parts_from_masks({"nose": mask}))["nose"].size
