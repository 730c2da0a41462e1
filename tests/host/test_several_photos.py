"""Several photos of one person: concatenated ID embeddings through Apply ConsistentID, and Combine ID Embeddings."""

import comfy.patcher_extension
import comfy.samplers
import pytest
import torch
from consistentid_pack.consistentid_core.identity.id_embedding import (
    CONCAT,
    MEAN,
    NORM_MEAN,
    ONE_EACH,
    IDEmbedding,
)
from consistentid_pack.consistentid_core.identity.photo_features import merge_photos
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.embedding import INPUTS, CombineEmbeddings, EmbedFace
from consistentid_pack.nodes.identity import SetIdentity
from consistentid_pack.nodes.person.clip_features import zero_image
from consistentid_pack.nodes.person.keys_values import features_of_person, keys_values_of
from consistentid_pack.nodes.sampling.roles import KEY
from consistentid_pack.nodes.sampling.shown import IDENTITY_KEY
from golden_host import consistentid_model, options_of_one_call
from sampling import relative

SIGMAS = torch.tensor([5.9, 2.9, 1.6, 0.0])
NOISE = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
POSITIVE, NEGATIVE = (torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(s)) for s in (2, 3))


def vectors(count, seed=7):
    rows = torch.randn(count, 512, generator=torch.Generator().manual_seed(seed))
    return rows / rows.norm(dim=1, keepdim=True)


def photos(count, seed=0):
    return torch.rand(count, 64, 48, 3, generator=torch.Generator().manual_seed(200 + seed))


def apply(model, vector, vision, image, family="sd15"):
    return ApplyConsistentID.execute(
        model, consistentid_model(family), IDEmbedding(vector, combine=CONCAT), 1.0, 1.0, 0.0, 1.0,
        clip_vision=vision, image=image,
    ).args[0]  # fmt: skip


def sample(model):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[POSITIVE, {}]], [[NEGATIVE, {}]])
    guider.set_cfg(5.0)
    return guider.sample(
        NOISE, torch.zeros_like(NOISE), comfy.samplers.ksampler("euler"), SIGMAS, disable_pbar=True
    )


def patch_of(model):
    (patch,) = model.get_wrappers(comfy.patcher_extension.WrappersMP.APPLY_MODEL, KEY)
    return patch


