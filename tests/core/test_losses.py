"""The training losses, against the original's numbers (SPEC 7.1, 10)."""

import pytest
import torch
from golden_recipes import normals, tensor
from golden_set import manifest

from consistentid_core.training.losses import (
    LOCALISATION_WEIGHT,
    balanced_l1,
    facial_token_indices,
    localisation_loss,
    map_localisation_loss,
    noise_loss,
)

#: SPEC 10: 1e-9 between two implementations on one machine; four times that for other processors.
TOLERANCE = 4e-9

GOLDEN = manifest("losses")
LAYERS = {layer["name"]: layer["probs"] for layer in GOLDEN["layers"]}
NORMALIZE = {"normalize": True, "plain": False}


@pytest.fixture(scope="module")
def golden():
    """Part masks (B, 5, 512, 512), token indices and validity (B, 5)."""
    masks = torch.zeros(len(GOLDEN["rects_512"]), len(GOLDEN["rects_512"][0]), 512, 512)
    for sample, rects in zip(masks, GOLDEN["rects_512"], strict=True):
        for mask, rect in zip(sample, rects, strict=True):
            if rect is not None:
                y0, y1, x0, x1 = rect
                mask[y0:y1, x0:x1] = 1
    return masks, torch.tensor(GOLDEN["facial_token_idx"]), torch.tensor(GOLDEN["facial_token_idx_mask"])


def attention_map(layer):
    return tensor(LAYERS[layer]).softmax(-1)


@pytest.mark.parametrize("mode", GOLDEN["results"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_loss_of_a_layer_is_that_of_the_original(golden, layer, mode):
    found = map_localisation_loss(attention_map(layer), *golden, normalize=NORMALIZE[mode])
    expected = GOLDEN["results"][mode]["per_layer"][layer]
    assert found.item() == pytest.approx(expected, abs=TOLERANCE, rel=0)


@pytest.mark.parametrize("mode", GOLDEN["results"])
def test_the_loss_over_all_layers_is_that_of_the_original(golden, mode):
    maps = {layer: attention_map(layer) for layer in LAYERS}
    found = localisation_loss(maps, *golden, normalize=NORMALIZE[mode], weight=1.0)
    expected = GOLDEN["results"][mode]["mean_over_layers"]
    assert found.item() == pytest.approx(expected, abs=TOLERANCE, rel=0)


@pytest.mark.parametrize("mode", GOLDEN["results"])
def test_without_a_facial_word_the_loss_is_that_of_the_original(golden, mode):
    masks, indices, valid = golden
    maps = {layer: attention_map(layer) for layer in LAYERS}
    found = localisation_loss(maps, masks, indices, torch.zeros_like(valid), normalize=NORMALIZE[mode])
    assert found.item() == GOLDEN["results"][mode]["no_valid_token"]


@pytest.mark.parametrize("mode", GOLDEN["direct"]["values"])
def test_the_balanced_difference_per_token_is_that_of_the_original(mode):
    attention = tensor(GOLDEN["direct"]["probs"]).softmax(2)
    (inside,) = normals(GOLDEN["direct"]["segmaps"]).values()
    found = balanced_l1(attention, (inside > 0).float(), normalize=NORMALIZE[mode])
    expected = torch.tensor(GOLDEN["direct"]["values"][mode])
    # Stored as printed float32.
    torch.testing.assert_close(found, expected, atol=2e-7, rtol=0)


def test_the_localisation_loss_enters_training_with_a_hundredth(golden):
    maps = {"layer": attention_map(next(iter(LAYERS)))}
    weighted, plain = localisation_loss(maps, *golden), localisation_loss(maps, *golden, weight=1.0)
    assert LOCALISATION_WEIGHT == 0.01
    assert weighted.item() == pytest.approx(0.01 * plain.item())


def test_without_any_attention_map_the_loss_is_refused(golden):
    # GOLDEN["empty_score_dict"]: the original divides by zero.
    with pytest.raises(ValueError, match="No attention map was captured"):
        localisation_loss({}, *golden)


def test_a_token_beyond_the_keys_of_a_map_is_refused(golden):
    masks, indices, valid = golden
    with pytest.raises(
        ValueError, match=f"Token index {indices.max()} lies outside an attention map with 16 keys"
    ):
        map_localisation_loss(torch.zeros(4, 16, 16), masks, indices, valid)


def test_a_map_of_no_square_is_refused(golden):
    with pytest.raises(ValueError, match="15 positions, which is no square"):
        map_localisation_loss(torch.zeros(4, 15, 77), *golden)


def test_attention_inside_the_region_lowers_the_loss_and_outside_raises_it():
    masks = torch.zeros(1, 1, 4, 1)
    masks[0, 0, 0] = 1
    inside, outside = masks.clone(), 1 - masks
    assert balanced_l1(inside, masks).item() < 0 < balanced_l1(outside, masks).item()


def test_the_localisation_loss_can_be_learned_from(golden):
    masks, indices, valid = golden
    scores = torch.zeros(len(masks), 16, 77, requires_grad=True)
    localisation_loss({"layer": scores.softmax(-1)}, masks, indices, valid).backward()
    assert scores.grad.abs().sum() > 0


# --- noise loss -------------------------------------------------------------------------------------------


@pytest.fixture
def prediction_and_noise():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 4, 8, 8, generator=generator)


def test_without_foreground_the_noise_loss_is_the_mean_squared_error(prediction_and_noise):
    prediction, noise = prediction_and_noise
    assert noise_loss(prediction, noise).item() == pytest.approx((prediction - noise).square().mean().item())


def test_the_background_adds_nothing_but_counts_as_elements(prediction_and_noise):
    prediction, noise = prediction_and_noise
    foreground = torch.zeros(2, 64, 64)
    foreground[:, :, :32] = 1
    left = (prediction - noise)[..., :4].square().sum() / prediction.numel()
    assert noise_loss(prediction, noise, foreground).item() == pytest.approx(left.item())


def test_the_foreground_is_resized_without_antialiasing(prediction_and_noise):
    prediction, noise = prediction_and_noise
    foreground = torch.zeros(2, 64, 64)
    # Latent pixel (0, 0) samples the mask midway between its pixels 3 and 4, and nowhere else.
    foreground[:, 3:5, 3:5] = 1
    corner = (prediction - noise)[..., 0, 0].square().sum() / prediction.numel()
    assert noise_loss(prediction, noise, foreground).item() == pytest.approx(corner.item())


# --- token indices ----------------------------------------------------------------------------------------


def token_mask(*positions):
    mask = torch.zeros(len(positions), 77, dtype=torch.bool)
    for row, marked in zip(mask, positions, strict=True):
        row[list(marked)] = True
    return mask


def test_marked_rows_become_the_golden_lists(golden):
    _, indices, valid = golden
    positions = [row[real].tolist() for row, real in zip(indices, valid, strict=True)]
    found = facial_token_indices(token_mask(*positions))
    assert (found[0].tolist(), found[1].tolist()) == (indices.tolist(), valid.tolist())


def test_a_prompt_without_facial_words_has_only_padding():
    indices, valid = facial_token_indices(token_mask([]))
    assert (indices.tolist(), valid.tolist()) == ([[0] * 5], [[False] * 5])


def test_a_facial_word_at_the_first_row_is_no_padding():
    _, valid = facial_token_indices(token_mask([0]))
    assert valid.tolist() == [[True, False, False, False, False]]


def test_more_facial_words_than_parts_are_refused():
    with pytest.raises(ValueError, match="6 facial words, but there are 5 facial parts"):
        facial_token_indices(token_mask([1], range(6)))
