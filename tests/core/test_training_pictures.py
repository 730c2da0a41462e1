"""Pictures while a run goes on: drawn when they are due, shown on one page, and without a trace in the run."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_training import SecondOfTwo, SmallModels, SmallPeople, small_config, small_modules

from consistentid_core.errors import TrainingStoppedError
from consistentid_core.training.config import ConfigError, from_mapping
from consistentid_core.training.samples import split
from consistentid_core.training.trainer import Trainer

PROMPTS = ["in the snow", "as <astronaut>"]


class Drawn:
    """A way to draw that notes what it was asked for, and uses the global generator as samplers do."""

    def __init__(self, frozen):
        self.frozen, self.calls = frozen, []

    def __call__(self, groups, portrait, prompt, *, seed, steps, size):
        hooks = sum(len(one._forward_hooks) for one in self.frozen.unet_module.modules())
        brightness = float(groups["adapter_modules"]["0.to_q_lora.up.weight"].abs().mean())
        self.calls.append((portrait.key, prompt, seed, steps, size, hooks, brightness))
        torch.manual_seed(seed)
        return torch.rand(size, size, 3) * 0.5 + min(brightness, 0.5)


def train(folder, *, frozen=None, drawn=None, stop_at=None, people=12, **settings):
    frozen = frozen or SmallModels()
    drawn = drawn or Drawn(frozen)
    seen, losses = [], {}

    def on_step(step, values):
        losses[step] = values["loss"]

    config = small_config(
        **{"steps": 4, "sample_every": 2, "sample_prompts": PROMPTS, "sample_steps": 7, **settings}
    )
    run = Trainer(
        config, frozen, SmallPeople(people), small_modules(frozen), folder=folder, draw_sample=drawn, on_step=on_step,
        on_picture=lambda step, path: seen.append((step, path)),
        should_stop=lambda: stop_at is not None and len(losses) >= stop_at,
    )  # fmt: skip
    with run:
        run.run()
    return run, drawn, seen, losses


def test_held_out_people_are_drawn_at_the_start_on_the_way_and_at_the_end(tmp_path):
    run, drawn, seen, _ = train(tmp_path, steps=5)
    assert sorted({step for step, _ in seen}) == [0, 2, 4, 5]
    keys = [split(SmallPeople(12), 2)[1][number].key for number in range(2)]
    assert [call[:2] for call in drawn.calls[:4]] == [(key, prompt) for key in keys for prompt in PROMPTS]
    assert {call[3:5] for call in drawn.calls} == {(7, 64)}
    assert len(drawn.calls) == 4 * 4
    for step, path in seen:
        assert path.parent == tmp_path / "pictures" / f"step-{step:08d}"
        with Image.open(path) as picture:
            assert picture.size == (64, 64)
    assert len({path for _, path in seen}) == len(seen)


def test_where_nobody_can_be_held_out_people_of_the_set_are_drawn_and_called_so(tmp_path):
    _, drawn, seen, _ = train(tmp_path / "three", people=3)
    assert sorted({step for step, _ in seen}) == [0, 2, 4]
    assert {call[0] for call in drawn.calls} == {"person 0", "person 1"}
    _, drawn, _, _ = train(tmp_path / "none", validation_samples=0, sample_count=1, steps=1)
    assert {call[0] for call in drawn.calls} == {"person 0"}
    train(tmp_path / "twelve")
    pages = [(tmp_path / name / "pictures" / "index.html").read_text() for name in ("three", "twelve")]
    assert ["trained on as well" in page for page in pages] == [True, False]
    assert ["Held-out people" in page for page in pages] == [False, True]


def test_seeds_belong_to_places_and_weights_to_steps(tmp_path):
    _, drawn, _, _ = train(tmp_path)
    seeds = [[call[2] for call in drawn.calls[start : start + 4]] for start in range(0, 12, 4)]
    assert seeds[0] == seeds[1] == seeds[2]
    assert len(set(seeds[0])) == 4
    # LoRA adds nothing at first and something afterwards: these are the weights of the step.
    shown = [drawn.calls[start][6] for start in (0, 4, 8)]
    assert shown[0] == 0 < shown[1] != shown[2]


def test_the_unet_is_bare_while_pictures_are_drawn(tmp_path):
    _, drawn, _, _ = train(tmp_path)
    assert {call[5] for call in drawn.calls} == {0}


def test_pictures_change_nothing_of_the_run(tmp_path):
    torch.manual_seed(3)
    with_pictures, _, _, losses = train(tmp_path / "with")
    state = torch.get_rng_state()
    torch.manual_seed(3)
    without, drawn, _, expected = train(tmp_path / "without", sample_every=0)
    assert losses == expected
    assert drawn.calls == []
    assert torch.equal(state, torch.get_rng_state())
    others = dict(without.modules.named_parameters())
    for name, one in with_pictures.modules.named_parameters():
        assert torch.equal(one, others[name]), name


def test_a_resumed_run_draws_what_is_missing_and_nothing_twice(tmp_path):
    _, first, _, _ = train(tmp_path, stop_at=2)
    assert len(first.calls) == 4  # stopped at a step that was due: the person waits, the picture does not
    _, second, seen, _ = train(tmp_path)
    assert [step for step, _ in seen] == [2] * 4 + [4] * 4
    _, third, _, _ = train(tmp_path)
    assert third.calls == []


def test_going_back_draws_again(tmp_path):
    run, _, _, _ = train(tmp_path, save_every=1, keep=9)
    for step in (3, 4):
        for path in (run.states / f"step-{step:08d}").iterdir():
            path.unlink()
        (run.states / f"step-{step:08d}").rmdir()
    _, again, seen, _ = train(tmp_path, save_every=1, keep=9)
    assert [step for step, _ in seen] == [4] * 4


def test_the_page_has_a_row_per_step_and_a_column_per_sample(tmp_path):
    train(tmp_path)
    page = (tmp_path / "pictures" / "index.html").read_text()
    samples = page.split("<h2>Attention</h2>")[0]
    assert samples.count("<tr>") == 1 + 3
    for step in (0, 2, 4):
        for number in (1, 2):
            for prompt in (1, 2):
                assert f'src="step-{step:08d}/sample-{number}-{prompt}.png"' in samples
    assert "as &lt;astronaut&gt;" in samples


def test_a_picture_that_fails_ends_the_run_with_its_reason(tmp_path):
    def fail(*args, **kwargs):
        raise MemoryError("no room to draw")

    with pytest.raises(MemoryError, match="no room to draw"):
        train(tmp_path, drawn=fail)


def test_what_is_no_number_is_black(tmp_path):
    def broken(groups, portrait, prompt, *, seed, steps, size):
        return torch.full((size, size, 3), float("nan"))

    _, _, seen, _ = train(tmp_path, drawn=broken)
    with Image.open(seen[0][1]) as picture:
        assert not np.asarray(picture).any()


def test_only_the_first_process_draws(tmp_path):
    frozen = SmallModels()
    drawn = Drawn(frozen)
    run = Trainer(
        small_config(sample_every=1, steps=2), frozen, SmallPeople(12), small_modules(frozen),
        folder=tmp_path, processes=SecondOfTwo(), draw_sample=drawn,
    )  # fmt: skip
    with run:
        run.run()
    assert drawn.calls == []


def test_a_process_learns_that_the_first_could_not_draw(tmp_path):
    frozen = SmallModels()
    run = Trainer(
        small_config(sample_every=1, steps=2), frozen, SmallPeople(12), small_modules(frozen),
        folder=tmp_path, processes=SecondOfTwo(answer=True), draw_sample=Drawn(frozen),
    )  # fmt: skip
    with run, pytest.raises(TrainingStoppedError, match="the first process says why"):
        run.run()


@pytest.mark.parametrize("prompts", ["one text", "[1"])
def test_a_list_of_prompts_is_a_list(prompts):
    with pytest.raises(ConfigError, match="'sample_prompts' is"):
        from_mapping({"sample_prompts": prompts})
