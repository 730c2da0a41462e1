"""Leak Control in ComfyUI's sampling loop, on the small golden UNet."""

import pytest
import sampling
import torch
from consistentid_pack.consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_pack.consistentid_core.networks.leak_control import LeakControl
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.leak_control import LeakControlNode
from consistentid_pack.nodes.sampling import id_attention
from consistentid_pack.nodes.sampling.schedule import Progress
from golden_host import consistentid_model
from sampling import relative

SIGMAS = torch.tensor([9.0, 5.0, 3.0, 1.5, 0.7, 0.0])
NOISE = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
POSITIVE = torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(2))
NEGATIVE = torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(3))
PHOTO = torch.rand(1, 64, 48, 3, generator=torch.Generator().manual_seed(4))
FACE = torch.nn.functional.normalize(torch.randn(1, 512, generator=torch.Generator().manual_seed(5)))


@pytest.fixture
def apply(vision):
    def run(model, leak_control=None, *, weight=1.0, end_percent=1.0):
        return ApplyConsistentID.execute(
            model, consistentid_model("sd15"), IDEmbedding(FACE), weight, 1.0, 0.0, end_percent,
            clip_vision=vision, image=PHOTO, leak_control=leak_control,
        ).args[0]  # fmt: skip

    return run


def sample(model, *, sigmas=SIGMAS, noise=NOISE, **options):
    """A longer run than usual, because the course of sampling matters."""
    return sampling.sample(model, [[POSITIVE, {}]], [[NEGATIVE, {}]], sigmas=sigmas, noise=noise, **options)


def test_an_untouched_leak_control_is_bit_identical_to_none(unet, apply):
    untouched = LeakControlNode.execute("constant", 1.0, 0.2, 0.0, False).args[0]
    assert torch.equal(sample(apply(unet, untouched)), sample(apply(unet)))


def test_an_early_factor_over_all_steps_is_a_weight(unet, apply):
    halved = LeakControl(early_factor=0.5, early_share=1.01)
    assert relative(sample(apply(unet, halved)), sample(apply(unet, weight=0.5))) < 1e-5


def test_a_silent_first_phase_gives_the_first_steps_to_the_prompt(unet, apply):
    """The first of the five steps lies in the first quarter, the second does not."""
    silent = LeakControl(early_factor=0.0, early_share=0.25)
    two = sample(apply(unet, silent), sigmas=SIGMAS[:2])
    assert torch.equal(two, sample(apply(unet, weight=0.0), sigmas=SIGMAS[:2]))
    assert relative(sample(apply(unet, silent)), sample(apply(unet, weight=0.0))) > 1e-3


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2s_ancestral", "dpmpp_2m"])
def test_curves_and_masks_work_with_samplers_that_look_between_steps(unet, apply, sampler):
    control = LeakControl(curve="ease in-out", norm_rescale=0.5, self_mask=True)
    assert torch.isfinite(sample(apply(unet, control), sampler=sampler)).all()


def test_a_curve_and_a_range_act_together(unet, apply):
    control = LeakControl(curve="linear out")
    cut = sample(apply(unet, control, end_percent=0.3))
    assert relative(cut, sample(apply(unet, control))) > 1e-4
    assert relative(cut, sample(apply(unet, weight=0.0))) > 1e-4


def test_rescaling_still_follows_weight_range_and_curve(unet, apply):
    """The weight is in the values that are rescaled, so it must not be lost with their length."""
    rescaled = LeakControl(norm_rescale=0.8)
    half = sample(apply(unet, LeakControl(norm_rescale=0.4)))
    assert relative(sample(apply(unet, rescaled, weight=0.5)), half) < 1e-5
    assert relative(sample(apply(unet, LeakControl("constant", 0.5, 1.01, 0.8))), half) < 1e-5
    assert relative(half, sample(apply(unet, rescaled))) > 1e-4
    nobody = sample(apply(unet, weight=0.0))
    assert relative(sample(apply(unet, rescaled, weight=0.0)), nobody) < 1e-6
    assert relative(sample(apply(unet, rescaled, end_percent=0.01)), nobody) < 1e-6


def test_each_layer_reads_as_much_from_the_person_as_from_the_text(unet, apply, monkeypatch):
    shares = []
    plain = id_attention.add_id_attention

    def measured(text, *args, **kwargs):
        result = plain(text, *args, **kwargs)
        shares.append((result - text).flatten(1).norm(dim=1) / text.flatten(1).norm(dim=1))
        return result

    monkeypatch.setattr(id_attention, "add_id_attention", measured)
    sample(apply(unet, LeakControl(norm_rescale=0.7)))
    torch.testing.assert_close(torch.stack(shares), torch.full((len(shares), 2), 0.7))


def test_several_people_are_each_measured_against_the_text_alone(unet, apply):
    """Otherwise each would be as long as the text and all people before it, and their order would matter."""
    one, other = LeakControl(norm_rescale=0.6), LeakControl(norm_rescale=0.3)
    either = [sample(apply(apply(unet, a), b)) for a, b in ((one, other), (other, one))]
    assert relative(*either) < 1e-5
    # The same person twice reads twice the same.
    assert relative(either[0], sample(apply(unet, LeakControl(norm_rescale=0.9)))) < 1e-5


def test_a_run_in_two_passes_goes_on_where_the_first_one_ended(unet, apply):
    """As with the advanced sampler node: what acts depends on the noise, not on the number of the step."""
    control = LeakControl("linear in", self_mask=True)
    model = apply(unet, control)
    halves = sample(model, sigmas=SIGMAS[:3])
    rest = sample(model, sigmas=SIGMAS[2:], noise=torch.zeros_like(NOISE), latent=halves)
    assert relative(rest, sample(model)) < 1e-4


def test_the_self_mask_changes_the_picture_but_less_than_no_identity_at_all(unet, apply):
    masked = sample(apply(unet, LeakControl(self_mask=True)))
    assert relative(masked, sample(apply(unet))) > 1e-4
    assert relative(masked, sample(apply(unet, weight=0.0))) > 1e-4


@pytest.fixture
def progress():
    """With levels falling evenly from 10 to 0, and as in ComfyUI more than any noise at the very start."""
    return Progress(
        lambda percent: 1e9 if percent <= 0 else 10 * (1 - percent), torch.device("cpu"), torch.float32
    )


@pytest.mark.parametrize(
    "sigma, done", [(10.0, 0.0), (9.0, 0.1), (5.0, 0.5), (0.02, 0.998), (0.001, 0.998), (99.0, 0.0)]
)
def test_the_noise_tells_how_much_of_sampling_is_done(progress, sigma, done):
    table = progress.table(lambda share: share)
    assert progress.look_up(table, torch.tensor(sigma)).item() == pytest.approx(done, abs=1e-6)


def test_a_table_may_have_several_values_per_place(progress):
    table = progress.table(lambda share: (share, 1 - share))
    torch.testing.assert_close(progress.look_up(table, torch.tensor(7.5)), torch.tensor([0.25, 0.75]))
