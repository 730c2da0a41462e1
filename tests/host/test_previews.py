import json
import os
from pathlib import Path

import folder_paths
import numpy as np
import pytest
from consistentid_pack.consistentid_core.faces.face_parts import FacePhoto, find_parts
from consistentid_pack.consistentid_core.faces.part_warnings import PartWarnings
from consistentid_pack.consistentid_core.regions import REGION_NAMES, REGIONS
from consistentid_pack.nodes.previews.parts import MAX_PHOTOS, MAX_SIDE, UI_KEY, parts_ui
from PIL import Image
from portrait_asset import LABELS, PORTRAIT

pytestmark = pytest.mark.usefixtures("temp_folder")

ALL = set(REGION_NAMES)


@pytest.fixture
def astronaut():
    return FacePhoto(PORTRAIT, find_parts(LABELS), LABELS)


def noise(height, width):
    """The worst case for every file format."""
    rng = np.random.default_rng(0)
    label_map = rng.integers(0, 19, (512, 512), dtype=np.uint8)
    return FacePhoto(
        rng.integers(0, 256, (height, width, 3), dtype=np.uint8), find_parts(label_map), label_map
    )


def files(entry):
    return [
        entry["photo"],
        *(part[kind] for part in entry["parts"] for kind in ("mask", "twin") if part[kind]),
    ]


def path_of(file):
    assert file["type"] == "temp"
    return Path(folder_paths.get_temp_directory()) / file["subfolder"] / file["filename"]


def test_there_is_one_entry_per_photo_in_a_list_that_can_be_sent(astronaut):
    ui = parts_ui([astronaut, astronaut], ALL)
    assert list(ui) == [UI_KEY] and isinstance(ui[UI_KEY], list) and len(ui[UI_KEY]) == 2
    assert json.loads(json.dumps(ui)) == ui


def test_all_five_regions_are_listed_with_name_colour_and_share(astronaut):
    (entry,) = parts_ui([astronaut], ALL)[UI_KEY]
    assert (entry["width"], entry["height"]) == (512, 512)
    assert [part["region"] for part in entry["parts"]] == list(REGION_NAMES)
    for part, region, found in zip(entry["parts"], REGIONS, astronaut.parts, strict=True):
        assert part["name"] == found.name and part["label"] == region.label
        assert tuple(bytes.fromhex(part["colour"][1:])) == region.colour
        assert part["area"] == pytest.approx(np.mean(found.mask == 255), abs=1e-6)


def test_parts_switched_off_keep_their_mask_and_missing_ones_have_none():
    no_ears = np.where(np.isin(LABELS, (7, 8)), np.uint8(0), LABELS)
    photo = FacePhoto(np.zeros((512, 512, 3), np.uint8), find_parts(no_ears), no_ears)
    (entry,) = parts_ui([photo], ALL - {"nose"})[UI_KEY]
    parts = {part["region"]: part for part in entry["parts"]}
    assert (
        parts["nose"]["present"] and not parts["nose"]["enabled"] and path_of(parts["nose"]["mask"]).is_file()
    )
    assert parts["ears"] == {
        "name": "Ears", "region": "ears", "label": "Ears", "colour": parts["ears"]["colour"],
        "enabled": True, "present": False, "area": 0.0, "mask": None, "twin": None,
    }  # fmt: skip


def test_files_exist_and_masks_have_one_channel_and_the_photos_proportions(astronaut):
    (entry,) = parts_ui([astronaut], ALL)[UI_KEY]
    for file in files(entry):
        assert path_of(file).is_file()
    for part, found in zip(entry["parts"], astronaut.parts, strict=True):
        mask = Image.open(path_of(part["mask"]))
        assert mask.mode == "L" and mask.size == (512, 512)
        assert np.array_equal(np.asarray(mask), found.mask)


def test_switching_a_part_off_writes_no_new_files(astronaut):
    (all_on,) = parts_ui([astronaut], ALL)[UI_KEY]
    (one_off,) = parts_ui([astronaut], ALL - {"face"})[UI_KEY]
    assert files(one_off) == files(all_on)
    assert [part["enabled"] for part in one_off["parts"]] == [
        part["region"] != "face" for part in all_on["parts"]
    ]


@pytest.mark.parametrize("size", [(512, 512), (4320, 7680), (3000, 200)])
def test_large_photos_are_shown_small(size):
    photo = FacePhoto(np.zeros((*size, 3), np.uint8), noise(8, 8).parts)
    (entry,) = parts_ui([photo], ALL)[UI_KEY]
    assert (entry["height"], entry["width"]) == size
    shown = Image.open(path_of(entry["photo"])).size
    assert max(shown) == min(MAX_SIDE, max(size))
    assert shown[0] / shown[1] == pytest.approx(size[1] / size[0], rel=0.03)


@pytest.mark.parametrize("case", ["astronaut", "noise"])
def test_the_files_of_a_photo_stay_below_300_kb(astronaut, case):
    photo = astronaut if case == "astronaut" else noise(1200, 1200)
    (entry,) = parts_ui([photo], ALL)[UI_KEY]
    assert sum(path_of(file).stat().st_size for file in files(entry)) < 300_000


def test_the_same_preview_is_stored_once(astronaut, temp_folder):
    parts_ui([astronaut], ALL)
    before = sorted(temp_folder.rglob("*.*"))
    parts_ui([astronaut], ALL)
    assert sorted(temp_folder.rglob("*.*")) == before


def test_a_preview_gets_its_name_when_it_is_complete(astronaut, monkeypatch):
    """Its name says its content, so half of one, left by a run that was killed, would be shown for ever."""
    move, moved = os.replace, {}

    def look(unfinished, path):
        assert not path.exists()
        moved[path] = unfinished.read_bytes()
        move(unfinished, path)

    monkeypatch.setattr(os, "replace", look)
    (entry,) = parts_ui([astronaut], ALL)[UI_KEY]
    assert moved == {path_of(file): path_of(file).read_bytes() for file in files(entry)}


def test_of_a_large_batch_the_first_photos_are_shown_and_the_total_is_told(astronaut):
    entries = parts_ui([astronaut] * (MAX_PHOTOS + 5), ALL)[UI_KEY]
    assert [entry["index"] for entry in entries] == list(range(MAX_PHOTOS))
    assert {entry["total"] for entry in entries} == {MAX_PHOTOS + 5}


def test_of_a_pair_of_which_one_is_used_the_other_comes_as_twin(astronaut):
    (entry,) = parts_ui([astronaut], ALL)[UI_KEY]
    assert [part["region"] for part in entry["parts"] if part["twin"]] == ["eyes", "ears", "mouth"]
    eyes = entry["parts"][1]
    left, right = (np.asarray(Image.open(path_of(eyes[kind]))) > 128 for kind in ("mask", "twin"))
    assert right.any() and not (left & right).any()
    both = FacePhoto(PORTRAIT, find_parts(LABELS, pair="both"), LABELS)
    assert not any(part["twin"] for part in parts_ui([both], ALL)[UI_KEY][0]["parts"])


def test_what_is_to_be_said_of_a_photo_comes_with_it(astronaut):
    first, second = parts_ui(
        [astronaut, astronaut], ALL, [PartWarnings(), PartWarnings(faces=2, tiny=("nose",))]
    )[UI_KEY]
    assert (first["faces"], first["tiny"]) == (0, [])
    assert (second["faces"], second["tiny"]) == (2, ["nose"])