# ---------------------------------------------------------------- tokens of several vectors


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_each_vector_has_the_keys_and_values_of_its_own_run(vision, family):
    consistentid = consistentid_model(family)
    features = features_of_person(vision, photos(3), None, 3)
    together = consistentid.keys_values(vectors(3), features)
    for i, vector in enumerate(vectors(3)):
        alone = consistentid.keys_values(vector[None], features[i : i + 1])
        for index, (keys, values) in alone.items():
            rows = slice(4 * i, 4 * i + 4)
            torch.testing.assert_close(together[index][0][:, rows], keys, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(together[index][1][:, rows], values, rtol=1e-4, atol=1e-4)


def test_one_photo_serves_all_vectors():
    consistentid = consistentid_model("sd15")
    features = torch.randn(1, 257, 1280, generator=torch.Generator().manual_seed(4))
    shared = consistentid.keys_values(vectors(2), features)
    repeated = consistentid.keys_values(vectors(2), features.expand(2, -1, -1))
    assert all(torch.equal(shared[index][0], repeated[index][0]) for index in shared)


def test_as_many_photos_as_vectors_stay_apart():
    features = torch.randn(3, 257, 1280, generator=torch.Generator().manual_seed(4))
    assert torch.equal(merge_photos(features, 3), features)
    for vectors_ in (1, 2, 4):
        torch.testing.assert_close(merge_photos(features, vectors_), features.mean(0, keepdim=True))


def test_the_norm_mean_of_features_has_the_length_they_have_on_average():
    features = torch.randn(3, 257, 1280, generator=torch.Generator().manual_seed(4))
    merged = merge_photos(features, 1, combine=NORM_MEAN)
    torch.testing.assert_close(merged[0].norm(dim=-1), features.norm(dim=-1).mean(0))
    mean = features.mean(0)
    torch.testing.assert_close(
        merged[0] / merged[0].norm(dim=-1, keepdim=True), mean / mean.norm(dim=-1, keepdim=True)
    )
    weighted = merge_photos(features, 1, [2.0, 1.0, 1.0], NORM_MEAN)
    torch.testing.assert_close(weighted[0].norm(dim=-1), features[[0, 0, 1, 2]].norm(dim=-1).mean(0))


def test_one_photo_is_itself_however_it_is_combined():
    features = torch.randn(1, 257, 1280, generator=torch.Generator().manual_seed(4))
    assert all(
        torch.equal(merge_photos(features, combine=one), features) for one in (MEAN, NORM_MEAN, CONCAT)
    )


def test_the_way_of_combining_reaches_the_features_of_the_photos(vision):
    image, consistentid = photos(3), consistentid_model("sd15")
    made = {
        combine: keys_values_of(consistentid, vision, IDEmbedding(vectors(1), combine=combine), image, None)
        for combine in (MEAN, NORM_MEAN)
    }
    features = features_of_person(vision, image, None, combine=NORM_MEAN)
    expected = consistentid.keys_values(vectors(1), features)
    index = next(iter(expected))
    assert torch.equal(made[NORM_MEAN][index][0], expected[index][0])
    assert not torch.equal(made[MEAN][index][0], expected[index][0])


def test_photos_that_count_differently_are_averaged_even_if_as_many_as_vectors():
    features = torch.randn(2, 257, 1280, generator=torch.Generator().manual_seed(4))
    merged = merge_photos(features, 2, [3.0, 1.0])
    torch.testing.assert_close(merged[0], 0.75 * features[0] + 0.25 * features[1])
    assert torch.equal(merge_photos(features, 2, [0.5, 0.5]), features)


# ---------------------------------------------------------------- repeated tokens change nothing


@pytest.mark.parametrize("times", [2, 3])
def test_attention_to_a_repeated_set_of_tokens_equals_attention_to_the_set(times):
    """Each token of the set gets its share of the softmax in as many equal pieces."""
    generator = torch.Generator().manual_seed(5)
    q, k, v = (torch.randn(1, 8, n, 40, generator=generator, dtype=torch.float64) for n in (64, 4, 4))
    attention = torch.nn.functional.scaled_dot_product_attention
    once = attention(q, k, v)
    torch.testing.assert_close(attention(q, k.repeat(1, 1, times, 1), v.repeat(1, 1, times, 1)), once)


def test_the_same_photo_several_times_makes_the_picture_of_once(unet, vision):
    once = sample(apply(unet, vectors(1), vision, photos(1)))
    thrice = sample(apply(unet, vectors(1).repeat(3, 1), vision, photos(1).repeat(3, 1, 1, 1)))
    assert relative(thrice, once) < 1e-5


def test_the_negative_has_the_person_s_number_of_tokens(unet, vision):
    """The same layers run both halves of the batch, so their tensors must be equally long."""
    patched = apply(unet, vectors(3), vision, photos(3))
    options = options_of_one_call(patch_of(patched), patched, NOISE.expand(2, -1, -1, -1), (False, True))
    nobody = consistentid_model("sd15").no_identity_keys_values(zero_image(vision))
    for index, block in patch_of(patched).blocks.items():
        attention = options["patches_replace"]["attn2"][block]
        assert attention.keys.shape[1] == attention.values.shape[1] == 12
        for found, expected in zip((attention.keys, attention.values), nobody[index], strict=True):
            assert torch.equal(found[:1], expected.repeat(1, 3, 1))


def test_several_photos_make_another_picture_than_their_mean(unet, vision):
    concatenated = sample(apply(unet, vectors(2), vision, photos(2)))
    mean = torch.nn.functional.normalize(vectors(2).mean(0, keepdim=True))
    averaged = sample(apply(unet, mean, vision, photos(2)))
    assert torch.isfinite(concatenated).all() and relative(concatenated, averaged) > 1e-5


def test_set_identity_takes_concatenated_embeddings_too(vision):
    consistentid = consistentid_model("sd15")
    conditioning = SetIdentity.execute(
        [[POSITIVE, {}]], consistentid, 1.0, vision, id_embed=IDEmbedding(vectors(2)), image=photos(2)
    ).args[0]
    keys_values = conditioning[0][1][IDENTITY_KEY].keys_values
    assert {keys.shape[1] for keys, _ in keys_values.values()} == {8}


# ---------------------------------------------------------------- Combine ID Embeddings


def combine(*embeddings, **options):
    inputs = {f"id_embed_{number}": one for number, one in enumerate(embeddings, 1)}
    return CombineEmbeddings.execute(**inputs, **options).args[0]


EMBEDDINGS = [IDEmbedding(vectors(1, seed)) for seed in (1, 2, 3)]


def test_combining_equals_the_mean_of_the_connected_embeddings():
    expected = torch.nn.functional.normalize(
        torch.cat([one.vector for one in EMBEDDINGS]).mean(0, keepdim=True)
    )
    torch.testing.assert_close(combine(*EMBEDDINGS).vector, expected)
    assert torch.equal(combine(*EMBEDDINGS, combine=NORM_MEAN).vector, combine(*EMBEDDINGS).vector)


def test_sockets_that_are_not_connected_are_passed_over():
    gap = CombineEmbeddings.execute(
        id_embed_1=EMBEDDINGS[0],
        id_embed_2=EMBEDDINGS[1],
        id_embed_6=EMBEDDINGS[2],
        weight_4=9.0,
        combine=CONCAT,
    ).args[0]
    assert torch.equal(gap.vector, torch.cat([one.vector for one in EMBEDDINGS]))


def test_each_weight_belongs_to_its_socket():
    weighted = CombineEmbeddings.execute(
        id_embed_1=EMBEDDINGS[0], id_embed_2=EMBEDDINGS[1], id_embed_4=EMBEDDINGS[2],
        weight_1=2.0, weight_2=0.0, weight_4=1.0, combine=MEAN,
    ).args[0]  # fmt: skip
    torch.testing.assert_close(weighted.vector, (2 * EMBEDDINGS[0].vector + EMBEDDINGS[2].vector) / 3)


def test_two_embeddings_are_needed_and_the_rest_is_optional():
    inputs = {i.id: i for i in CombineEmbeddings.define_schema().inputs}
    required = [name for name, one in inputs.items() if not one.optional]
    assert required == ["id_embed_1", "id_embed_2"] and f"id_embed_{INPUTS}" in inputs


@pytest.mark.parametrize("node", [EmbedFace, CombineEmbeddings])
def test_the_default_way_of_combining_is_the_norm_mean(node):
    choice = next(one for one in node.define_schema().inputs if one.id == "combine")
    assert choice.default == NORM_MEAN and choice.options == [NORM_MEAN, MEAN, CONCAT, ONE_EACH]


def test_the_choice_is_the_last_input_of_id_embedding():
    """Saved workflows store widget values by position."""
    assert EmbedFace.define_schema().inputs[-1].id == "combine"
