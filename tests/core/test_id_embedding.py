"""Which face becomes the person, several photos, colour order, and photos without a face."""

import dataclasses
import itertools
import logging
import math

import numpy as np
import pytest
import torch
from drawn_faces import draw, middle

from consistentid_core.errors import NoFaceError
from consistentid_core.identity.face_analysis import Detection, Face, load_face_analyser
from consistentid_core.identity.face_boxes import draw_faces
from consistentid_core.identity.face_choice import FACE_ORDERS
from consistentid_core.identity.id_embedding import (
    BGR,
    COMBINE_METHODS,
    CONCAT,
    MAX_VECTORS,
    MEAN,
    NORM_MEAN,
    ONE_EACH,
    RGB,
    ZERO_VECTOR,
    IDEmbedding,
    combine_embeddings,
    embed_person,
)
from tools.standins import insightface as standin

#: x of three faces in one picture, from large to small: none of the seven orders equals another.
LARGE, MEDIUM, SMALL = 480, 120, 760
GROUP = draw(900, 500, (LARGE, 250, 200), (MEDIUM, 330, 130), (SMALL, 120, 90))
NOBODY = draw(320, 200)


@pytest.fixture(scope="module")
def analyser(tmp_path_factory):
    root = tmp_path_factory.mktemp("insightface")
    standin.write(root / "buffalo_l", seed=3)
    return load_face_analyser([root])


def chosen_x(photo_faces):
    return middle(photo_faces.faces[photo_faces.chosen].box)[0]


@pytest.mark.parametrize(
    ("order", "expected"),
    {
        "large_to_small": (LARGE, MEDIUM, SMALL),
        "small_to_large": (SMALL, MEDIUM, LARGE),
        "left_to_right": (MEDIUM, LARGE, SMALL),
        "right_to_left": (SMALL, LARGE, MEDIUM),
        "top_to_bottom": (SMALL, LARGE, MEDIUM),
        "bottom_to_top": (MEDIUM, LARGE, SMALL),
    }.items(),
)
def test_order_and_index_choose_the_face(analyser, order, expected):
    chosen = [chosen_x(embed_person(analyser, [GROUP], order=order, index=i)[1][0]) for i in range(3)]
    assert chosen == pytest.approx(expected, abs=10)


def test_the_original_order_counts_by_score(analyser):
    _, (photo,) = embed_person(analyser, [GROUP], order="best_score (original)")
    scores = [face.score for face in photo.faces]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def test_the_largest_face_is_the_default(analyser):
    assert chosen_x(embed_person(analyser, [GROUP])[1][0]) == pytest.approx(LARGE, abs=10)


def test_an_index_beyond_the_faces_says_how_many_there_are(analyser):
    with pytest.raises(NoFaceError, match=r"Face 3 was asked for, but the image \(900x500\) shows 3"):
        embed_person(analyser, [GROUP], index=3)


@pytest.mark.parametrize("index", [-1, -4])
def test_a_negative_index_is_refused(analyser, index):
    with pytest.raises(NoFaceError, match=f"Face {index} was asked for.*from 0 to 2"):
        embed_person(analyser, [GROUP], index=index)


def test_an_embedding_is_one_row_of_unit_length(analyser):
    embedding, _ = embed_person(analyser, [GROUP])
    assert embedding.vector.shape == (1, 512) and embedding.vector.dtype == torch.float32
    assert embedding.vector.norm().item() == pytest.approx(1.0, abs=1e-6)
    assert not embedding.is_zero
    assert (embedding.channel_order, embedding.recogniser, embedding.photos) == (BGR, "w600k_r50.onnx", 1)


def test_different_faces_have_different_embeddings(analyser):
    first, second = (
        embed_person(analyser, [draw(400, 400, (200, 200, 150), tint=t)])[0].vector for t in (0, 20)
    )
    assert torch.nn.functional.cosine_similarity(first, second).item() < 0.9999


