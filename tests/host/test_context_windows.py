"""The host's context windows, as for AnimateDiff: a long batch in overlapping windows, each with the person."""

import pytest
import torch
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from sampling import ONE_STEP, apply, latents, relative, sample, text

#: Latents of a batch, as frames of a clip.
FRAMES = 6
POSITIVE, NEGATIVE = text(0), text(1)


def windows(model, length=4, overlap=2, schedule="standard_static", **more):
    """The model after Context Windows (Manual)."""
    given = {
        "context_length": length, "context_overlap": overlap, "context_schedule": schedule, "context_stride": 1,
        "closed_loop": False, "fuse_method": "pyramid", "dim": 0, "freenoise": False, **more,
    }  # fmt: skip
    return ContextWindowsManualNode.execute(model, **given).args[0]


def run(model, **options):
    noise = options.pop("noise", latents(batch=FRAMES))
    return sample(model, POSITIVE, NEGATIVE, sigmas=ONE_STEP, noise=noise, **options)


def test_every_frame_shows_the_person_as_it_does_alone(unet):
    """Frames of one noise are alike, so each must be what a single picture is."""
    clip = run(windows(apply(unet, 1)))
    alone = run(apply(unet, 1), noise=latents())
    plain = run(windows(unet))
    assert clip.shape[0] == FRAMES
    for frame in clip:
        assert relative(frame[None], alone) < 1e-4
        assert relative(frame[None], plain[:1]) > 1e-3


@pytest.mark.parametrize("schedule", ["standard_static", "standard_uniform", "looped_uniform", "batched"])
def test_with_any_schedule_windows_change_nothing_but_the_order_of_the_work(unet, schedule):
    patched = apply(unet, 1)
    assert relative(run(windows(patched, schedule=schedule)), run(patched)) < 1e-4


def test_it_makes_no_difference_which_node_comes_first(unet):
    assert torch.equal(run(apply(windows(unet), 1)), run(windows(apply(unet, 1))))


def test_one_window_for_all_is_the_run_without_windows(unet):
    patched = apply(unet, 1)
    assert relative(run(windows(patched, length=FRAMES)), run(patched)) < 1e-5
