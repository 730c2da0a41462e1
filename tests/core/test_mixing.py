"""Faces put together from several photos, and the best picture of each part."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from portrait_asset import LABELS, PORTRAIT

from consistentid_core.errors import NoFaceError
from consistentid_core.faces.face_parts import (
    FacePart,
    FaceParts,
    FacePhoto,
    StoredPart,
    StoredPhoto,
    find_parts,
    with_regions,
)
from consistentid_core.faces.mixing import best_parts, mix_parts, pool
from consistentid_core.faces.part_quality import part_quality
from consistentid_core.regions import REGION_NAMES
from consistentid_core.text.pairing import AS_MODE, BY_NAME


def photo(*regions, value=0):
    """A small photo whose parts have the names of their regions' pairs."""
    names = dict(zip(REGION_NAMES, ("Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip"), strict=True))
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 255
    parts = tuple(FacePart(names[region], region, mask) for region in REGION_NAMES if region in regions)
    return FacePhoto(np.full((8, 8, 3), value, np.uint8), parts)


def person(*photos, **fields):
    return FaceParts(tuple(photos), **fields)


def origins(mixed):
    """Which photo each region is from: {region: [image value, ...]}."""
    found = {}
    for one, part in mixed.parts():
        found.setdefault(part.region, []).append(int(one.image[0, 0, 0]))
    return found


A = person(photo(*REGION_NAMES, value=1))
B = person(photo("face", "eyes", "nose", value=2))
C = person(photo("eyes", "mouth", value=3), photo("mouth", value=4), photo("eyes", value=5))


# ---------------------------------------------------------------- mixing


def test_each_region_is_from_the_chosen_photo_and_the_rest_from_the_base():
    mixed = mix_parts(A, {"eyes": B, "nose": B})
    assert origins(mixed) == {"face": [1], "eyes": [2], "ears": [1], "nose": [2], "mouth": [1]}
    assert len(mixed.photos) == 2


def test_of_a_source_with_several_photos_all_that_show_the_region_are_used():
    mixed = mix_parts(A, {"mouth": C})
    assert origins(mixed)["mouth"] == [3, 4]
    assert origins(mixed)["eyes"] == [1]


def test_a_region_that_the_base_lacks_can_come_from_elsewhere():
    assert origins(mix_parts(B, {"mouth": C}))["mouth"] == [3, 4]


def test_mixing_nothing_changes_nothing():
    mixed = mix_parts(A, {})
    assert mixed.photos == A.photos and mixed.photos[0] is A.photos[0]
    assert (mixed.strengths, mixed.pairing, mixed.id_weights) == ({}, AS_MODE, None)


def test_the_base_as_its_own_source_changes_nothing():
    mixed = mix_parts(A, {"eyes": A})
    assert mixed.photos == A.photos and mixed.id_weights is None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (B, r"photo connected to 'ears' shows no ears, only: face, eyes, nose"),
        (C, r"None of the 3 photos connected to 'ears' shows ears, only: eyes, mouth"),
        (person(photo()), r"shows no ears, only: nothing"),
    ],
)
def test_a_region_missing_in_its_photo_is_an_error_that_names_what_is_there(source, text):
    with pytest.raises(NoFaceError, match=text):
        mix_parts(A, {"ears": source})


def test_the_id_tokens_are_made_from_the_base_alone_by_default():
    assert mix_parts(A, {"eyes": B}).id_weights == (1.0, 0.0)


def test_id_weights_are_shared_by_the_photos_of_one_input():
    mixed = mix_parts(A, {"mouth": C}, id_weight=0.4, id_weights={"mouth": 0.6})
    assert mixed.id_weights == pytest.approx((0.4, 0.2, 0.2, 0.2))


def test_a_photo_that_gives_neither_part_nor_id_is_left_out():
    assert len(mix_parts(A, {"mouth": C}).photos) == 3
    assert len(mix_parts(A, {"mouth": C}, id_weights={"mouth": 1.0}).photos) == 4


def test_one_input_for_two_regions_adds_up_its_weights():
    mixed = mix_parts(A, {"eyes": B, "nose": B}, id_weight=0.0, id_weights={"eyes": 0.5, "nose": 0.5})
    assert mixed.id_weights == (0.0, 1.0)


def test_proportions_of_an_earlier_mix_are_kept():
    first = mix_parts(A, {"eyes": B}, id_weight=0.75, id_weights={"eyes": 0.25})
    second = mix_parts(first, {"mouth": C}, id_weight=1.0)
    assert second.id_weights == pytest.approx((0.75, 0.25, 0.0, 0.0))


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ({"id_weight": 0.0}, "at least 0, and one of them above 0"),
        ({"id_weight": -1.0}, "at least 0"),
        ({"id_weights": {"nose": 0.5}}, "photo of 'nose', but none is connected.*id_from_nose"),
    ],
)
def test_id_weights_that_take_the_tokens_from_no_photo_are_refused(weights, text):
    with pytest.raises(ValueError, match=text):
        mix_parts(A, {"eyes": B}, **weights)


def test_strengths_multiply_and_follow_their_region():
    strong = mix_parts(B, {}, strengths={"eyes": 1.5, "nose": 0.5})
    mixed = mix_parts(A, {"eyes": strong}, strengths={"eyes": 0.5, "mouth": 2.0})
    assert [mixed.strength(region) for region in REGION_NAMES] == [1, 0.75, 1, 1, 2]


@pytest.mark.parametrize("strength", [-0.1, 2.1])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValueError, match="strength of 'nose'.*between 0 and 2"):
        mix_parts(A, {}, strengths={"nose": strength})


