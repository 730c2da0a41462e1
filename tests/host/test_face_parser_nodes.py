import shutil
from pathlib import Path

import comfy.model_management
import folder_paths
import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.errors import CheckpointError, MissingModelError, NoFaceError
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts
from consistentid_pack.consistentid_core.regions import CLASSES, REGION_NAMES
from consistentid_pack.nodes.face_parser import FaceParser, FaceParserLoader, FacePartsFromMap
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.host.label_maps import to_label_maps
from consistentid_pack.nodes.models.consistentid import ConsistentIDModel
from consistentid_pack.nodes.models.face_parser import FaceParserModel
from PIL import Image

from tools.standins import bisenet

ASSETS = Path(__file__).resolve().parents[2] / "workflows" / "assets"


@pytest.fixture(autouse=True)
def temp_folder(tmp_path):
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path / "temp"))
    yield
    folder_paths.set_temp_directory(before)


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    path = tmp_path_factory.mktemp("standin") / "face_parsing.pth"
    bisenet.write(path)
    return path


@pytest.fixture
def models(tmp_path, monkeypatch, standin):
    """A models folder with the stand-in in ``facexlib``."""
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", dict(folder_paths.folder_names_and_paths))
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    for name in (*folders.FACE_PARSING, folders.INSIGHTFACE, folders.LLM):
        folder_paths.folder_names_and_paths.pop(name, None)
    folders.register()
    for name in folders.FACE_PARSING:
        (tmp_path / name).mkdir()
    shutil.copy(standin, tmp_path / "facexlib")
    return tmp_path


@pytest.fixture(scope="module")
def parser(standin):
    from consistentid_pack.consistentid_core.faces.bisenet import load_weights

    return FaceParserModel(load_weights(standin))


class FixedParser(FaceParserModel):
    """A face parser that always sees the given label maps."""

    def __init__(self, *label_maps):
        self.label_maps = label_maps

    def parse(self, pictures, size):
        yield from (self.label_maps[i % len(self.label_maps)] for i, _ in enumerate(pictures))


def grey(array):
    """An 8-bit grey picture as Load Image hands it over."""
    return torch.from_numpy(np.repeat(array[None, :, :, None], 3, axis=3).astype(np.float32) / 255)


@pytest.fixture(scope="module")
def label_map():
    return np.asarray(Image.open(ASSETS / "astronaut_labels.png"))


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(np.asarray(Image.open(ASSETS / "astronaut.png"))[None].astype(np.float32) / 255)


def without(label_map, *names):
    """The map with some classes painted over with skin."""
    ids = [CLASSES.index(name) for name in names]
    return np.where(np.isin(label_map, ids), np.uint8(1), label_map)


def regions(output):
    return [[part.region for part in photo.parts] for photo in output.args[0].photos]


# ---------------------------------------------------------------- loading


def test_the_loader_lists_files_of_all_three_folders_behind_auto(models):
    (models / "consistentid" / "ConsistentID-v1.bin").write_bytes(b"x")
    files = FaceParserLoader.define_schema().inputs[0]
    assert files.options[0] == "auto"
    assert set(files.options[1:]) == {"ConsistentID-v1.bin", "face_parsing.pth"}


def test_auto_takes_the_parser_from_any_of_the_folders(models):
    (models / "consistentid" / "ConsistentID-v1.bin").write_bytes(b"x")
    assert isinstance(FaceParserLoader.execute("auto").args[0], FaceParserModel)


def test_a_loaded_standin_parses_a_photo(models, photo):
    model = FaceParserLoader.execute("face_parsing.pth").args[0]
    output = FaceParser.execute(model, photo)
    assert isinstance(output.args[0], FaceParts)
    assert output.args[0].photos[0].label_map.shape == (512, 512)
    assert model.patcher.model_size() == pytest.approx(53.2e6, rel=0.01)


def test_the_fingerprint_follows_the_file(models):
    before = FaceParserLoader.fingerprint_inputs("face_parsing.pth")
    assert FaceParserLoader.fingerprint_inputs("face_parsing.pth") == before
    (models / "facexlib" / "face_parsing.pth").write_bytes(b"another file")
    assert FaceParserLoader.fingerprint_inputs("face_parsing.pth") != before


