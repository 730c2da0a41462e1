import numpy as np
import pytest

from consistentid_core.faces.face_parts import find_parts
from consistentid_core.faces.overlay import MAX_LAYER_SIDE, draw_overlay
from consistentid_core.regions import region_named


@pytest.fixture
def photo():
    return np.full((200, 300, 3), 150, np.uint8)


@pytest.fixture
def parts():
    label_map = np.zeros((100, 100), np.uint8)
    label_map[10:90, 10:90] = 1
    label_map[40:60, 40:60] = 10
    return find_parts(label_map)


def nearness(pixel, colour):
    return -np.abs(pixel.astype(int) - 150 - 0.4 * (np.array(colour) - 150)).sum()


def test_the_overlay_has_the_photos_size_and_leaves_the_photo_alone(photo, parts):
    before = photo.copy()
    overlay = draw_overlay(photo, parts)
    assert overlay.shape == photo.shape and overlay.dtype == np.uint8
    assert np.array_equal(photo, before)


def test_each_part_is_tinted_with_its_regions_colour(photo, parts):
    overlay = draw_overlay(photo, parts)
    face, nose = overlay[40, 60], overlay[100, 150]
    face_colour, nose_colour = region_named("face").colour, region_named("nose").colour
    assert nearness(face, face_colour) > nearness(face, nose_colour)
    assert nearness(nose, nose_colour) > nearness(nose, face_colour)


def test_the_photo_stays_visible_under_the_colours(parts):
    stripes = np.zeros((200, 300, 3), np.uint8)
    stripes[::2] = 255
    overlay = draw_overlay(stripes, parts).astype(int)
    assert np.abs(overlay[80, 150] - overlay[81, 150]).min() > 100


def test_the_surroundings_are_darker_than_the_photo(photo, parts):
    overlay = draw_overlay(photo, parts)
    assert (overlay[5, 5] < 120).all()


def test_a_bright_line_marks_the_edge_of_a_part(photo, parts):
    overlay = draw_overlay(photo, parts).sum(axis=2).astype(int)
    row = overlay[50]  # crosses the left edge of the face at x = 30
    edge = row[26:35].max()
    assert edge > row[60] + 40 and edge > row[5] + 40


def test_without_parts_the_photo_comes_back(photo):
    assert np.array_equal(draw_overlay(photo, ()), photo)


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (10, MAX_LAYER_SIDE + 500)])
def test_any_picture_size_works(size, parts):
    assert draw_overlay(np.zeros((*size, 3), np.uint8), parts).shape == (*size, 3)
