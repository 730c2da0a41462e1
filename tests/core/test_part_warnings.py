"""When the parts of a photo are poor material."""

import numpy as np
import pytest
from portrait_asset import LABELS, PORTRAIT

from consistentid_core.faces.face_parts import FacePart, FacePhoto, find_parts, twin_mask
from consistentid_core.faces.part_warnings import PartWarnings, count_faces, seen_size, warnings_of
from consistentid_core.regions import CLASSES

ALL = ("face", "eyes", "ears", "nose", "mouth")
EYES = (CLASSES.index("Left_Eye"), CLASSES.index("Right_Eye"))
NOSE = CLASSES.index("Nose")


def labels(*blobs, size=(400, 400)):
    """A label map of background with filled rectangles (class, left, top, width, height)."""
    found = np.zeros(size, np.uint8)
    for class_id, left, top, width, height in blobs:
        found[top : top + height, left : left + width] = class_id
    return found


def face(x, y, scale=1.0):
    """The inner parts of a face of about 100 pixels whose nose is at x, y."""
    parts = [(EYES[0], -30, -30, 22, 10), (EYES[1], 10, -30, 22, 10), (NOSE, -8, -10, 16, 26)]
    parts += [(12, -16, 24, 32, 6), (13, -16, 32, 32, 8)]
    return [
        (class_id, round(x + left * scale), round(y + top * scale), *(round(side * scale) for side in size))
        for class_id, left, top, *size in parts
    ]


def test_a_portrait_is_of_one_face():
    assert count_faces(LABELS) == 1
    assert count_faces(labels(*face(200, 200))) == 1


@pytest.mark.parametrize("other", [(320, 100), (180, 100), (80, 300)])
def test_two_faces_are_two_wherever_they_are(other):
    assert count_faces(labels(*face(80, 100), *face(*other))) == 2


def test_many_faces_are_counted():
    places = [(x, y) for x in (60, 180, 300) for y in (70, 190, 310)]
    assert count_faces(labels(*(part for place in places for part in face(*place, 0.6)))) == 9


def test_a_strand_of_hair_over_a_face_parts_nobody():
    parted = labels(*face(200, 200))
    parted[:, 195:202] = 0
    assert count_faces(parted) == 1


def test_a_profile_whose_eyes_are_both_called_left_is_one_face():
    profile = labels(*face(200, 200))
    profile[profile == EYES[1]] = EYES[0]
    assert count_faces(profile) == 1


def test_one_kind_of_part_alone_makes_no_second_face():
    """A parser sees a nose in a hand now and then."""
    assert count_faces(labels(*face(100, 100), (NOSE, 300, 300, 16, 26))) == 1


def test_specks_are_nothing():
    assert (
        count_faces(labels(*face(200, 200), *((class_id, 20, 20, 2, 2) for class_id in (*EYES, NOSE)))) == 1
    )


def test_without_inner_parts_there_is_no_face():
    assert count_faces(labels((1, 100, 100, 50, 50))) == 0


def test_noise_is_counted_in_bounded_time():
    noise = np.random.default_rng(0).integers(0, 19, (1280, 1280)).astype(np.uint8)
    assert count_faces(noise) <= 100


def photo(width, height, box):
    """A photo whose nose is a box (left, top, right, bottom) in its pixels."""
    left, top, right, bottom = box
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 255
    return FacePhoto(np.zeros((height, width, 3), np.uint8), (FacePart("Nose", "nose", mask),))


@pytest.mark.parametrize(
    ("size", "box", "seen"),
    [
        ((448, 448), (100, 100, 140, 120), 20.0),  # half as large
        ((896, 448), (400, 100, 440, 120), 20.0),  # so is the middle square
        ((896, 448), (0, 100, 40, 120), 0.0),  # outside it
        ((896, 448), (204, 100, 244, 110), 10.0),  # half of it
        ((448, 896), (100, 440, 120, 480), 20.0),
    ],
)
def test_a_part_is_measured_in_the_square_that_clip_sees(size, box, seen):
    one = photo(*size, box)
    assert seen_size(one.parts[0], one.image) == pytest.approx(seen)


def test_the_mask_is_stretched_over_the_photo():
    one = photo(400, 200, (100, 50, 200, 100))
    small = FacePart("Nose", "nose", one.parts[0].mask[::2, ::4])
    assert seen_size(small, one.image) == pytest.approx(seen_size(one.parts[0], one.image), rel=0.05)


def test_the_sample_portrait_is_good_material():
    assert not warnings_of(FacePhoto(PORTRAIT, find_parts(LABELS), LABELS), ALL)


def test_small_parts_that_are_used_are_named():
    small = np.zeros((4 * 512, 4 * 512), np.uint8)
    small[768:1280, 768:1280] = LABELS
    one = FacePhoto(np.zeros((*small.shape, 3), np.uint8), find_parts(small), small)
    assert warnings_of(one, ALL) == PartWarnings(tiny=("eyes", "ears", "nose", "mouth"))
    assert warnings_of(one, ("face", "nose")) == PartWarnings(tiny=("nose",))


def test_parts_of_two_faces_are_said():
    two = labels(*face(100, 200), *face(300, 200))
    one = FacePhoto(np.zeros((400, 400, 3), np.uint8), find_parts(two), two)
    assert warnings_of(one, ("nose",)).faces == 2


def test_masks_of_ones_own_are_believed():
    assert warnings_of(photo(448, 448, (100, 100, 140, 120)), ALL).faces == 0


def test_the_twin_is_the_other_one_of_a_pair():
    parts = {part.region: part for part in find_parts(LABELS)}
    eye = twin_mask(parts["eyes"], LABELS)
    assert np.array_equal(eye == 255, np.isin(LABELS, EYES[1]))
    assert twin_mask(parts["nose"], LABELS) is None and twin_mask(parts["face"], LABELS) is None


def test_where_both_or_only_one_are_there_there_is_no_twin():
    both = {part.region: part for part in find_parts(LABELS, pair="both")}
    assert twin_mask(both["eyes"], LABELS) is None
    one_eye = np.where(np.isin(LABELS, EYES[1]), np.uint8(0), LABELS)
    (eye,) = (part for part in find_parts(one_eye) if part.region == "eyes")
    assert twin_mask(eye, one_eye) is None
    assert twin_mask(eye, None) is None
