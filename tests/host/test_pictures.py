"""ComfyUI images to 8-bit pictures and back."""

import numpy as np
import pytest
import torch
from consistentid_pack.nodes.host.pictures import to_image, to_pictures


def test_every_8_bit_picture_survives_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    (picture,) = to_pictures(to_image([levels]))
    assert np.array_equal(picture, levels)


def test_a_grey_picture_gets_three_equal_channels():
    (picture,) = to_pictures(torch.rand(1, 5, 7, 1))
    assert picture.shape == (5, 7, 3) and picture.dtype == np.uint8
    assert (picture == picture[..., :1]).all()


def test_transparency_is_dropped():
    image = torch.rand(2, 5, 7, 4)
    assert np.array_equal(to_pictures(image), to_pictures(image[..., :3]))


def test_levels_outside_the_range_are_clipped():
    (picture,) = to_pictures(torch.tensor([[[[-1.0, 0.5, 2.0]]]]))
    assert picture.tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (4, 4, 3), (1, 4, 4, 2)])
def test_what_is_no_picture_is_refused_with_its_shape(shape):
    with pytest.raises(ValueError, match="Expected an IMAGE"):
        to_pictures(torch.zeros(shape))


def test_values_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        to_pictures(torch.full((1, 2, 2, 3), float("nan")))
