"""Which pictures of a face CLIP has to see, and what becomes of their features."""

import gc
import weakref

import numpy as np
import pytest
import torch

from consistentid_core.faces.clip_pixels import clip_pixel_values
from consistentid_core.faces.face_parts import (
    FacePart,
    FaceParts,
    FacePhoto,
    StoredPart,
    StoredPhoto,
    ZeroImage,
    one_each,
)
from consistentid_core.faces.pictures import (
    crops,
    mean_by_region,
    no_picture,
    pictures_to_see,
    stored_features,
    without_pictures,
)
from consistentid_core.identity.photo_features import person_features

NOTHING = ZeroImage(torch.zeros(257, 1280))


def photo(*regions, seed=0, size=(90, 60)):
    """A photo of noise with a part for each region, one below the other."""
    generator = np.random.default_rng(seed)
    parts = []
    for number, region in enumerate(regions):
        mask = np.zeros((32, 32), np.uint8)
        mask[4 * number : 4 * number + 4, 8:24] = 255
        parts.append(FacePart(region.title(), region, mask))
    return FacePhoto(generator.integers(0, 255, (*size, 3), dtype=np.uint8), tuple(parts))


def stored_photo(*regions, seed=0):
    generator = torch.Generator().manual_seed(seed)
    parts = [
        StoredPart(region.title(), region, torch.randn(257, 1280, generator=generator)) for region in regions
    ]
    return StoredPhoto(torch.randn(257, 1280, generator=generator), tuple(parts))


def features_of(face_parts):
    """Features told apart by a number."""
    shown = [*face_parts.photos, *(part for _, part in face_parts.parts())]
    return {one: torch.full((257, 1280), float(number)) for number, one in enumerate(shown)}


def test_photos_come_first_and_then_the_crops_photo_by_photo():
    one, two = photo("face", "nose"), photo("mouth", seed=1)
    pictures = list(pictures_to_see(FaceParts((one, two))))
    assert [shown for shown, _ in pictures] == [one, two, *one.parts, *two.parts]
    assert pictures[0][1] is one.image


def test_crops_are_what_clip_makes_of_the_blacked_out_photo():
    face_parts = FaceParts((photo("face", "nose"),))
    (shown,) = face_parts.photos
    expected = clip_pixel_values([shown.crop(part) for part in shown.parts])
    assert torch.equal(clip_pixel_values(picture for _, picture in crops(face_parts)), expected)


def test_photos_without_a_weight_in_the_id_tokens_show_their_parts_alone():
    one, two = photo("face"), photo("nose", seed=1)
    shown = [shown for shown, _ in pictures_to_see(FaceParts((one, two), id_weights=(0.0, 2.0)))]
    assert shown == [two, *one.parts, *two.parts]


def test_every_person_of_a_batch_is_seen_with_weights_of_its_own():
    one = FaceParts((photo("face"), photo("nose", seed=1)), id_weights=(1.0, 0.0))
    other = FaceParts((photo("mouth", seed=2),))
    shown = [shown for shown, _ in pictures_to_see(one_each((one, other)))]
    assert shown[:2] == [one.photos[0], other.photos[0]] and len(shown) == 2 + 3


def test_of_stored_photos_nothing_is_left_to_see():
    stored = stored_photo("face", "nose")
    face_parts = FaceParts((stored, photo("mouth")))
    shown = [shown for shown, _ in pictures_to_see(face_parts)]
    assert shown == [face_parts.photos[1], *face_parts.photos[1].parts]
    brought = stored_features(face_parts)
    assert set(brought) == {stored, *stored.parts}
    assert brought[stored.parts[1]] is stored.parts[1].features


def test_a_part_of_several_photos_is_averaged():
    face_parts = FaceParts((photo("face", "nose"), photo("nose", seed=1)))
    features = features_of(face_parts)  # 0 and 1: photos; 2: face, 3 and 4: noses
    means = mean_by_region(face_parts, features)
    assert {region: mean[0, 0].item() for region, mean in means.items()} == {"face": 2.0, "nose": 3.5}


def test_the_id_tokens_take_photos_by_their_weights():
    face_parts = FaceParts((photo(seed=0), photo(seed=1), photo(seed=2)), id_weights=(1.0, 0.0, 3.0))
    features = {
        one: torch.full((257, 1280), value)
        for one, value in zip(face_parts.photos, (1.0, 50.0, 5.0), strict=True)
    }
    torch.testing.assert_close(person_features(face_parts, features), torch.full((1, 257, 1280), 4.0))


def test_a_face_without_pictures_keeps_features_names_and_choices():
    face_parts = FaceParts((photo("face", "nose"),), {"nose": 0.5}, id_weights=(2.0,))
    features = features_of(face_parts)
    stored = without_pictures(face_parts, features, NOTHING)
    assert stored.is_stored and stored.zero_image is NOTHING
    assert (stored.strengths, stored.id_weights) == (face_parts.strengths, face_parts.id_weights)
    (kept,) = stored.photos
    assert kept.features is features[face_parts.photos[0]]
    assert [(part.name, part.region, part.features[0, 0].item()) for part in kept.parts] == [
        ("Face", "face", 1.0),
        ("Nose", "nose", 2.0),
    ]


def test_a_file_is_not_of_several_people():
    people = one_each([FaceParts((photo("face"),)), FaceParts((photo("face", seed=1),))])
    with pytest.raises(ValueError, match="of 2 people"):
        without_pictures(people, features_of(people), NOTHING)


def test_no_picture_is_zeros_after_normalising():
    assert torch.equal(no_picture(), torch.zeros(1, 3, 224, 224))


def test_a_crop_is_made_once_and_goes_with_its_part():
    face_parts = FaceParts((photo("face"),))
    first, again = (dict(crops(face_parts))[face_parts.photos[0].parts[0]] for _ in range(2))
    assert first is again
    gone = weakref.ref(first)
    gc.disable()
    try:
        del first, again, face_parts
        assert gone() is None
    finally:
        gc.enable()
