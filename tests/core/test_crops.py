import numpy as np
import pytest
import torch
from golden_set import DIRECTORY, image, manifest, tensors
from PIL import Image

from consistentid_core.faces.bisenet import parser_pixels
from consistentid_core.faces.clip_pixels import CLIP_MEAN, CLIP_STD, clip_pixel_values
from consistentid_core.faces.crops import crop_part, fit_mask
from consistentid_core.faces.face_parts import FacePhoto, find_parts
from consistentid_core.families import FAMILIES

CASES = manifest("preprocess")["cases"]
CROPS = [(case, part) for case in CASES for part in case["parts"]]

#: Pixel values are stored as float16: half a unit in the last place at magnitude 2..4.
FP16 = 1e-3


def photo_of(case) -> FacePhoto:
    width, height = case["size"]
    label_map = np.load(DIRECTORY / "masks.npz")[f"{case['labels']}/labels"]
    picture = image(case["image_key"], height, width)
    return FacePhoto(picture, find_parts(label_map), label_map)


def part_named(photo, name):
    return next(part for part in photo.parts if part.name == name)


@pytest.mark.parametrize("case, part", CROPS, ids=[f"{case['name']}-{part}" for case, part in CROPS])
def test_a_crop_is_the_originals_picture(case, part):
    photo = photo_of(case)
    expected = np.asarray(Image.open(DIRECTORY / f"crop_{case['name']}_{part}.png"))
    assert np.array_equal(photo.crop(part_named(photo, part)), expected)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_pixel_values_of_crops_equal_the_originals(case):
    photo = photo_of(case)
    assert case["stored_pixel_values"]
    for name in case["stored_pixel_values"]:
        values = clip_pixel_values([photo.crop(part_named(photo, name))])[0]
        expected = tensors("preprocess")[f"{case['name']}/pixel_values/{name}"].float()
        torch.testing.assert_close(values, expected, atol=FP16, rtol=0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_statistics_of_all_crops_equal_the_originals(case):
    photo = photo_of(case)
    assert [part.name for part in photo.parts] == case["parts"]
    crops = clip_pixel_values(photo.crop(part) for part in photo.parts)
    padded = torch.cat((crops, torch.zeros(len(case["padding_slots"]), 3, 224, 224)))  # SPEC 2.5
    np.testing.assert_allclose(padded.mean((1, 2, 3)).numpy(), case["pixel_values_mean"], atol=1e-5)
    np.testing.assert_allclose(padded.std((1, 2, 3)).numpy(), case["pixel_values_std"], atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_pixel_values_of_whole_photos_equal_the_originals(case):
    expected = tensors("preprocess")[f"{case['name']}/whole_pixel_values"].float()
    torch.testing.assert_close(clip_pixel_values([photo_of(case).image]), expected, atol=FP16, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parsers_input_equals_the_originals(family):
    expected = tensors("preprocess")[f"parser_input_{family}_grid"][0]
    # The manifest does not say which of its photos this is.
    inputs = [
        parser_pixels(photo_of(case).image, FAMILIES[family].parse_size)[0, :, ::16, ::16] for case in CASES
    ]
    assert min(float((found - expected).abs().max()) for found in inputs) < 1e-5


def test_a_full_mask_leaves_the_photo_and_an_empty_one_leaves_black():
    picture = image("crop.any", 31, 47)
    assert np.array_equal(crop_part(picture, np.full((8, 8), 255, np.uint8)), picture)
    assert not crop_part(picture, np.zeros((8, 8), np.uint8)).any()


def test_a_mask_is_stretched_over_the_photo_with_soft_edges():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 4:] = 255
    fitted = fit_mask(mask, np.zeros((80, 160, 3), np.uint8))
    assert fitted.shape == (80, 160)
    assert not fitted[:, :60].any() and (fitted[:, 100:] == 255).all()
    assert len(np.unique(fitted[40, 60:100])) > 10


def test_only_the_centre_square_of_a_long_picture_counts():
    picture = np.zeros((60, 200, 3), np.uint8)
    picture[:, 70:130] = 200
    moved = picture.copy()
    moved[:, :40] = 255  # outside the centre square
    assert torch.equal(clip_pixel_values([picture]), clip_pixel_values([moved]))


def test_pictures_of_different_sizes_share_a_batch():
    pictures = [np.full(shape, 255, np.uint8) for shape in ((1, 1, 3), (500, 20, 3), (224, 224, 3))]
    values = clip_pixel_values(pictures)
    assert values.shape == (3, 3, 224, 224)
    white = (1 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
    torch.testing.assert_close(values, white[None, :, None, None].expand_as(values))


def test_no_picture_gives_an_empty_batch():
    assert clip_pixel_values([]).shape == (0, 3, 224, 224)


def test_a_sliver_is_refused_with_its_size():
    with pytest.raises(ValueError, match="8000x100 pixels.*too long and thin"):
        clip_pixel_values([np.zeros((100, 8000, 3), np.uint8)])


@pytest.mark.parametrize("bad", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_something_else_than_an_rgb_picture_is_refused(bad):
    with pytest.raises(ValueError, match="A picture is uint8"):
        clip_pixel_values([bad])