def test_several_photos_are_averaged_as_unit_vectors(analyser):
    photos = [draw(400, 400, (200, 200, 150), tint=tint) for tint in (0, 10, 20)]
    alone = torch.cat([embed_person(analyser, [photo])[0].vector for photo in photos])
    together, found = embed_person(analyser, photos)
    torch.testing.assert_close(together.vector[0], torch.nn.functional.normalize(alone.mean(dim=0), dim=0))
    assert together.photos == 3 and len(found) == 3


def test_a_photo_without_a_face_is_an_error_that_says_everything_tried(analyser):
    with pytest.raises(NoFaceError) as error:
        embed_person(analyser, [GROUP, NOBODY], threshold=0.6)
    for fact in ("image 2 of 2", "320x200", "0.6", "640, 512, 384, 320, 256", "border"):
        assert fact in str(error.value)


def test_the_best_candidate_below_the_threshold_is_told(analyser):
    with pytest.raises(NoFaceError, match=r"best candidate scored 0\.\d\d, det_threshold is 1"):
        embed_person(analyser, [draw(640, 480, (200, 200, 140))], threshold=1.0)


def test_zeros_stand_for_nobody_if_that_was_chosen(analyser, caplog):
    with caplog.at_level(logging.WARNING):
        embedding, (photo,) = embed_person(analyser, [NOBODY], no_face=ZERO_VECTOR)
    assert embedding.is_zero and embedding.photos == 0
    assert torch.equal(embedding.vector, torch.zeros(1, 512))
    assert photo.chosen is None
    assert "No face found in the image (320x200)" in caplog.text


def test_a_zero_vector_does_not_change_the_direction_of_the_others(analyser):
    alone, _ = embed_person(analyser, [GROUP])
    both, _ = embed_person(analyser, [NOBODY, GROUP], no_face=ZERO_VECTOR)
    torch.testing.assert_close(both.vector, alone.vector)


def test_rgb_is_bgr_of_the_picture_with_red_and_blue_swapped(analyser):
    swapped = np.ascontiguousarray(GROUP[..., ::-1])
    as_bgr, _ = embed_person(analyser, [GROUP], channel_order=BGR)
    as_rgb, _ = embed_person(analyser, [GROUP], channel_order=RGB)
    assert torch.equal(embed_person(analyser, [swapped], channel_order=RGB)[0].vector, as_bgr.vector)
    assert torch.equal(embed_person(analyser, [swapped], channel_order=BGR)[0].vector, as_rgb.vector)
    assert not torch.allclose(as_bgr.vector, as_rgb.vector, atol=1e-3)
    assert as_rgb.channel_order == RGB


def test_bgr_means_that_the_networks_get_bgr():
    seen = []

    class Recording:
        def detect(self, image, *, threshold):
            seen.append(image)
            return Detection((Face((0, 0, 8, 8), np.zeros((5, 2)), 0.9),), (), 0.9)

        def embed(self, image, face):
            seen.append(image)
            return np.full(512, 512**-0.5, np.float32)

    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    embed_person(Recording(), [red])
    embed_person(Recording(), [red], channel_order=RGB)
    assert [image[0, 0].tolist() for image in seen] == [[0, 0, 255]] * 2 + [[255, 0, 0]] * 2


def test_faces_that_cancel_each_other_out_are_refused():
    signs = itertools.cycle([1.0, -1.0])

    class Opposites:
        def detect(self, image, *, threshold):
            return Detection((Face((0, 0, 8, 8), np.zeros((5, 2)), 0.9),), (), 0.9)

        def embed(self, image, face):
            return np.full(512, next(signs) * 512**-0.5, np.float32)

    with pytest.raises(ValueError, match="cancel each other out"):
        embed_person(Opposites(), [NOBODY, NOBODY])


def test_each_photo_is_told_before_it_is_looked_at(analyser):
    """So that a bar can move, and whoever waits no longer can say so."""
    told = []
    embed_person(analyser, [GROUP, GROUP], on_photo=told.append)
    assert told == [0, 1, 2]

    class Enough(Exception):
        pass

    class Looking:
        looks = 0

        def detect(self, image, *, threshold):
            self.looks += 1
            return analyser.detect(image, threshold=threshold)

        embed = staticmethod(analyser.embed)

    def stop(done):
        if done == 1:
            raise Enough

    looking = Looking()
    with pytest.raises(Enough):
        embed_person(looking, [GROUP] * 3, on_photo=stop)
    assert looking.looks == 1