def test_a_file_that_is_gone_is_reported_with_the_folders_searched(models):
    with pytest.raises(MissingModelError, match="gone.pth.*facexlib"):
        FaceParserLoader.execute("gone.pth")


def test_another_model_in_the_shared_folder_is_refused(models):
    torch.save({"image_proj": {}}, models / "consistentid" / "ConsistentID-v1.bin")
    with pytest.raises(CheckpointError, match="ConsistentID-v1.bin.*not a face parser"):
        FaceParserLoader.execute("ConsistentID-v1.bin")


# ---------------------------------------------------------------- parsing


def test_the_parser_under_the_memory_manager_computes_what_the_plain_network_does(parser, standin, photo):
    from consistentid_pack.consistentid_core.faces.bisenet import BiSeNet, load_weights, parse_picture

    plain = BiSeNet().eval()
    plain.load_state_dict(load_weights(standin))
    picture = (photo[0].numpy() * 255).round().astype(np.uint8)
    (managed,) = parser.parse([picture], 512)
    assert (managed == parse_picture(plain, picture)).mean() > 0.9999


@pytest.mark.parametrize("size", [64, 96])
def test_the_parser_looks_at_a_square_of_the_size_asked_for(parser, photo, size):
    picture = (photo[0].numpy() * 255).astype(np.uint8)
    assert [label_map.shape for label_map in parser.parse([picture] * 2, size)] == [(size, size)] * 2


def test_the_parse_size_reaches_the_parser_and_is_the_originals_by_default(label_map, photo):
    sizes = []

    class Recording(FixedParser):
        def parse(self, pictures, size):
            sizes.append(size)
            return super().parse(pictures, size)

    FaceParser.execute(Recording(label_map), photo)
    FaceParser.execute(Recording(label_map), photo, parse_size="1280")
    assert sizes == [512, 1280]
    sdxl = object.__new__(ConsistentIDModel)
    sdxl.family = "sdxl"
    FaceParser.execute(Recording(label_map), photo, parse_size="512", consistentid=sdxl)
    assert sizes == [512, 1280, 1280]


def test_outputs_have_the_photos_size_and_the_values_of_masks_and_images(label_map):
    image = torch.rand(1, 300, 200, 3)
    parts, mask, overlay = FaceParser.execute(FixedParser(label_map), image).args
    assert mask.shape == (1, 300, 200) and mask.dtype == torch.float32
    assert overlay.shape == (1, 300, 200, 3) and overlay.dtype == torch.float32
    assert 0 <= float(mask.min()) < float(mask.max()) <= 1
    assert parts.photos[0].image.shape == (300, 200, 3)


def test_all_parts_are_on_by_default_and_come_in_crop_order(label_map, photo):
    output = FaceParser.execute(FixedParser(label_map), photo)
    assert regions(output) == [list(REGION_NAMES)]
    assert [p.name for p in output.args[0].photos[0].parts] == [
        "Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip",
    ]  # fmt: skip


@pytest.mark.parametrize("name", REGION_NAMES)
def test_a_switch_takes_its_part_out_of_parts_and_mask(label_map, photo, name):
    everything = FaceParser.execute(FixedParser(label_map), photo)
    output = FaceParser.execute(FixedParser(label_map), photo, **{name: False})
    assert regions(output) == [[region for region in REGION_NAMES if region != name]]
    only = FaceParser.execute(FixedParser(label_map), photo, **{r: r == name for r in REGION_NAMES})
    assert regions(only) == [[name]]
    assert torch.equal(torch.maximum(output.args[1], only.args[1]), everything.args[1])
    assert not torch.equal(output.args[2], everything.args[2])


def test_both_of_a_pair_cover_more_than_one(label_map, photo):
    face_off = {"face": False}
    one = FaceParser.execute(FixedParser(label_map), photo, **face_off)
    both = FaceParser.execute(FixedParser(label_map), photo, pair="both", **face_off)
    assert [p.name for p in both.args[0].photos[0].parts] == ["Eyes", "Ears", "Nose", "Lips"]
    assert (both.args[1] >= one.args[1]).all() and both.args[1].sum() > one.args[1].sum() + 200


