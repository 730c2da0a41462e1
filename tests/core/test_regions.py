from itertools import product

import numpy as np
import pytest
from golden_set import DIRECTORY, manifest

from consistentid_core.faces.face_parts import choose_parts, find_parts, parts_from_masks, replace_parts
from consistentid_core.regions import CLASSES, REGION_NAMES, REGIONS, class_masks, filled_mask, region_named

MAPS = sorted(manifest("masks")["maps"])

#: What the original's label table calls the classes whose true name differs. It goes on
#: to id 24, beyond the 19 classes of the network: those have no counterpart here.
ORIGINAL_NAMES = {
    "Glasses": "Hair",
    "Earring": "Mouth_External Contour",
    "Mouth_Interior": "Mouth_Inner_Contour",
    "Necklace": "Neck_Inner Contour",
    "Hair": "Hat",
    "Hat": "Earring",
}
NO_CLASS = {"Necklace", "Glasses", "Hand", "Wristband", "Clothes_Upper", "Clothes_Lower"}


@pytest.fixture(scope="module")
def golden():
    return np.load(DIRECTORY / "masks.npz")


def original_masks(label_map):
    return {ORIGINAL_NAMES.get(name, name): mask for name, mask in class_masks(label_map).items()}


@pytest.mark.parametrize("name", MAPS)
def test_filled_masks_come_in_the_originals_order(golden, name):
    expected = [part for part in manifest("masks")["maps"][name]["all"] if part not in NO_CLASS]
    assert list(original_masks(golden[f"{name}/labels"])) == expected


@pytest.mark.parametrize("name", MAPS)
def test_filled_masks_equal_the_originals(golden, name):
    masks = original_masks(golden[f"{name}/labels"])
    stored = [key.rsplit("/", 1)[1] for key in golden.files if key.startswith(f"{name}/mask/")]
    compared = [part for part in stored if part not in NO_CLASS]
    assert compared
    for part in compared:
        assert np.array_equal(np.packbits(masks[part]), golden[f"{name}/mask/{part}"]), part


@pytest.mark.parametrize("name", MAPS)
def test_filled_masks_have_the_originals_areas(golden, name):
    areas = manifest("masks")["maps"][name]["area"]
    masks = original_masks(golden[f"{name}/labels"])
    assert {part: int(mask.sum()) for part, mask in masks.items()} == {part: areas[part] for part in masks}


@pytest.mark.parametrize("name", MAPS)
def test_the_chosen_parts_are_the_originals(golden, name):
    expected = manifest("masks")["maps"][name]
    parts = find_parts(golden[f"{name}/labels"])
    assert [part.name for part in parts] == expected["chosen"]
    assert [np.count_nonzero(part.mask == 255) for part in parts] == [expected["area"][p.name] for p in parts]


@pytest.mark.parametrize("name", MAPS)
def test_both_of_a_pair_is_the_union_of_their_masks(golden, name):
    label_map = golden[f"{name}/labels"]
    masks = class_masks(label_map)
    parts = {part.region: part for part in find_parts(label_map, pair="both")}
    for region in REGIONS:
        present = [masks[part] for part in region.parts if part in masks]
        assert (region.name in parts) == bool(present)
        if present:
            assert np.array_equal(parts[region.name].mask == 255, np.logical_or.reduce(present))
            assert parts[region.name].name in (region.united if len(present) > 1 else region.parts)


def test_a_mask_on_the_border_keeps_its_open_bays_and_loses_its_holes():
    mask = np.zeros((9, 9), bool)
    mask[0:7, 0:7] = True
    mask[3, 3] = False  # a hole
    mask[0:2, 2] = False  # a bay open to the border
    filled = filled_mask(mask)
    assert filled[3, 3] and not filled[0:2, 2].any()
    assert filled.sum() == mask.sum() + 1


def test_a_hole_that_touches_the_outside_only_at_a_corner_is_filled():
    mask = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
    assert filled_mask(mask)[1, 1]


def test_filling_is_the_same_inside_any_frame():
    rng = np.random.default_rng(3)
    for _ in range(50):
        mask = rng.random((12, 15)) < 0.6
        framed = np.pad(mask, 4)
        assert np.array_equal(filled_mask(framed)[4:-4, 4:-4], filled_mask(mask))
        assert np.array_equal(filled_mask(np.flipud(mask)), np.flipud(filled_mask(mask)))


def test_an_empty_mask_stays_empty():
    assert not filled_mask(np.zeros((5, 5), bool)).any()


def test_every_region_names_classes_of_the_network_in_ascending_order():
    ids = [class_id for region in REGIONS for class_id in region.class_ids]
    assert ids == [1, 4, 5, 7, 8, 10, 12, 13]
    assert REGION_NAMES == ("face", "eyes", "ears", "nose", "mouth")
    assert len(CLASSES) == 19


def test_an_unknown_region_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match="'chin'.*face, eyes, ears, nose, mouth"):
        region_named("chin")


#: From Viénot, Brettel and Mollon (1999), on linear RGB: what two kinds of dichromats see.
DICHROMACY = {
    "protanopia": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deuteranopia": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    "normal": np.eye(3),
}


def lab(rgb, vision):
    """CIE L*a*b* of an 8-bit sRGB colour as that kind of vision sees it."""
    linear = np.asarray(DICHROMACY[vision]) @ ((np.asarray(rgb) / 255) ** 2.2)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.clip(to_xyz @ linear, 0, None) / (0.9505, 1.0, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", DICHROMACY)
def test_region_colours_can_be_told_apart_with_any_colour_vision(vision):
    colours = {region.name: lab(region.colour, vision) for region in REGIONS}
    for one, other in product(colours, colours):
        if one < other:
            assert np.linalg.norm(colours[one] - colours[other]) > 20, (one, other)


@pytest.fixture
def parts():
    """All five parts, as nine-pixel patches."""
    label_map = np.zeros((20, 20), np.uint8)
    for position, class_id in enumerate((1, 4, 7, 10, 12)):
        label_map[3 * position : 3 * position + 3, 5:8] = class_id
    return find_parts(label_map)


def test_switches_keep_only_the_named_regions_in_crop_order(parts):
    assert [part.region for part in choose_parts(parts, {"mouth", "face"})] == ["face", "mouth"]


def test_own_masks_replace_the_parts_of_the_same_region_in_crop_order(parts):
    eyes = np.zeros((30, 20), bool)
    eyes[5:8, 4:16] = True
    replaced = replace_parts(parts, parts_from_masks({"eyes": eyes}))
    assert [part.region for part in replaced] == [part.region for part in parts]
    assert replaced[1].name == "Eyes" and np.array_equal(replaced[1].mask == 255, eyes)


def test_empty_own_masks_give_no_part_and_holes_are_closed():
    ring = np.zeros((10, 10), bool)
    ring[2:8, 2:8] = True
    ring[4, 4] = False
    parts = parts_from_masks({"nose": np.zeros((10, 10), bool), "face": ring})
    assert [part.name for part in parts] == ["Face"]
    assert parts[0].area == 0.36


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.int64), np.zeros((4, 4, 3), np.uint8)])
def test_something_else_than_a_label_map_is_refused(bad):
    with pytest.raises(ValueError, match="uint8 .height, width."):
        find_parts(bad)
