"""The facial encoder, against the original's numbers (SPEC 4, 10)."""

from functools import lru_cache

import pytest
import torch
from golden_recipes import normals, shape
from golden_set import manifest, normal, reference, state_dict, tensors

from consistentid_core.networks.facial_encoder import FacialEncoder

#: SPEC 10: 5e-6 between two implementations on one machine; four times that for other processors.
TOLERANCE = 2e-5

GOLDEN = manifest("facial_encoder")
CASES = {case["name"]: case for case in GOLDEN["cases"]}
SEED_PREFIXES = {"sd15": "FacialEncoder.", "sdxl": "FacialEncoder.sdxl."}


@pytest.fixture(scope="module")
def encoder():
    """A function from family to the network with the golden weights."""

    @lru_cache  # half a gigabyte each
    def build(family):
        shapes = {
            key.removeprefix("FacialEncoder."): size
            for key, size in reference(f"checkpoint_{family}").items()
            if key.startswith("FacialEncoder.")
        }
        return FacialEncoder.from_state_dict(state_dict(shapes, SEED_PREFIXES[family])).eval()

    return build


def family_of(name):
    return "sdxl" if name.startswith("sdxl_") else "sd15"


def clip_embeds(case):
    """CLIP features of the five parts, (B, 5, 257, 1280)."""
    key, _, words = case["image_key"].partition(" ")
    given = normals(GOLDEN["inputs"])
    features = given[key] if key in given else normal(key, shape(words))
    return features.expand(-1, 5, -1, -1)


def inputs(case):
    """Prompt embeddings, CLIP features, facial token mask and validity of a case."""
    prompt = normal(case["prompt_key"], case["prompt_shape"])
    mask = torch.zeros(prompt.shape[:2], dtype=torch.bool)
    for row, positions in enumerate(case["positions"]):
        mask[row, positions] = True
    return prompt, clip_embeds(case), mask, torch.tensor(case["valid"])


def expected(case):
    """The whole output where the golden set stores it, else the rows that change."""
    stored = tensors("facial_encoder")
    name = case["name"]
    if case["stored"].startswith("none"):
        return normal(case["prompt_key"], case["prompt_shape"]), False
    return (stored[name], False) if name in stored else (stored[f"{name}_rows"], True)


@pytest.mark.parametrize("name", CASES)
@torch.inference_mode()
def test_fused_prompts_are_those_of_the_original(encoder, name):
    prompt, features, mask, valid = inputs(CASES[name])
    found = encoder(family_of(name))(prompt, features, mask, valid)
    stored, only_rows = expected(CASES[name])
    torch.testing.assert_close(found[mask] if only_rows else found, stored, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", sorted(name for name in tensors("facial_encoder") if "id_embeds" in name))
@torch.inference_mode()
def test_part_vectors_are_those_of_the_original(encoder, name):
    parts = normals(GOLDEN["inputs"])["fe.image"].flatten(0, 1)
    found = encoder(family_of(name)).encode_parts(parts)
    torch.testing.assert_close(found, tensors("facial_encoder")[name].squeeze(1), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", sorted(name for name in tensors("facial_encoder") if "fuse_fn" in name))
@torch.inference_mode()
def test_fused_rows_are_those_of_the_original(encoder, name):
    given = normals(GOLDEN["inputs"])
    found = encoder(family_of(name)).fuse(given["fe.fuse_a"], given["fe.fuse_b"])
    torch.testing.assert_close(found, tensors("facial_encoder")[name], atol=TOLERANCE, rtol=0)


# --- behaviour, with a narrow network ---------------------------------------------------------------------


@pytest.fixture
def small():
    return FacialEncoder(12, width=8, depth=1, heads=1, hidden_dim=9, clip_dim=10)


@pytest.fixture
def one_marked_row():
    """One prompt with rows 2 and 4 marked, parts 0 and 3 valid."""
    mask = torch.zeros(1, 7, dtype=torch.bool)
    mask[0, [2, 4]] = True
    valid = torch.tensor([[True, False, False, True, False]])
    return torch.randn(1, 7, 12), torch.randn(1, 5, 6, 10), mask, valid


def test_the_prompt_passed_in_is_not_changed(small, one_marked_row):
    prompt = one_marked_row[0]
    before = prompt.clone()
    small(*one_marked_row)
    assert torch.equal(prompt, before)


def test_rows_that_are_not_marked_stay_as_they_are(small, one_marked_row):
    prompt, _, mask, _ = one_marked_row
    assert torch.equal(small(*one_marked_row)[~mask], prompt[~mask])


def test_the_kth_marked_row_takes_the_kth_valid_part(small, one_marked_row):
    prompt, features, mask, valid = one_marked_row
    by_hand = small.fuse(prompt[0, [2, 4]], small.encode_parts(features[0, [0, 3]]))
    torch.testing.assert_close(small(prompt, features, mask, valid)[0, [2, 4]], by_hand)


def test_parts_that_are_not_valid_are_never_read(small, one_marked_row):
    _, features, _, valid = one_marked_row
    features[~valid] = float("nan")
    assert small(*one_marked_row).isfinite().all()


def test_without_any_part_the_result_is_an_empty_set(small):
    assert small.encode_parts(torch.zeros(0, 6, 10)).shape == (0, 12)


def test_rows_and_parts_of_different_number_are_refused(small, one_marked_row):
    *rest, valid = one_marked_row
    valid[0, 1] = True
    with pytest.raises(ValueError, match=r"mark \[2\] rows but come with \[3\] facial parts"):
        small(*rest, valid)


def test_parts_are_not_lent_from_one_prompt_to_another(small):
    mask = torch.tensor([[True, True], [False, False]])
    valid = torch.tensor([[True], [True]])
    with pytest.raises(ValueError, match=r"mark \[2, 0\] rows but come with \[1, 1\]"):
        small(torch.zeros(2, 2, 12), torch.zeros(2, 1, 6, 10), mask, valid)


def test_fusing_rows_with_parts_of_another_number_is_refused(small):
    with pytest.raises(ValueError, match=r"shape \(2, 12\) with facial parts of shape \(1, 12\)"):
        small.fuse(torch.zeros(2, 12), torch.zeros(1, 12))


def test_sizes_are_read_off_the_weights():
    sizes = {"width": 8, "depth": 2, "heads": 3, "hidden_dim": 9, "clip_dim": 10}
    network = FacialEncoder(12, **sizes)
    assert FacialEncoder.sizes(network.state_dict()) == {"cross_attention_dim": 12, **sizes}