def test_a_missing_part_is_fine_and_shown_as_absent(label_map, photo):
    output = FaceParser.execute(FixedParser(without(label_map, "Left_Ear", "Right_Ear")), photo)
    assert regions(output) == [["face", "eyes", "nose", "mouth"]]
    shown = {part["region"]: part["present"] for part in output.ui["consistentid_parts"][0]["parts"]}
    assert shown == {"face": True, "eyes": True, "ears": False, "nose": True, "mouth": True}


def test_each_photo_of_a_batch_keeps_its_own_parts(label_map, photo):
    batch = torch.cat([photo, 1 - photo, photo * 0.5])
    maps = (label_map, without(label_map, "Nose"), without(label_map, "Upper_Lip", "Lower_Lip"))
    output = FaceParser.execute(FixedParser(*maps), batch)
    assert regions(output) == [
        list(REGION_NAMES), ["face", "eyes", "ears", "mouth"], ["face", "eyes", "ears", "nose"],
    ]  # fmt: skip
    assert output.args[1].shape == (3, 512, 512) and output.args[2].shape == (3, 512, 512, 3)


def test_a_photo_without_any_part_is_an_error_that_says_what_was_seen(label_map, photo):
    bare = np.where(label_map == 17, np.uint8(17), np.uint8(0))
    with pytest.raises(NoFaceError, match=r"image 2 \(512x512\).*Background 96.4%, Hair 3.6%"):
        FaceParser.execute(FixedParser(label_map, bare), torch.cat([photo, photo]))


def test_a_photo_without_any_part_may_pass_as_in_the_original(label_map, photo):
    output = FaceParser.execute(FixedParser(np.zeros_like(label_map)), photo, no_face="no parts (original)")
    assert regions(output) == [[]]
    assert not output.args[1].any() and torch.equal(output.args[2], photo)


def test_a_photo_without_the_parts_switched_on_is_an_error_that_names_both(label_map, photo):
    maps = FixedParser(without(label_map, "Nose"))
    with pytest.raises(NoFaceError, match=r"switched on \(nose\).*image 1.*only face, eyes, ears, mouth"):
        FaceParser.execute(maps, photo, face=False, eyes=False, ears=False, mouth=False)


def test_switching_everything_off_is_an_error(label_map, photo):
    with pytest.raises(ValueError, match="switched off"):
        FaceParser.execute(FixedParser(label_map), photo, **dict.fromkeys(REGION_NAMES, False))


@pytest.mark.parametrize("size", [(1, 1), (31, 500)])
def test_a_photo_too_small_for_a_face_is_an_error_with_its_size(label_map, size):
    with pytest.raises(NoFaceError, match=f"{size[1]}x{size[0]} pixels, too small"):
        FaceParser.execute(FixedParser(label_map), torch.rand(1, *size, 3))


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_rgba_photos_are_parsed_as_rgb(label_map, channels):
    output = FaceParser.execute(FixedParser(label_map), torch.rand(1, 64, 64, channels))
    assert output.args[0].photos[0].image.shape == (64, 64, 3)


def test_a_batch_stops_when_the_user_cancels(label_map, photo):
    class Cancelling(FixedParser):
        parsed = 0

        def parse(self, pictures, size):
            for found in super().parse(pictures, size):
                Cancelling.parsed += 1
                comfy.model_management.interrupt_current_processing(True)
                yield found

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        FaceParser.execute(Cancelling(label_map), torch.cat([photo] * 5))
    comfy.model_management.interrupt_current_processing(False)
    assert Cancelling.parsed == 1


# ---------------------------------------------------------------- label maps and masks


