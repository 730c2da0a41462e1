"""CLIP vision's features of photos: what is refused, and what is kept for how long."""

import gc
import weakref

import pytest
import torch
from consistentid_pack.consistentid_core.errors import ModelMismatchError
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts, FacePhoto, find_parts
from consistentid_pack.nodes.person.clip_features import encode_pixels, zero_image
from consistentid_pack.nodes.person.facial_features import features_of, region_vectors, zero_vector
from golden_host import clip_vision, consistentid_model
from portrait_asset import LABELS, PORTRAIT
from sampling import random


def broken(change):
    """The golden CLIP vision with something else for an answer."""
    vision = clip_vision()
    answer = vision.model.forward
    vision.model.forward = lambda **inputs: (None, change(answer(**inputs)[1]))
    return vision


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda states: states[:, 1:], r"shape \(2, 256, 1280\) for 2 pictures; expected \(2, 257, 1280\)"),
        (lambda states: states[..., :1024], r"shape \(2, 257, 1024\)"),
        (lambda states: states[:1], r"shape \(1, 257, 1280\) for 2 pictures"),
        (lambda states: None, r"shape \(\)"),
    ],
)
def test_an_answer_of_another_shape_is_refused(change, message):
    with pytest.raises(ModelMismatchError, match=message):
        encode_pixels(broken(change), random(2, 3, 224, 224, seed=1))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_an_answer_that_is_not_a_number_is_refused_each_time(value):
    def spoil(states):
        states[-1, 3, 5] = value
        return states

    vision = broken(spoil)
    for _ in range(2):  # nothing of it was kept
        with pytest.raises(ModelMismatchError, match="not numbers .* for 1 of 2 pictures"):
            encode_pixels(vision, random(2, 3, 224, 224, seed=1))


def test_what_is_known_of_a_face_goes_with_its_parts():
    vision, consistentid = clip_vision(), consistentid_model("sd15")
    face_parts = FaceParts((FacePhoto(PORTRAIT, find_parts(LABELS)),))
    features = features_of(vision, face_parts)
    kept = [weakref.ref(one) for one in features.values()]
    kept += [weakref.ref(one) for one in region_vectors(consistentid, vision, face_parts)[0].values()]
    gc.disable()
    try:
        del features, face_parts
        # The last pictures are kept with the CLIP vision model, in case the same photo comes again.
        del vision
        assert not any(one() is not None for one in kept)
    finally:
        gc.enable()


def test_what_stands_for_no_picture_goes_with_the_model_it_is_from():
    vision, consistentid = clip_vision(), consistentid_model("sd15")
    gone = [weakref.ref(zero_image(vision)), weakref.ref(zero_vector(consistentid, zero_image(vision)))]
    gc.disable()
    try:
        del vision
        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()
