"""The ID projection, against the original's numbers (SPEC 4, 10)."""

import re
from functools import lru_cache

import pytest
import torch
from golden_recipes import normals
from golden_set import manifest, reference, state_dict, tensors

from consistentid_core.networks.projection import IDProjection

#: SPEC 10: 3e-6 between two implementations on one machine; four times that for other processors.
TOLERANCE = 1.2e-5

#: Seed prefix of the weights, which is also the group's name in the released file.
PREFIXES = {"sd15": "image_proj.", "sdxl": "image_proj_model."}


@pytest.fixture(scope="module")
def projection():
    """A function from family to the network with the golden weights."""

    @lru_cache  # the larger one is 0.9 GB
    def build(family):
        prefix = PREFIXES[family]
        shapes = {
            key.removeprefix(prefix): shape
            for key, shape in reference(f"checkpoint_{family}").items()
            if key.startswith(prefix)
        }
        return IDProjection.from_state_dict(state_dict(shapes, prefix)).eval()

    return build


def inputs(case):
    """Face embeddings and CLIP features of a case; the manifest describes them in words."""
    given = normals(manifest("proj_plus")["inputs"])
    if case == "uncond":
        return torch.zeros(1, 512), given["proj.uncond_clip"]
    number = "2" if case == "batch2" else ""
    face = given[f"proj.id{number}"]
    if case == "cond":
        face = face / face.norm()
    return face, given[f"proj.clip{number}"]


@pytest.mark.parametrize("name", sorted(tensors("proj_plus")))
@torch.inference_mode()
def test_id_tokens_are_those_of_the_original(projection, name):
    family, case, shortcut, scale = re.match(r"(\w+?)_(\w+)_shortcut([01])_scale([\d.]+)$", name).groups()
    face, clip = inputs(case)
    found = projection(family)(face, clip, shortcut=shortcut == "1", scale=float(scale))
    torch.testing.assert_close(found, tensors("proj_plus")[name], atol=TOLERANCE, rtol=0)


SMALL = {"num_tokens": 3, "depth": 1, "id_dim": 6, "id_hidden_dim": 7, "clip_dim": 10, "hidden_dim": 9}


def test_without_shortcut_the_scale_has_no_say():
    network = IDProjection(12, **SMALL)
    face, clip = torch.randn(1, 6), torch.randn(1, 5, 10)
    assert torch.equal(
        network(face, clip, shortcut=False, scale=0.1), network(face, clip, shortcut=False, scale=9.0)
    )


def test_clip_features_follow_the_dtype_of_the_face():
    network = IDProjection(12, **SMALL).bfloat16()
    found = network(torch.randn(1, 6).bfloat16(), torch.randn(1, 5, 10), shortcut=True)
    assert found.dtype == torch.bfloat16


def test_batches_of_different_size_are_refused():
    with pytest.raises(ValueError, match="2 face embeddings and CLIP features of 1 photos"):
        IDProjection(12, **SMALL)(torch.zeros(2, 6), torch.zeros(1, 5, 10), shortcut=False)


def test_sizes_are_read_off_the_weights():
    network = IDProjection(128, heads=3, **SMALL)
    assert IDProjection.sizes(network.state_dict()) == {"cross_attention_dim": 128, "heads": 3, **SMALL}
