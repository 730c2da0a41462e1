"""Corrections of facial parts with a brush: what a stroke does to a mask, and the file it is kept in."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from consistentid_core.errors import BrushError
from consistentid_core.faces import brush
from consistentid_core.faces.brush import (
    MAX_BYTES,
    MAX_POINTS,
    MAX_RADIUS,
    Correction,
    Stroke,
    brushed,
    correct_parts,
    correct_photo,
    photo_id,
    read_corrections,
    to_bytes,
)
from consistentid_core.faces.face_parts import FacePart, FacePhoto

SQUARE = (400, 400)
EMPTY = np.zeros((200, 200), np.uint8)


def dab(x, y, radius=0.1, *, adds=True, region="nose"):
    return Stroke(region, adds, radius, ((x, y),))


def part(region="nose", name="Nose", mask=None):
    if mask is None:
        mask = np.zeros((200, 200), np.uint8)
        mask[80:120, 90:110] = 255
    return FacePart(name, region, mask)


def written(**changes):
    """A file with one photo and one stroke, and whatever is changed of the stroke."""
    stroke = {"region": "nose", "adds": True, "radius": 0.02, "points": [0.5, 0.5], **changes}
    photo = {"width": 400, "height": 300, "strokes": [stroke]}
    return json.dumps({"format": "consistentid_brush", "version": 1, "photos": {"a" * 32: photo}}).encode()


# ---------------------------------------------------------------- strokes


def test_a_dab_is_a_disc_of_its_radius_in_its_place():
    mask = brushed(EMPTY, [dab(0.25, 0.75)], SQUARE)
    rows, columns = np.nonzero(mask)
    assert set(np.unique(mask)) == {0, 255}
    assert (columns.mean() + 0.5) / 200 == pytest.approx(0.25, abs=0.004)
    assert (rows.mean() + 0.5) / 200 == pytest.approx(0.75, abs=0.004)
    assert len(rows) == pytest.approx(np.pi * 20**2, rel=0.03)


def test_a_brush_is_round_on_the_photo_where_the_mask_is_not():
    """A label map is square whatever the photo is, so a disc of the photo is an ellipse in it."""
    mask = brushed(EMPTY, [dab(0.5, 0.5)], (200, 400))
    assert np.ptp(np.nonzero(mask)[1]) == pytest.approx(40, abs=2)
    assert np.ptp(np.nonzero(mask)[0]) == pytest.approx(80, abs=2)


def test_a_stroke_covers_everything_within_its_radius_of_the_line():
    stroke = Stroke("nose", True, 0.05, ((0.2, 0.2), (0.8, 0.2), (0.8, 0.7)))
    mask = brushed(EMPTY, [stroke], SQUARE)
    y, x = (np.mgrid[:200, :200] + 0.5) / 200
    level = np.hypot(x - x.clip(0.2, 0.8), y - 0.2)
    upright = np.hypot(x - 0.8, y - y.clip(0.2, 0.7))
    distance = np.minimum(level, upright)
    assert mask[distance < 0.045].all()
    assert not mask[distance > 0.055].any()


def test_later_strokes_lie_over_earlier_ones():
    add, erase = dab(0.5, 0.5), dab(0.5, 0.5, 0.05, adds=False)
    assert brushed(EMPTY, [add, erase], SQUARE)[100, 100] == 0
    assert brushed(EMPTY, [erase, add], SQUARE)[100, 100] == 255


def test_where_no_stroke_goes_the_mask_stays_as_it_is():
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 256, (200, 200), dtype=np.uint8)
    after = brushed(mask, [dab(0.2, 0.2), dab(0.7, 0.7, adds=False)], SQUARE)
    y, x = (np.mgrid[:200, :200] + 0.5) / 200
    far = (np.hypot(x - 0.2, y - 0.2) > 0.11) & (np.hypot(x - 0.7, y - 0.7) > 0.11)
    assert np.array_equal(after[far], mask[far])


# ---------------------------------------------------------------- parts


def test_a_stroke_changes_its_own_part_alone():
    nose, mouth = part(), part("mouth", "Upper_Lip")
    after = correct_parts([nose, mouth], [dab(0.5, 0.5, adds=False)], SQUARE)
    assert [one.region for one in after] == ["nose", "mouth"]
    assert after[1] is mouth
    assert after[0].area < nose.area and after[0].name == "Nose"


def test_a_hole_made_by_the_eraser_stays_a_hole():
    nose = part(mask=np.full((200, 200), 255, np.uint8))
    (after,) = correct_parts([nose], [dab(0.5, 0.5, adds=False)], SQUARE)
    assert after.mask[100, 100] == 0 and after.mask[10, 10] == 255


def test_a_part_that_was_not_found_can_be_painted():
    after = correct_parts([part()], [dab(0.2, 0.5, region="ears")], SQUARE)
    assert [(one.region, one.name) for one in after] == [("ears", "Ears"), ("nose", "Nose")]
    assert after[0].mask.shape == (200, 200)


def test_a_photo_without_any_part_can_be_painted():
    (after,) = correct_parts([], [dab(0.5, 0.5)], SQUARE)
    assert after.mask.shape == (512, 512) and after.mask[256, 256] == 255


def test_a_part_of_which_nothing_is_left_is_not_found():
    everything = Stroke("nose", False, 0.15, tuple((x / 10, 0.5) for x in range(11)))
    assert correct_parts([part()], [everything], SQUARE) == ()


def test_without_strokes_a_photo_is_the_very_same():
    photo = FacePhoto(np.zeros((400, 400, 3), np.uint8), (part(),))
    assert correct_photo(photo, ()) is photo


def test_what_the_brush_adds_is_what_clip_sees():
    photo = FacePhoto(np.full((400, 400, 3), 200, np.uint8), (part(),))
    corrected = correct_photo(photo, [dab(0.1, 0.1)])
    before, after = photo.crop(photo.parts[0]), corrected.crop(corrected.parts[0])
    assert not before[40, 40].any() and (after[40, 40] == 200).all()


# ---------------------------------------------------------------- photos


def test_a_photo_is_known_by_its_pixels_and_its_size():
    photo = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    changed = photo.copy()
    changed[0, 0, 0] ^= 1
    assert len(photo_id(photo)) == 32
    assert photo_id(photo) == photo_id(photo.copy(order="F"))
    assert len({photo_id(one) for one in (photo, changed, photo.reshape(4, 2, 3))}) == 3


# ---------------------------------------------------------------- the file


def test_a_file_brings_back_what_was_written():
    strokes = (dab(0.25, 0.5), Stroke("ears", False, 0.01, ((0.1, -0.1), (0.125, 1.2))))
    corrections = {"a" * 32: Correction(400, 300, strokes), "b" * 32: Correction(1, 2, ())}
    assert read_corrections(to_bytes(corrections)) == corrections


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is damaged"),
        (b"\x89PNG\r\n\x1a\n", "is damaged"),
        (written()[:-3], "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b'{"version": 1' + b"0" * 5000 + b"}", "is damaged"),
        (b'{"version": NaN}', "is damaged"),
        (b"[]", "is no file of brush strokes"),
        (b'{"format": "other"}', "is no file of brush strokes"),
        (b'{"format": "consistentid_brush", "version": 2}', "has version 2 of the file format"),
        (b'{"format": "consistentid_brush", "version": 1}', "does not hold"),
        (b'{"format": "consistentid_brush", "version": 1, "photos": [1]}', "does not hold"),
        (b'{"format": "consistentid_brush", "version": 1, "photos": {"a": {}}}', "does not hold"),
        (written(region="hair"), "'hair' is no part of the face"),
        (written(region=["nose"]), "is no part of the face"),
        (written(adds=1), "says neither to add nor to erase"),
        (written(radius=MAX_RADIUS + 0.01), "is no number from 0 to 0.15"),
        (written(radius=True), "'True' is no number"),
        (written(points=[0.5]), "a stroke has 1 numbers as points"),
        (written(points=[]), "a stroke has 0 numbers as points"),
        (written(points=[0.5, 9.0]), "'9.0' is no number from -0.5 to 1.5"),
        (written(points="ab"), "is no number"),
        (written(points=[0.5] * 2 * (MAX_POINTS + 1)), "holds 20,001 points, more than the 20,000"),
        (b" " * (MAX_BYTES + 1), "is larger than 1,000,000 bytes"),
    ],
)
def test_what_was_not_painted_by_hand_is_refused_in_words(data, why):
    with pytest.raises(BrushError, match=why) as error:
        read_corrections(data)
    assert len(str(error.value)) < 400


def test_a_file_at_its_bounds_is_drawn_in_seconds():
    """Whoever made it: a run must not hang on it."""
    points = tuple((0.1 + 0.8 * (i % 2), i / MAX_POINTS) for i in range(MAX_POINTS))
    mask = brushed(np.zeros((1280, 1280), np.uint8), [Stroke("nose", True, MAX_RADIUS, points)], (1280, 1280))
    assert mask.mean() > 200


def test_the_interface_paints_within_the_bounds_of_the_file():
    source = (Path(__file__).parents[2] / "web/js/lib/brush_data.js").read_text("utf-8")
    numbers = dict(re.findall(r"\b([A-Za-z_]+)(?: =|:) ([\d_.]+)\b", source))
    bounds = {
        "photos": brush.MAX_PHOTOS, "strokes": brush.MAX_STROKES, "points": brush.MAX_POINTS,
        "MAX_RADIUS": brush.MAX_RADIUS, "BEYOND": brush._BEYOND, "VERSION": brush.VERSION,
    }  # fmt: skip
    assert {name: float(numbers[name]) for name in bounds} == bounds
