"""A sweep on one picture: every pair once, each in its place, the best one marked, the numbers checked."""

import numpy as np
import pytest

from consistentid_core.evaluation.contact_sheet import Axis, cross, draw_sheet, read_values

GREEN = (64, 220, 120)


def colours(count):
    return [np.full((40, 60, 3), (60 + 20 * n, 30, 200 - 15 * n), np.uint8) for n in range(count)]


def places(sheet, colour):
    """Middle of where a colour is, (x, y)."""
    rows, columns = np.nonzero((np.abs(sheet.astype(int) - colour) <= 2).all(axis=2))
    return columns.mean(), rows.mean()


def test_every_pair_comes_once_row_by_row():
    assert cross((1, 2, 3), (0.5, 0.7)) == ([1, 2, 3, 1, 2, 3], [0.5, 0.5, 0.5, 0.7, 0.7, 0.7])


@pytest.mark.parametrize("text", ["0.3, 0.5,0.7", "0.3 0.5 0.7", "0.3;0.5;0.7", " .3, .5,\n.7 "])
def test_values_are_read_however_they_are_separated(text):
    assert read_values(text, "across") == (0.3, 0.5, 0.7)


@pytest.mark.parametrize("text", ["", "a, b", "0.5, 0.5", "nan", "1e9", ",".join(map(str, range(13)))])
def test_what_is_no_list_of_numbers_is_named(text):
    with pytest.raises(
        ValueError, match="cannot be the values of down. Expected are 1 to 12 different numbers"
    ):
        read_values(text, "down")


def test_pictures_lie_in_the_column_and_row_of_their_values():
    across, down = cross((0.3, 0.6, 0.9), (0.8, 1.0))
    order = [4, 0, 5, 2, 1, 3]
    pictures = colours(6)
    sheet = draw_sheet(
        [pictures[n] for n in order],
        Axis("merge", tuple(across[n] for n in order)),
        Axis("weight", tuple(down[n] for n in order)),
        side=120,
    )
    xs, ys = zip(*(places(sheet, picture[0, 0]) for picture in pictures), strict=True)
    columns = [across[n] for n in range(6)]
    for n in range(6):
        for m in range(6):
            if columns[n] == columns[m]:
                assert xs[n] == pytest.approx(xs[m], abs=1)
            if down[n] == down[m]:
                assert ys[n] == pytest.approx(ys[m], abs=1)
    assert len({round(x) for x in xs}) == 3 and len({round(y) for y in ys}) == 2


def test_the_best_score_is_green_and_of_a_batch_the_mean_counts():
    across, down = (
        Axis(name, tuple(values)) for name, values in zip("xy", cross((1, 2), (1, 2)), strict=True)
    )
    pictures = colours(4)
    plain = draw_sheet(pictures, across, down, side=120)
    assert not (plain == GREEN).all(axis=2).any()
    for scores in ([0.1, 0.2, 0.9, 0.3], [0.1, 0.1, 0.2, 0.2, 0.7, 0.8, 0.9, 0.1]):
        sheet = draw_sheet(pictures, across, down, scores, side=120)
        x, y = places(sheet, np.array(GREEN))
        middle_x, middle_y = places(sheet, pictures[2][0, 0])
        assert abs(x - middle_x) < 30 and abs(y - middle_y) < 30


def test_numbers_that_do_not_fit_are_named():
    one = Axis("x", (1.0, 2.0))
    with pytest.raises(ValueError, match="3 pictures came with 2 values of x and 2 of x"):
        draw_sheet(colours(3), one, one)
    with pytest.raises(ValueError, match="have the same x and y"):
        draw_sheet(colours(2), Axis("x", (1.0, 1.0)), Axis("y", (2.0, 2.0)))
    with pytest.raises(ValueError, match="3 scores came with 2 pictures"):
        draw_sheet(colours(2), one, one, [0.1, 0.2, 0.3])


def test_pictures_of_several_sizes_fit_their_cells():
    pictures = [np.full((h, w, 3), 200, np.uint8) for h, w in ((10, 300), (300, 10), (64, 64))]
    axis = Axis("x", (1.0, 2.0, 3.0))
    assert draw_sheet(pictures, axis, Axis("y", (1.0, 1.0, 1.0)), [0.1, 0.2, 0.3], side=64).shape[2] == 3
