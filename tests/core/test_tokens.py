import pytest

from consistentid_core.errors import PromptError
from consistentid_core.text.markers import MARKER
from consistentid_core.text.tokens import (
    CONTEXT_LENGTH,
    MAX_FACIAL_TOKENS,
    MarkedTokens,
    facial_slots,
    join_marked,
    mark_tokens,
    plain_characters,
    row_positions,
    single_row,
)


def letters(piece):
    """A tokenizer with one token per letter."""
    return piece.replace(" ", "")


def row(length, keep_end=False):
    return single_row(["x"] * length, start="<", end=">", pad=".", keep_end=keep_end)


def test_a_marker_points_at_the_last_token_before_it():
    marked = mark_tokens(f"ab c {MARKER} d {MARKER}", letters)
    assert marked == MarkedTokens(("a", "b", "c", "d"), (2, 3))


def test_a_marker_before_every_token_points_at_the_start():
    assert mark_tokens(f"{MARKER} a", letters).markers == (-1,)


def test_markers_in_a_row_point_at_the_same_token():
    assert mark_tokens(f"a {MARKER}{MARKER} {MARKER} b", letters).markers == (0, 0, 0)


def test_parts_of_a_text_join_to_the_whole():
    parts = [f"{MARKER} ab", f"{MARKER} c", "", f"d {MARKER}"]
    whole = mark_tokens("".join(parts), letters)
    assert join_marked(mark_tokens(part, letters) for part in parts) == whole


def test_the_length_counts_start_end_and_markers():
    assert mark_tokens(f"abc {MARKER}{MARKER}", letters).length == 3 + 2 + 2


def test_a_short_row_is_padded():
    assert row(2) == ["<", "x", "x", ">"] + ["."] * 73


def test_a_full_row_has_its_end_and_no_padding():
    assert row(75) == ["<"] + ["x"] * 75 + [">"]


def test_a_long_row_is_cut_without_its_end():
    assert row(76) == row(500) == ["<"] + ["x"] * 76


def test_a_long_row_is_cut_before_its_end_on_demand():
    assert row(76, keep_end=True) == row(500, keep_end=True) == row(75)


def test_rows_count_from_the_start_token():
    assert row_positions([-1, 0, 5]) == (0, 1, 6)


def test_markers_on_one_token_count_once():
    assert row_positions([3, 3, 8, 8]) == (4, 9)


def test_markers_beyond_the_last_row_are_lost():
    assert row_positions([10, CONTEXT_LENGTH - 2, CONTEXT_LENGTH - 1]) == (11, CONTEXT_LENGTH - 1)


@pytest.mark.parametrize("count", range(MAX_FACIAL_TOKENS + 1))
def test_slots_are_the_positions_padded_to_five(count):
    indices, valid = facial_slots(range(10, 10 + count))
    assert indices == (*range(10, 10 + count), *[0] * (5 - count))
    assert valid == (*[True] * count, *[False] * (5 - count))


def test_more_words_than_slots_are_refused():
    with pytest.raises(PromptError, match=r"marks 6 words .* takes 5\. Remove"):
        facial_slots(range(6))


def test_curly_quotes_and_full_width_characters_become_plain():
    assert (
        plain_characters("it’s ‘a’ “b” ‟c„，（ＡＢ）！\u3000é 山水 — ſ")
        == 'it\'s \'a\' "b" "c",(AB)! é 山水 — ſ'
    )
