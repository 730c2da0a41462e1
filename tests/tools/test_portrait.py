"""The portrait that ships with the example workflows, and its hand-made label map."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from consistentid_core.faces.clip_pixels import clip_pixel_values
from consistentid_core.faces.face_parts import FacePhoto, find_parts
from consistentid_core.regions import CLASSES, REGION_NAMES, classes_present

ASSETS = Path(__file__).resolve().parents[2] / "workflows" / "assets"


@pytest.fixture(scope="module")
def portrait():
    return np.asarray(Image.open(ASSETS / "astronaut.png"))


@pytest.fixture(scope="module")
def label_map():
    with Image.open(ASSETS / "astronaut_labels.png") as picture:
        assert picture.mode == "L"
        return np.asarray(picture)


def centre(label_map, name):
    return np.argwhere(label_map == CLASSES.index(name)).mean(axis=0)


def test_portrait_and_map_are_small_files_of_the_parsers_size(portrait, label_map):
    assert portrait.shape == (512, 512, 3) and label_map.shape == (512, 512)
    assert sum(file.stat().st_size for file in ASSETS.glob("astronaut*")) < 500_000


def test_all_five_regions_and_both_of_each_pair_are_marked(label_map):
    assert [part.region for part in find_parts(label_map)] == list(REGION_NAMES)
    united = [part.name for part in find_parts(label_map, pair="both")]
    assert united == ["Face", "Eyes", "Ears", "Nose", "Lips"]


def test_the_map_holds_only_classes_of_the_parser(label_map):
    assert max(classes_present(label_map)) < len(CLASSES)


def test_the_features_lie_where_a_face_has_them(label_map):
    row, column = 0, 1
    nose = centre(label_map, "Nose")
    for side, left in (("Left", True), ("Right", False)):
        for name in ("Eyebrow", "Eye", "Ear"):
            assert (centre(label_map, f"{side}_{name}")[column] < nose[column]) == left
    downwards = [
        "Hair",
        "Left_Eyebrow",
        "Left_Eye",
        "Nose",
        "Upper_Lip",
        "Mouth_Interior",
        "Lower_Lip",
        "Neck",
        "Cloth",
    ]
    assert np.all(np.diff([centre(label_map, name)[row] for name in downwards]) > 0)


def test_the_marked_areas_have_the_colours_of_what_they_name(portrait, label_map):
    def mean(name):
        return portrait[label_map == CLASSES.index(name)].mean(axis=0)

    def redness(name):
        red, green, blue = mean(name)
        return red - (green + blue) / 2

    assert mean("Hair").sum() < mean("Face").sum()
    assert mean("Left_Eye").sum() < mean("Face").sum() - 60  # iris and lashes
    assert redness("Upper_Lip") > redness("Face") and redness("Lower_Lip") > redness("Face")
    assert redness("Cloth") > 60  # an orange suit
    assert min(mean("Mouth_Interior")) > min(mean("Upper_Lip"))  # teeth


def test_the_readme_lists_the_areas_of_the_map(label_map):
    lines = (ASSETS / "README.md").read_text("utf-8").splitlines()
    for class_id in classes_present(label_map):
        area = np.count_nonzero(label_map == class_id)
        assert any(f"| {class_id} |" in line and f"| {area} |" in line for line in lines), class_id


def test_every_crop_shows_something_to_the_image_encoder(portrait, label_map):
    photo = FacePhoto(portrait, find_parts(label_map), label_map)
    values = clip_pixel_values(photo.crop(part) for part in photo.parts)
    assert values.shape == (5, 3, 224, 224)
    assert (values.amax((1, 2, 3)) > 0).all()
