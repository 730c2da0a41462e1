"""Where a photo is cut around a face."""

import itertools

import numpy as np
import pytest

from consistentid_core.faces.face_crop import Box, crop_box, face_share, face_side, plan_crops, seam_mask

PHOTO = (640, 480)


def plan(*faces, size=PHOTO, margin=0.5, square=True, **limits):
    return plan_crops(faces, *size, margin=margin, square=square, **limits)


def test_a_square_has_the_face_in_its_middle_and_the_margin_on_each_side():
    box = crop_box((300, 200, 380, 300), *PHOTO, 0.5, True)
    assert (box.width, box.height) == (200, 200)  # 100, and half of it on both sides
    assert (box.x + box.width / 2, box.y + box.height / 2) == (340, 250)


def test_without_margin_the_box_is_the_faces():
    assert crop_box((100, 100, 164, 180), *PHOTO, 0.0, True) == Box(92, 100, 80, 80)


def test_the_photos_shape_is_kept():
    box = crop_box((300, 200, 360, 260), *PHOTO, 0.5, False)
    assert box.width / box.height == pytest.approx(PHOTO[0] / PHOTO[1], abs=0.04)
    assert box.height >= 120 and box.x <= 270 and box.right >= 390


@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("x", [-20, 0, 600])
@pytest.mark.parametrize("y", [-30, 0, 440])
def test_at_the_edge_the_box_is_moved_inside_and_keeps_its_size(x, y, square):
    box = crop_box((x, y, x + 60, y + 60), *PHOTO, 0.5, square)
    assert box.x >= 0 and box.y >= 0 and box.right <= PHOTO[0] and box.bottom <= PHOTO[1]
    assert box.holds(min(max(x + 30, 0), 639), min(max(y + 30, 0), 479))


def test_where_the_photo_ends_on_both_sides_the_box_ends_too():
    assert crop_box((100, 20, 500, 460), *PHOTO, 1.0, True) == Box(60, 0, 480, 480)
    assert crop_box((100, 20, 500, 460), *PHOTO, 1.0, False) == Box(0, 0, *PHOTO)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (33, 5), (4000, 17)])
@pytest.mark.parametrize("square", [True, False])
def test_every_photo_has_a_box_inside_it(size, square):
    for face in [(0, 0, 1, 1), (-9, -9, -5, -5), (*size, size[0] + 4, size[1] + 4), (0, 0, *size)]:
        box = crop_box(face, *size, 0.6, square)
        assert box.width > 0 and box.height > 0
        assert box.x >= 0 and box.y >= 0 and box.right <= size[0] and box.bottom <= size[1]


def test_sides_are_whole_steps_of_the_latents():
    for left, width in itertools.product((3, 17), (21, 50, 99)):
        box = crop_box((left, 40, left + width, 40 + width), *PHOTO, 0.33, True)
        assert box.width % 8 == 0


def test_small_boxes_are_enlarged_and_large_ones_are_not():
    small = plan((300, 200, 340, 240), smallest=512)
    assert (small.boxes[0].width, small.width, small.height) == (80, 512, 512)
    large = plan((100, 100, 300, 300), smallest=128)
    assert (large.width, large.height) == (large.boxes[0].width, large.boxes[0].height) == (400, 400)


def test_an_enlarged_cut_out_of_the_photos_shape_keeps_it():
    one = plan((300, 200, 340, 240), square=False, smallest=512)
    assert min(one.width, one.height) >= 512 and one.width % 8 == one.height % 8 == 0
    assert one.width / one.height == pytest.approx(4 / 3, rel=0.06)


def test_a_batch_gets_one_size_that_of_its_largest_cut_out():
    both = plan((300, 200, 340, 240), (100, 100, 300, 300), smallest=128)
    assert [box.width for box in both.boxes] == [80, 400]
    assert (both.width, both.height) == (400, 400)


@pytest.mark.parametrize(
    ("limits", "is_whole"),
    [
        ({}, False),
        ({"below_share": 0.2}, True),
        ({"below_share": 0.22}, False),
        ({"below_pixels": 100}, True),
        ({"below_pixels": 101}, False),
        ({"below_share": 0.2, "below_pixels": 101}, False),
    ],
)
def test_a_photo_whose_face_is_large_enough_stays_whole(limits, is_whole):
    one = plan((300, 200, 380, 300), **limits)  # a face of 100 pixels, 0.208 of the shorter side
    assert one.is_whole == (is_whole,)
    assert ((one.width, one.height) == PHOTO) is is_whole


def test_beside_a_photo_that_stays_whole_cut_outs_have_its_shape_and_size():
    both = plan((300, 200, 340, 240), (100, 50, 450, 450), below_share=0.3, smallest=1024)
    assert both.is_whole == (False, True)
    assert (both.width, both.height) == PHOTO
    assert both.boxes[0].width / both.boxes[0].height == pytest.approx(4 / 3, abs=0.07)


def test_without_a_face_the_photo_stays_whole():
    one = plan(None, smallest=1024)
    assert one.boxes == (Box(0, 0, *PHOTO),) and one.is_whole == (True,) and (one.width, one.height) == PHOTO


def test_a_face_is_measured_inside_the_photo_by_its_longer_side():
    assert face_side((-50, 0, 50, 80), *PHOTO) == 80
    assert face_share((0, 0, 60, 120), *PHOTO) == 0.25


def test_the_mask_is_one_inside_and_nothing_at_the_edges():
    mask = seam_mask(Box(100, 100, 80, 80), PHOTO, (160, 160))
    assert mask.shape == (160, 160) and mask.dtype == np.float32
    assert mask[80, 80] == 1.0 and mask[20:-20, 20:-20].min() > 0.9
    for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
        assert edge.max() < 0.01
    assert (np.diff(mask[80, :80]) >= 0).all()


def test_where_the_photo_ends_the_mask_does_not_fade():
    corner = seam_mask(Box(0, 0, 80, 80), PHOTO, (80, 80))
    assert corner[0, 0] == 1.0 and corner[-1, 0] < 0.02 and corner[0, -1] < 0.02
    assert (seam_mask(Box(0, 0, *PHOTO), PHOTO, PHOTO) == 1.0).all()