def test_the_pairing_is_the_last_one_chosen():
    by_name = mix_parts(A, {}, pairing=BY_NAME)
    assert by_name.pairing == BY_NAME
    assert mix_parts(by_name, {"eyes": B}).pairing == BY_NAME


def test_stored_photos_mix_like_any_other():
    features = torch.zeros(257, 1280)
    kept = StoredPhoto(
        features, (StoredPart("Left_Eye", "eyes", features), StoredPart("Nose", "nose", features))
    )
    mixed = mix_parts(A, {"nose": person(kept)})
    assert [part.region for part in mixed.photos[1].parts] == ["nose"]
    assert [part.region for part in mixed.photos[0].parts] == ["face", "eyes", "ears", "mouth"]


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0), (0.0, 0.0)])
def test_face_parts_refuse_id_weights_that_do_not_fit_their_photos(weights):
    with pytest.raises(ValueError, match="do not fit 2 photos"):
        person(photo("face"), photo("face"), id_weights=weights)


# ---------------------------------------------------------------- pooling and choosing the best


def blurred(image, radius):
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def portrait(image=PORTRAIT, labels=LABELS):
    return FacePhoto(image, find_parts(labels), labels)


def blurred_at(region, radius=4):
    """The portrait with one of its parts out of focus."""
    mask = next(part.mask for part in portrait().parts if part.region == region) > 0
    wide = np.asarray(Image.fromarray(mask).filter(ImageFilter.MaxFilter(9)))
    return portrait(np.where(wide[:, :, None], blurred(PORTRAIT, radius), PORTRAIT))


def quality(one, region):
    return next(part_quality(one, part) for part in one.parts if part.region == region)


@pytest.mark.parametrize("region", REGION_NAMES)
def test_a_blurred_part_is_worse_the_more_it_is_blurred(region):
    sharp, soft, softer = (quality(portrait(blurred(PORTRAIT, radius)), region) for radius in (0, 2, 4))
    assert sharp > soft > softer > 0


@pytest.mark.parametrize("region", REGION_NAMES)
def test_a_part_of_a_smaller_face_is_worse(region):
    wider = np.pad(PORTRAIT, ((256, 256), (256, 256), (0, 0)))
    assert quality(portrait(wider, np.pad(LABELS, 256)), region) < quality(portrait(), region)


def test_a_larger_copy_of_a_photo_is_about_as_good():
    double = portrait(np.asarray(Image.fromarray(PORTRAIT).resize((1024, 1024), Image.Resampling.BICUBIC)))
    assert quality(double, "nose") == pytest.approx(quality(portrait(), "nose"), rel=0.2)


def test_a_part_outside_of_what_clip_sees_has_no_quality():
    aside = np.pad(PORTRAIT, ((0, 0), (0, 1024), (0, 0)))
    one = portrait(aside, np.pad(LABELS, ((0, 0), (0, 1024))))
    assert quality(one, "nose") == 0


def test_each_part_is_from_the_photo_that_shows_it_best():
    best = best_parts([person(blurred_at("eyes"), blurred_at("mouth"))])
    first, second = ({part.region for part in one.parts} for one in best.photos)
    assert "eyes" in second and "mouth" in first
    assert sorted([*first, *second]) == sorted(REGION_NAMES)


def test_the_best_parts_do_not_depend_on_the_order_of_the_photos():
    photos = [portrait(blurred(PORTRAIT, 3)), portrait(), portrait(blurred(PORTRAIT, 1))]
    for order in ((0, 1, 2), (2, 1, 0)):
        best = best_parts([person(*(photos[i] for i in order))])
        assert {one.image.tobytes() for one, _ in best.parts()} == {PORTRAIT.tobytes()}


def test_several_best_pictures_of_a_part_can_be_kept():
    photos = [portrait(blurred(PORTRAIT, radius)) for radius in (3, 0, 1)]
    two = best_parts([person(*photos)], keep=2)
    assert [len(one.parts) for one in two.photos] == [0, 5, 5]
    assert best_parts([person(*photos)], keep=3).photos == tuple(photos)


def test_all_photos_still_count_for_the_id_tokens():
    best = best_parts([person(portrait(), portrait(blurred(PORTRAIT, 3)))])
    assert len(best.photos) == 2 and best.id_weights is None


def test_a_part_that_only_a_blurred_photo_shows_is_taken_from_it():
    without_nose = with_regions(portrait(), ("face", "eyes"))
    best = best_parts([person(without_nose), person(portrait(blurred(PORTRAIT, 3)))])
    assert {part.region for part in best.photos[1].parts} == {"ears", "nose", "mouth"}


def test_stored_parts_are_judged_by_the_quality_they_were_stored_with():
    features = torch.zeros(257, 1280)
    good, bad = (StoredPhoto(features, (StoredPart("Nose", "nose", features, q),)) for q in (2.0, 1.0))
    best = best_parts([person(bad, good)])
    assert [len(one.parts) for one in best.photos] == [0, 1]


def test_keeping_none_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        best_parts([A], keep=0)


def test_pooled_inputs_keep_their_order_and_the_settings_of_the_first():
    first = person(*A.photos, strengths={"eyes": 0.5}, pairing=BY_NAME)
    pooled = pool([first, B, C])
    assert pooled.photos == (*A.photos, *B.photos, *C.photos)
    assert (pooled.strengths, pooled.pairing, pooled.id_weights) == ({"eyes": 0.5}, BY_NAME, None)


def test_pooled_photos_count_alike_unless_their_input_says_otherwise():
    weighted = person(*C.photos, id_weights=(0.0, 1.0, 3.0))
    assert pool([A, weighted]).id_weights == pytest.approx((1.0, 0.0, 0.75, 2.25))
