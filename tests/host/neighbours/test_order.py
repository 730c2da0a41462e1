"""Apply ConsistentID next to the other nodes that patch a model, ComfyUI's own and the kinds other packs ship."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from comfy_extras import (
    nodes_apg,
    nodes_cfg,
    nodes_context_windows,
    nodes_custom_sampler,
    nodes_easycache,
    nodes_eps,
    nodes_freelunch,
    nodes_fresca,
    nodes_hypertile,
    nodes_mahiro,
    nodes_model_advanced,
    nodes_model_downscale,
    nodes_nag,
    nodes_pag,
    nodes_perpneg,
    nodes_sag,
    nodes_tcfg,
    nodes_tomesd,
    nodes_video_model,
)
from peer_pack import apply_peer, peer_objects
from sampling import ONE_STEP, apply, latents, one_step, relative, sample, text

#: For packs that skip steps.
FIVE_STEPS = torch.tensor([9.0, 5.0, 3.0, 1.5, 0.7, 0.0])


def node(node_class, *values) -> Callable:
    """A core node as a function of a model."""

    def patch(model):
        if hasattr(node_class, "execute"):
            output = node_class.execute(model, *values)
            return output[0] if isinstance(output, tuple) else output.args[0]
        return node_class().patch(model, *values)[0]

    return patch


@dataclass(frozen=True)
class Neighbour:
    """A node that patches models, and the shortest run in which it shows.

    acts_on_photos: whether a picture model changes at all.
    """

    patch: Callable
    sigmas: torch.Tensor = ONE_STEP
    batch: int = 1
    acts_on_photos: bool = True


NEIGHBOURS = {
    "APG": Neighbour(node(nodes_apg.APG, 1.0, 5.0, 0.5)),
    "CFGNorm": Neighbour(node(nodes_cfg.CFGNorm, 1.0)),
    "CFGOverride": Neighbour(node(nodes_custom_sampler.CFGOverride, 1.5, 0.0, 1.0)),
    "CFGZeroStar": Neighbour(node(nodes_cfg.CFGZeroStar)),
    "ContextWindows": Neighbour(
        node(
            nodes_context_windows.ContextWindowsManualNode,
            2, 1, "standard_static", 1, False, "pyramid", 0, False,
        ),
        batch=4, acts_on_photos=False,
    ),
    "EasyCache": Neighbour(node(nodes_easycache.EasyCacheNode, 3.0, 0.0, 1.0, False), sigmas=FIVE_STEPS),
    "EpsilonScaling": Neighbour(node(nodes_eps.EpsilonScaling, 1.05)),
    "FreSca": Neighbour(node(nodes_fresca.FreSca, 1.0, 1.25, 3)),
    "FreeU": Neighbour(node(nodes_freelunch.FreeU, 1.1, 1.2, 0.9, 0.2)),
    "FreeU_V2": Neighbour(node(nodes_freelunch.FreeU_V2, 1.3, 1.4, 0.9, 0.2)),
    "HyperTile": Neighbour(node(nodes_hypertile.HyperTile, 32, 2, 1, False)),
    "LazyCache": Neighbour(node(nodes_easycache.LazyCacheNode, 3.0, 0.0, 1.0, False), sigmas=FIVE_STEPS),
    "Mahiro": Neighbour(node(nodes_mahiro.Mahiro)),
    "ModelComputeDtype": Neighbour(node(nodes_model_advanced.ModelComputeDtype, "bf16")),
    "ModelSamplingContinuousEDM": Neighbour(
        node(nodes_model_advanced.ModelSamplingContinuousEDM, "v_prediction", 120.0, 0.002)
    ),
    "ModelSamplingContinuousV": Neighbour(
        node(nodes_model_advanced.ModelSamplingContinuousV, "v_prediction", 500.0, 0.03)
    ),
    "ModelSamplingDiscrete lcm": Neighbour(node(nodes_model_advanced.ModelSamplingDiscrete, "lcm", False)),
    "ModelSamplingDiscrete v": Neighbour(
        node(nodes_model_advanced.ModelSamplingDiscrete, "v_prediction", True)
    ),
    "NAGuidance": Neighbour(node(nodes_nag.NAGuidance, 5.0, 0.5, 1.5)),
    "PatchModelAddDownscale": Neighbour(
        node(
            nodes_model_downscale.PatchModelAddDownscale,
            3, 2.0, 0.0, 1.0, True, "bicubic", "bicubic",
        )
    ),
    "PerpNeg": Neighbour(node(nodes_perpneg.PerpNeg, text(2), 1.0)),
    "PerturbedAttentionGuidance": Neighbour(node(nodes_pag.PerturbedAttentionGuidance, 3.0)),
    "RescaleCFG": Neighbour(node(nodes_model_advanced.RescaleCFG, 0.7)),
    "SelfAttentionGuidance": Neighbour(node(nodes_sag.SelfAttentionGuidance, 0.5, 2.0)),
    "TCFG": Neighbour(node(nodes_tcfg.TCFG)),
    "TemporalScoreRescaling": Neighbour(node(nodes_eps.TemporalScoreRescaling, 0.8, 1.0)),
    "TomePatchModel": Neighbour(node(nodes_tomesd.TomePatchModel, 0.4)),
    "VideoLinearCFGGuidance": Neighbour(node(nodes_video_model.VideoLinearCFGGuidance, 1.0), batch=2),
    "VideoTriangleCFGGuidance": Neighbour(node(nodes_video_model.VideoTriangleCFGGuidance, 1.0), batch=2),
    "a pack that replaces attention": Neighbour(apply_peer),
}  # fmt: skip


@dataclass
class Runs:
    before: torch.Tensor
    after: torch.Tensor
    only_theirs: torch.Tensor
    only_ours: torch.Tensor


@pytest.fixture(scope="module", params=NEIGHBOURS)
def neighbour(request):
    return NEIGHBOURS[request.param]


@pytest.fixture(scope="module")
def runs(unet, neighbour):
    """The same run with our node before and after theirs, and with one of the two only (LoRA in all)."""

    def run(model):
        return sample(model, sigmas=neighbour.sigmas, noise=latents(batch=neighbour.batch))

    return Runs(
        before=run(neighbour.patch(apply(unet))),
        after=run(apply(neighbour.patch(unet))),
        only_theirs=run(neighbour.patch(apply(unet, weight=0.0))),
        only_ours=run(apply(unet)),
    )


def test_the_order_of_the_two_nodes_does_not_matter(runs):
    assert torch.isfinite(runs.before).all()
    assert torch.equal(runs.before, runs.after)


def test_the_person_still_shows(runs):
    assert relative(runs.before, runs.only_theirs) > 1e-2


def test_the_neighbour_still_acts(runs, neighbour):
    assert (relative(runs.before, runs.only_ours) > 1e-3) == neighbour.acts_on_photos


def test_the_base_model_is_bit_identical_afterwards(runs, unet, plain):
    assert not unet.patches and not unet.wrappers and not unet.object_patches
    assert torch.equal(one_step(unet), plain)


# --- several at once, and again and again ---------------------------------------------------


def test_many_neighbours_at_once_work_wherever_ours_stands(unet):
    others = [
        NEIGHBOURS[name].patch
        for name in ("FreeU_V2", "PerturbedAttentionGuidance", "TomePatchModel", "RescaleCFG")
    ] + [apply_peer]
    results = []
    for place in (0, 2, 5):
        model = unet
        for patch in [*others[:place], apply, *others[place:]]:
            model = patch(model)
        results.append(sample(model))
    assert torch.isfinite(results[0]).all()
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_packs_that_share_one_object_per_block_do_not_notice_where_ours_stands(unet):
    """Two nodes of such a pack share objects and add to them in place; ours may stand anywhere between."""
    results = []
    for place in range(3):
        model = unet
        patches = [lambda m: apply_peer(m, 1), lambda m: apply_peer(m, 2)]
        for patch in [*patches[:place], apply, *patches[place:]]:
            model = patch(model)
        results.append(sample(model))
    assert torch.equal(results[0], results[1]) and torch.equal(results[1], results[2])


def test_fifty_runs_of_one_graph_leave_nothing_behind(unet):
    upstream = apply_peer(unet, 1)
    shared = peer_objects(upstream)
    outputs = []
    for i in range(50):
        model = apply(upstream)
        if i % 10 == 0 or i == 49:
            outputs.append(sample(model, noise=latents(8, 8), sigmas=ONE_STEP))
    assert all(torch.equal(outputs[0], other) for other in outputs[1:])
    assert all(len(one.callback) == 1 for one in shared)
    assert not upstream.wrappers and not unet.wrappers and not unet.patches
    assert sum(len(of_key) for kind in model.wrappers.values() for of_key in kind.values()) == 2


def test_a_pack_that_follows_ours_finds_no_object_of_ours_to_add_to(unet):
    ours = apply(unet)
    for _ in range(50):
        theirs = apply_peer(ours)
    assert all(len(one.callback) == 1 for one in peer_objects(theirs))
    assert not peer_objects(ours)