def test_id_embeddings_can_be_compared_and_kept_in_sets():
    one, other = IDEmbedding(torch.zeros(2, 512)), IDEmbedding(torch.zeros(2, 512))
    assert one == one and one != other
    assert len({one, other, one}) == 2


def test_no_photo_at_all_is_refused(analyser):
    with pytest.raises(ValueError, match="At least one photo"):
        embed_person(analyser, [])


@pytest.mark.parametrize(
    "vector", [torch.zeros(512), torch.zeros(1, 511), torch.zeros(1, 512, dtype=torch.float16)]
)
def test_only_rows_of_512_floats_are_an_id_embedding(vector):
    with pytest.raises(ValueError, match=r"\(vectors, 512\) float32"):
        IDEmbedding(vector)


@pytest.mark.parametrize("count", [0, MAX_VECTORS + 1])
def test_an_id_embedding_has_one_to_sixteen_vectors(count):
    with pytest.raises(ValueError, match=f"{count} vectors.*1 to {MAX_VECTORS}"):
        IDEmbedding(torch.zeros(count, 512))


# ---------------------------------------------------------------- combining several


PHOTOS = [draw(400, 400, (200, 200, 150), tint=tint) for tint in (0, 10, 20)]


@pytest.fixture(scope="module")
def alone(analyser):
    return [embed_person(analyser, [photo])[0] for photo in PHOTOS]


def test_concat_keeps_the_vector_of_every_photo_in_order(analyser, alone):
    together, _ = embed_person(analyser, PHOTOS, combine=CONCAT)
    torch.testing.assert_close(together.vector, torch.cat([one.vector for one in alone]))
    assert (together.photos, together.combine) == (3, CONCAT)


def test_a_plain_mean_is_shorter_than_one_unless_the_photos_agree(analyser, alone):
    together, _ = embed_person(analyser, PHOTOS, combine=MEAN)
    torch.testing.assert_close(
        together.vector, torch.cat([one.vector for one in alone]).mean(0, keepdim=True)
    )
    assert together.vector.norm().item() < 1.0
    same, _ = embed_person(analyser, PHOTOS[:1] * 2, combine=MEAN)
    torch.testing.assert_close(same.vector, alone[0].vector)


def test_the_norm_mean_is_the_default(analyser):
    default, _ = embed_person(analyser, PHOTOS)
    assert torch.equal(default.vector, embed_person(analyser, PHOTOS, combine=NORM_MEAN)[0].vector)
    assert default.combine == NORM_MEAN


def test_one_photo_gives_the_same_vector_by_every_method(analyser, alone):
    for method in COMBINE_METHODS:
        torch.testing.assert_close(
            embed_person(analyser, PHOTOS[:1], combine=method)[0].vector, alone[0].vector
        )


def test_a_photo_without_a_face_is_a_zero_row_of_a_concatenation(analyser, alone):
    both, _ = embed_person(analyser, [NOBODY, PHOTOS[0]], no_face=ZERO_VECTOR, combine=CONCAT)
    torch.testing.assert_close(both.vector, torch.cat([torch.zeros(1, 512), alone[0].vector]))
    assert both.photos == 1 and not both.is_zero


@pytest.mark.parametrize("method", COMBINE_METHODS)
def test_combining_embeddings_equals_combining_photos(analyser, alone, method):
    by_photos, _ = embed_person(analyser, PHOTOS, combine=method)
    combined = combine_embeddings(alone, combine=method)
    torch.testing.assert_close(combined.vector, by_photos.vector)
    assert (combined.photos, combined.combine) == (3, method)