def test_a_label_map_gives_what_the_parser_would_give(label_map, photo):
    parsed = FaceParser.execute(FixedParser(label_map), photo, pair="both", ears=False)
    mapped = FacePartsFromMap.execute(photo, label_map=grey(label_map), pair="both", ears=False)
    assert regions(mapped) == regions(parsed)
    assert torch.equal(mapped.args[1], parsed.args[1]) and torch.equal(mapped.args[2], parsed.args[2])
    assert mapped.ui == parsed.ui


def test_a_label_map_may_come_as_a_mask(label_map, photo):
    as_image = FacePartsFromMap.execute(photo, label_map=grey(label_map))
    as_mask = FacePartsFromMap.execute(photo, label_map=grey(label_map)[..., 0])
    assert torch.equal(as_mask.args[1], as_image.args[1])


def test_a_label_map_of_another_size_is_stretched_over_the_photo(label_map):
    image = torch.rand(1, 256, 768, 3)
    output = FacePartsFromMap.execute(image, label_map=grey(label_map))
    found = np.argwhere(output.args[1][0].numpy() > 0.5).mean(axis=0) / (256, 768)
    expected = np.argwhere(np.isin(label_map, (1, 10, 4, 7, 12))).mean(axis=0) / (512, 512)
    assert np.allclose(found, expected, atol=0.02)


def test_class_ids_survive_load_image(label_map, monkeypatch):
    from nodes import LoadImage

    monkeypatch.setattr(folder_paths, "input_directory", str(ASSETS))
    loaded = LoadImage().load_image("astronaut_labels.png")[0]
    assert np.array_equal(to_label_maps(loaded)[0], label_map)


def test_a_mask_of_a_part_replaces_what_the_map_says(label_map, photo):
    mask = torch.zeros(1, 64, 64)
    mask[:, 10:20, 10:20] = 1
    output = FacePartsFromMap.execute(photo, label_map=grey(label_map), nose_mask=mask)
    nose = next(part for part in output.args[0].photos[0].parts if part.region == "nose")
    assert np.array_equal(nose.mask == 255, mask[0].numpy() == 1)
    assert regions(output) == [list(REGION_NAMES)]


def test_an_empty_mask_removes_its_part(label_map, photo):
    output = FacePartsFromMap.execute(photo, label_map=grey(label_map), nose_mask=torch.zeros(1, 64, 64))
    assert regions(output) == [["face", "eyes", "ears", "mouth"]]


def test_masks_alone_are_enough_and_come_in_crop_order(photo):
    mask = torch.zeros(512, 512)
    mask[100:200, 100:200] = 1
    output = FacePartsFromMap.execute(photo, mouth_mask=mask, face_mask=mask[None])
    assert [part.name for part in output.args[0].photos[0].parts] == ["Face", "Lips"]
    assert output.args[0].photos[0].label_map is None
    assert torch.equal(output.args[1][0], mask)


def test_one_map_serves_a_batch_and_one_map_per_photo_works(label_map, photo):
    batch = torch.cat([photo, photo])
    shared = FacePartsFromMap.execute(batch, label_map=grey(label_map))
    own = FacePartsFromMap.execute(
        batch, label_map=torch.cat([grey(label_map), grey(without(label_map, "Nose"))])
    )
    assert regions(shared) == [list(REGION_NAMES)] * 2
    assert regions(own) == [list(REGION_NAMES), ["face", "eyes", "ears", "mouth"]]


def test_a_wrong_number_of_maps_is_an_error(label_map, photo):
    with pytest.raises(ValueError, match="2 label maps came with 3 photos"):
        FacePartsFromMap.execute(torch.cat([photo] * 3), label_map=torch.cat([grey(label_map)] * 2))


def test_nothing_connected_is_an_error(photo):
    with pytest.raises(ValueError, match="Connect a label map, or a mask"):
        FacePartsFromMap.execute(photo)


@pytest.mark.parametrize(
    "values, message",
    [
        ((0, 255), "values 0, 255. Expected are class ids from 0 to 18.*mask of one part"),
        ((0, 4, 19), "values 0, 4, 19. Expected are class ids"),
        (tuple(range(0, 250, 5)), "50 values.*looks like a photo"),
    ],
)
def test_a_map_of_other_values_is_refused_with_the_values_found(photo, values, message):
    wrong = np.resize(np.array(values, np.uint8), (40, 40))
    with pytest.raises(ValueError, match=message):
        FacePartsFromMap.execute(photo, label_map=grey(wrong))


