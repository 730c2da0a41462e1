import math

import pytest
import torch

from consistentid_core.networks.leak_control import (
    CURVES,
    LeakControl,
    centred_prior,
    mask_person,
    mask_stage,
    rescale,
    response_mask,
)

CPU = torch.device("cpu")
SHARES = [point / 20 for point in range(21)]


def readings(seed, positions=64, width=16):
    return torch.randn(2, positions, width, generator=torch.Generator().manual_seed(seed))


def test_the_defaults_change_nothing():
    control = LeakControl()
    assert not control.changes_weight and not control.changes_attention
    assert {control.weight_factor(done) for done in SHARES} == {1.0}


@pytest.mark.parametrize(
    "curve, first, last",
    [("linear in", 0, 1), ("linear out", 1, 0), ("ease in", 0, 1), ("ease out", 1, 0), ("ease in-out", 0, 0)],
)
def test_a_curve_starts_and_ends_where_it_says(curve, first, last):
    control = LeakControl(curve=curve)
    assert [control.weight_factor(0.0), control.weight_factor(1.0)] == pytest.approx([first, last], abs=1e-9)


@pytest.mark.parametrize("curve", CURVES)
def test_no_curve_leaves_the_range_of_a_factor(curve):
    assert all(0 <= LeakControl(curve=curve).weight_factor(done) <= 1 for done in SHARES)


def test_the_early_factor_counts_for_its_share_of_sampling():
    control = LeakControl(early_factor=0.5, early_share=0.25)
    assert [control.weight_factor(done) for done in (0, 0.2, 0.25, 1)] == [0.5, 0.5, 1, 1]


# --- rescaling, as in UniID ----------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.01, 1.0, 100.0])
def test_a_reading_gets_the_length_of_the_text_s_times_the_weight_whatever_it_was(factor):
    text, person = readings(1), readings(2) * factor
    rescaled = rescale(text, person, torch.tensor([1.0, 0.5]).view(2, 1, 1))
    lengths = rescaled.flatten(1).norm(dim=1) / text.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 0.5]))


def test_rescaling_keeps_the_direction_and_what_one_position_reads_against_another():
    text, person = readings(1), readings(2)
    rescaled = rescale(text, -person, torch.full((2, 1, 1), -1.0))
    share = rescaled / -person
    torch.testing.assert_close(share, share[:, :1, :1].expand_as(share))
    assert (share > 0).all()


def test_nothing_is_made_of_a_reading_of_nothing():
    assert not rescale(readings(1), torch.zeros(2, 64, 16), torch.ones(2, 1, 1)).any()


def test_rescaling_half_precision_does_not_overflow():
    text = torch.full((1, 16384, 640), 30.0, dtype=torch.float16)
    assert torch.isfinite(rescale(text, text, torch.ones(1, 1, 1, dtype=torch.float16))).all()


# --- the self-derived mask, as in SpatialID ------------------------------------------------------


def reference_mask(person, height, width):
    """SpatialID's mask of one picture, by its formula: position by position, in double precision."""
    response = [math.sqrt(sum(float(x) ** 2 for x in position)) for position in person]
    low, high = min(response), max(response)
    grid = [[(response[y * width + x] - low) / (high - low) for x in range(width)] for y in range(height)]
    kernel = [math.exp(-0.5 * (offset / 1.5) ** 2) for offset in range(-2, 3)]
    kernel = [one / sum(kernel) for one in kernel]

    def at(y, x):
        return grid[min(max(y, 0), height - 1)][min(max(x, 0), width - 1)]

    soft = [
        [
            sum(kernel[i] * kernel[j] * at(y + i - 2, x + j - 2) for i in range(5) for j in range(5))
            for x in range(width)
        ]
        for y in range(height)
    ]
    values = [value for row in soft for value in row]
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    hard = [[value > mean + 0.5 * deviation for value in row] for row in soft]
    grown = [
        [
            any(
                hard[j][i]
                for j in range(max(y - 1, 0), min(y + 2, height))
                for i in range(max(x - 1, 0), min(x + 2, width))
            )
            for x in range(width)
        ]
        for y in range(height)
    ]
    return [0.7 * soft[y][x] + 0.3 * grown[y][x] for y in range(height) for x in range(width)]


@pytest.mark.parametrize("height, width", [(8, 8), (6, 9), (2, 3)])
def test_the_response_mask_follows_the_formula(height, width):
    person = readings(3, height * width)
    mask = response_mask(person, height, width)
    assert mask.shape == (2, height * width, 1)
    for found, one in zip(mask, person, strict=True):
        torch.testing.assert_close(found[:, 0], torch.tensor(reference_mask(one, height, width)))


def test_the_response_mask_finds_the_place_that_responds():
    person = readings(3) * 0.01
    person.view(2, 8, 8, 16)[:, 1:5, 2:6] += 5.0
    mask = response_mask(person, 8, 8).view(2, 8, 8)
    assert mask[:, 2:4, 3:5].min() > 0.8 > 0.1 > mask[:, 7].max()


@pytest.mark.parametrize("side", [1, 8])
def test_an_even_response_gives_an_even_mask(side):
    mask = response_mask(torch.ones(1, side * side, 4), side, side)
    assert torch.isfinite(mask).all() and mask.max() == mask.min()


def test_the_prior_is_strongest_in_the_middle():
    prior = centred_prior(5, 7, CPU, torch.float32).view(5, 7)
    assert prior.argmax() == 2 * 7 + 3 and prior.max() == 1
    torch.testing.assert_close(prior, prior.flip(0, 1))


def test_the_stages_go_from_prior_to_mask_to_half_open():
    assert [mask_stage(done) for done in (0.0, 0.29)] == [(1.0, 0.0, 0.0)] * 2
    assert [mask_stage(done) for done in (0.3, 0.69)] == [(0.0, 1.0, 0.0)] * 2
    assert [mask_stage(done) for done in (0.7, 1.0)] == [(0.0, 0.5, 0.5)] * 2


def test_an_open_stage_is_no_mask():
    person = readings(4)
    prior = centred_prior(8, 8, CPU, torch.float32)
    torch.testing.assert_close(mask_person(person, 8, 8, torch.tensor([0.0, 0.0, 1.0]), prior), person)
