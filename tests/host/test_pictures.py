"""ComfyUI images to 8-bit pictures and back."""

import numpy as np
import pytest
import torch
from consistentid_pack.nodes.host.label_maps import to_label_maps, to_masks
from consistentid_pack.nodes.host.pictures import BRIGHTEST, to_image, to_pictures
from consistentid_pack.nodes.sampling.spatial_mask import check_mask


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


#: Everything that takes colours or masks from a socket, with a shape that fits.
TAKERS = [
    (to_pictures, (1, 4, 4, 3)),
    (to_masks, (1, 4, 4)),
    (to_label_maps, (1, 4, 4)),
    (check_mask, (1, 4, 4)),
]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
@pytest.mark.parametrize("take, shape", TAKERS)
def test_whole_numbers_are_refused_with_their_type(take, shape, dtype):
    with pytest.raises(ValueError, match=f"numbers of type {str(dtype)[6:]}; .*floats from 0 to 1.*255"):
        take(torch.full(shape, 3, dtype=dtype))


@pytest.mark.parametrize("value", [255.0, 12.5])
@pytest.mark.parametrize("take, shape", TAKERS)
def test_counting_from_0_to_255_is_refused_with_the_largest_value(take, shape, value):
    values = torch.zeros(shape)
    values[0, 1, 2] = value
    with pytest.raises(ValueError, match=f"values up to {value:g}; expected are 0 to 1.*255"):
        take(values)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_every_precision_are_pictures(dtype):
    (picture,) = to_pictures(torch.tensor([[[[0.0, 0.25, BRIGHTEST]]]], dtype=dtype))
    assert picture.tolist() == [[[0, 64, 255]]]


def test_a_mask_of_yes_and_no_is_a_mask():
    mask = torch.tensor([[[True, False], [False, False]]])
    assert to_masks(mask)[0].tolist() == [[True, False], [False, False]]
    assert torch.equal(check_mask(mask), mask.float())
