import pytest
import torch

from consistentid_core.leak_control import (
    CURVES,
    LeakControl,
    centred_prior,
    limit_norm,
    mask_person,
    mask_stages,
    response_mask,
)


def readings(seed, positions=64, width=16):
    return torch.randn(2, positions, width, generator=torch.Generator().manual_seed(seed))


def test_the_defaults_change_nothing():
    control = LeakControl()
    assert not control.changes_weight and not control.changes_attention
    assert control.weight_factors(5) == [1.0] * 5


@pytest.mark.parametrize(
    "curve, first, last",
    [("linear in", 0, 1), ("linear out", 1, 0), ("ease in", 0, 1), ("ease out", 1, 0), ("ease in-out", 0, 0)],
)
def test_a_curve_starts_and_ends_where_it_says(curve, first, last):
    factors = LeakControl(curve=curve).weight_factors(9)
    assert factors[0] == pytest.approx(first, abs=1e-9) and factors[-1] == pytest.approx(last, abs=1e-9)


@pytest.mark.parametrize("curve", CURVES)
def test_no_curve_leaves_the_range_of_a_factor(curve):
    assert all(0 <= factor <= 1 for factor in LeakControl(curve=curve).weight_factors(30))


@pytest.mark.parametrize("steps", [1, 2])
def test_few_steps_are_fine(steps):
    assert len(LeakControl(curve="linear in").weight_factors(steps)) == len(mask_stages(steps)) == steps


def test_the_early_factor_counts_for_its_share_of_the_steps():
    assert LeakControl(early_factor=0.5, early_share=0.25).weight_factors(5) == [0.5, 1, 1, 1, 1]
    assert LeakControl(early_factor=0.5, early_share=0.5).weight_factors(5) == [0.5, 0.5, 1, 1, 1]


def test_long_readings_are_shortened_to_the_limit_and_short_ones_kept():
    text, person = readings(1), readings(2) * torch.tensor([0.1, 10.0]).view(2, 1, 1)
    limited = limit_norm(text, person, 1.5)
    assert torch.equal(limited[0], person[0])
    torch.testing.assert_close(limited[1].norm(dim=-1), 1.5 * text[1].norm(dim=-1))


def test_a_position_without_text_keeps_no_identity():
    assert not limit_norm(torch.zeros(1, 4, 8), readings(1, 4, 8)[:1], 1.0).any()


def test_the_response_mask_finds_the_place_that_responds():
    person = readings(3) * 0.01
    person[:, 18:22] += 5.0  # row 2, columns 2 to 5 of 8 x 8
    mask = response_mask(person, 8, 8)
    assert mask.shape == (2, 64, 1)
    assert mask[:, 19].min() > 0.9 > 0.2 > mask[:, 60].max()


def test_an_even_response_gives_an_even_mask():
    mask = response_mask(torch.ones(1, 64, 4), 8, 8)
    torch.testing.assert_close(mask, torch.full_like(mask, 0.5))


def test_the_prior_is_strongest_in_the_middle():
    prior = centred_prior(5, 7, torch.zeros(1)).view(5, 7)
    assert prior.argmax() == 2 * 7 + 3
    torch.testing.assert_close(prior, prior.flip(0, 1))


def test_the_stages_go_from_prior_to_mask_to_more_open():
    stages = mask_stages(11)
    assert stages[0] == (1.0, 0.0, 0.0) and stages[5] == (0.0, 1.0, 0.0)
    assert stages[-1] == pytest.approx((0.0, 0.5, 0.5))
    assert all(sum(stage) == pytest.approx(1) for stage in stages)


def test_an_open_stage_is_no_mask():
    person = readings(4)
    torch.testing.assert_close(mask_person(person, 8, 8, torch.tensor([0.0, 0.0, 1.0])), person)
