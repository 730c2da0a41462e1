"""What is drawn belongs to (seed, step, position) and to nothing else."""

from itertools import chain

import pytest
import torch

from consistentid_core.training.draws import (
    draw_background,
    draw_sample,
    positions_of,
    sample_index,
    seeded,
)
from consistentid_core.training.schedule import learning_rate_factor, min_snr_weights


def draw(step=3, position=5, seed=1):
    return draw_sample(seed, step, position, timesteps=1000, drop_probability=0.1)


def test_the_same_place_draws_the_same():
    torch.manual_seed(1)
    first, noise = draw(), draw().noise((4, 8, 8))
    torch.manual_seed(2)
    assert draw() == first
    assert torch.equal(draw().noise((4, 8, 8)), noise)


def test_drawing_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    draw().noise((2,))
    sample_index(0, 5, 10)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("other", [{"step": 4}, {"position": 6}, {"seed": 2}])
def test_another_place_draws_something_else(other):
    assert not torch.equal(draw(**other).noise((64,)), draw().noise((64,)))


def test_the_noise_of_the_latents_is_not_that_of_the_diffusion():
    assert not torch.equal(draw().noise((64,)), draw().latent_noise((64,)))


def test_rates_and_time_steps_are_those_asked_for():
    drawn = [draw(position=position) for position in range(3000)]
    steps = torch.tensor([one.timestep for one in drawn], dtype=torch.float32)
    assert 0.08 < sum(one.is_dropped for one in drawn) / 3000 < 0.12
    assert steps.min() >= 0
    assert steps.max() < 1000
    assert 470 < steps.mean() < 530
    assert 0.45 < sum(draw_background(0, step, 0.5) for step in range(2000)) / 2000 < 0.55


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_never_and_always_are_exact(probability):
    assert {draw_background(0, step, probability) for step in range(50)} == {bool(probability)}


def test_every_epoch_shows_every_sample_once_in_an_order_of_its_own():
    epochs = [[sample_index(0, 10 * epoch + place, 10) for place in range(10)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize(("world", "accumulation"), [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_processes_and_passes_share_the_positions_out(world, accumulation):
    shares = [
        positions_of(rank, world, 2, accumulation, micro_step)
        for rank in range(world)
        for micro_step in range(accumulation)
    ]
    assert sorted(chain(*shares)) == list(range(2 * world * accumulation))


def test_seeds_of_purposes_differ():
    assert len({seeded(seed, purpose) for seed in range(3) for purpose in ("noise", "order")}) == 6


# --- schedule ---------------------------------------------------------------------------------------------


def factors(schedule, warmup_steps=4, total_steps=14):
    return [
        learning_rate_factor(step, schedule=schedule, warmup_steps=warmup_steps, total_steps=total_steps)
        for step in range(total_steps)
    ]


def test_the_learning_rate_rises_and_stays():
    assert factors("constant") == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 10)


def test_the_learning_rate_rises_and_falls_along_a_cosine():
    found = factors("cosine")
    assert found[4] == 1
    assert found[9] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.05
    assert found[4:] == sorted(found[4:], reverse=True)


def test_the_original_has_no_warm_up():
    assert factors("constant", warmup_steps=0) == [1.0] * 14


def test_easy_time_steps_weigh_less():
    alphas = torch.tensor([0.99, 0.5, 0.01])
    ratio = alphas / (1 - alphas)
    found = min_snr_weights(alphas, gamma=5, predicts="noise")
    torch.testing.assert_close(found, torch.tensor([5 / ratio[0], 1.0, 1.0]))
    velocity = min_snr_weights(alphas, gamma=5, predicts="velocity")
    torch.testing.assert_close(velocity, ratio.clamp(max=5) / (ratio + 1))