def test_a_coloured_map_is_refused(photo):
    with pytest.raises(ValueError, match="coloured picture"):
        FacePartsFromMap.execute(photo, label_map=torch.rand(1, 32, 32, 3))


def test_a_map_or_mask_with_nan_is_refused(photo):
    with pytest.raises(ValueError, match="label map contains values that are not numbers"):
        FacePartsFromMap.execute(photo, label_map=torch.full((1, 8, 8), float("nan")))
    with pytest.raises(ValueError, match="mask contains values that are not numbers"):
        FacePartsFromMap.execute(photo, face_mask=torch.full((1, 8, 8), float("nan")))


def test_only_empty_masks_are_an_error(photo):
    with pytest.raises(NoFaceError, match="All masks of image 1 are empty"):
        FacePartsFromMap.execute(photo, face_mask=torch.zeros(1, 8, 8))


# ---------------------------------------------------------------- schemas


def test_both_nodes_have_the_same_outputs_and_keep_their_preview_on_cached_runs(models):
    for node in (FaceParser, FacePartsFromMap):
        schema = node.define_schema()
        assert getattr(schema, "has_intermediate_output", True)  # hosts before 0.19 have no such thing
        assert [socket.id for socket in schema.outputs] == ["face_parts", "mask", "overlay"]


def test_saved_workflows_depend_on_these_inputs_and_their_order(models):
    switches = ["face", "eyes", "ears", "nose", "mouth", "pair"]
    assert list(FaceParserLoader.INPUT_TYPES()["required"]) == ["model_name"]
    assert [socket.id for socket in FaceParser.define_schema().inputs] == [
        "face_parser", "image", *switches, "parse_size", "no_face", "batch", "consistentid", "brush",
    ]  # fmt: skip
    assert [socket.id for socket in FacePartsFromMap.define_schema().inputs] == [
        "image", *switches, "label_map", *(f"{name}_mask" for name in REGION_NAMES), "no_face", "batch", "brush",
    ]  # fmt: skip
    assert FacePartsFromMap.INPUT_TYPES()["optional"]["label_map"][0] == "IMAGE,MASK"


def test_an_8k_photo_is_handled(label_map):
    photo = torch.full((1, 4320, 7680, 3), 0.5)
    output = FaceParser.execute(FixedParser(label_map), photo, face=False, ears=False, nose=False)
    assert output.args[1].shape == (1, 4320, 7680)
    (parsed,) = output.args[0].photos
    assert parsed.crop(parsed.parts[0]).shape == (4320, 7680, 3)


# --- poor material --------------------------------------------------------------------------------------------


def test_parts_of_two_people_are_said_in_log_and_view(label_map, photo, caplog):
    two = np.concatenate([label_map, label_map], axis=1)
    output = FacePartsFromMap.execute(torch.cat([photo, photo], dim=2), label_map=grey(two))
    assert "The parts in image 1 are of 2 faces" in caplog.text and "Crop Face" in caplog.text
    assert output.ui["consistentid_parts"][0]["faces"] == 2


def test_parts_too_small_for_clip_are_said_by_name(label_map, caplog):
    small = np.pad(label_map, [(2 * side, side) for side in label_map.shape])
    image = torch.zeros(1, *small.shape, 3)
    output = FacePartsFromMap.execute(image, label_map=grey(small), nose=False)
    tiny = output.ui["consistentid_parts"][0]["tiny"]
    assert tiny and "nose" not in tiny
    assert f"CLIP sees next to nothing of these parts in image 1: {', '.join(tiny)}." in caplog.text


def test_of_one_large_face_nothing_is_said(label_map, photo, caplog):
    (entry,) = FacePartsFromMap.execute(photo, label_map=grey(label_map)).ui["consistentid_parts"]
    assert (entry["faces"], entry["tiny"], caplog.text) == (0, [], "")