def test_weights_pull_the_mean_towards_one_embedding(alone):
    def likeness(weights):
        vector = combine_embeddings(alone[::2], weights).vector
        return torch.nn.functional.cosine_similarity(vector, alone[0].vector).item()

    assert likeness([3, 1]) > likeness([1, 1]) > likeness([1, 3])
    assert likeness([1, 0]) == pytest.approx(1.0, abs=1e-6)


def test_weights_are_relative(alone):
    for method in (NORM_MEAN, MEAN):
        small, large = (
            combine_embeddings(alone, [w, 2 * w, w], combine=method).vector for w in (0.01, 100.0)
        )
        torch.testing.assert_close(small, large)


def test_a_concatenated_embedding_counts_as_much_as_a_single_one(alone):
    pair = combine_embeddings(alone[:2], combine=CONCAT)
    nested = combine_embeddings([pair, alone[2]], combine=MEAN).vector
    expected = (alone[0].vector + alone[1].vector) / 4 + alone[2].vector / 2
    torch.testing.assert_close(nested, expected)


def test_a_weight_of_zero_leaves_an_embedding_out_of_a_concatenation(alone):
    kept = combine_embeddings(alone, [1, 0, 1], combine=CONCAT)
    assert torch.equal(kept.vector, torch.cat([alone[0].vector, alone[2].vector]))
    assert kept.photos == 2


@pytest.mark.parametrize("weights", [[1, 1], [1, 1, -1], [0, 0, 0], [1, math.nan, 1], [math.inf, 1, 1]])
def test_unfitting_weights_are_refused(alone, weights):
    with pytest.raises(ValueError, match="do not fit 3 ID embeddings"):
        combine_embeddings(alone, weights)


def test_a_person_of_several_vectors_cannot_be_one_of_a_batch(alone):
    both = combine_embeddings(alone[:2], combine=CONCAT)
    with pytest.raises(ValueError, match="2 vectors of the same person.*norm mean"):
        combine_embeddings([both, alone[2]], combine=ONE_EACH)
    # Mean and batch of people have a vector for each.
    people = combine_embeddings([combine_embeddings(alone[:2]), alone[2]], combine=ONE_EACH)
    assert combine_embeddings([people, alone[0]], combine=ONE_EACH).people == 3


def test_embeddings_of_different_recognisers_cannot_be_combined(alone):
    other = dataclasses.replace(alone[0], recogniser="glintr100.onnx")
    with pytest.raises(ValueError, match="recognisers are glintr100.onnx and w600k_r50.onnx"):
        combine_embeddings([alone[0], other])


def test_embeddings_of_different_channel_orders_cannot_be_combined(alone):
    other = dataclasses.replace(alone[0], channel_order=RGB)
    with pytest.raises(ValueError, match="channel orders are BGR and RGB"):
        combine_embeddings([alone[0], other])


def test_the_source_tells_the_photos_apart(analyser, alone):
    sources = [one.source for one in alone]
    assert len(set(sources)) == 3 and {len(source) for source in sources} == {32}
    assert embed_person(analyser, PHOTOS[:1])[0].source == sources[0]
    turned, _ = embed_person(analyser, [np.ascontiguousarray(PHOTOS[0][:, ::-1])])
    assert turned.source != sources[0]


def test_an_unknown_source_stays_unknown_when_combined(alone):
    unknown = IDEmbedding(alone[1].vector)
    assert combine_embeddings([alone[0], unknown]).source == ""


def test_faces_are_drawn_and_large_photos_shrunk(analyser):
    _, (photo,) = embed_person(analyser, [GROUP])
    same_size = draw_faces(GROUP, photo.faces, photo.chosen)
    assert same_size.shape == GROUP.shape and not np.array_equal(same_size, GROUP)
    assert draw_faces(GROUP, photo.faces, photo.chosen, longest_side=450).shape == (250, 450, 3)


def test_a_photo_without_faces_is_shown_as_it_is():
    assert np.array_equal(draw_faces(NOBODY, (), None), NOBODY)


def test_large_to_small_is_the_first_order():
    assert next(iter(FACE_ORDERS)) == "large_to_small"
