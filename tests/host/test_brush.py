"""Corrections with a brush on the nodes that find parts: files in the input folder, and what becomes of the crops."""

import json
import logging
from pathlib import Path

import folder_paths
import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.errors import BrushError
from consistentid_pack.consistentid_core.faces.brush import Correction, Stroke, photo_id, to_bytes
from consistentid_pack.consistentid_core.faces.pictures import crops
from consistentid_pack.nodes.face_parser import FaceParser, FacePartsFromMap
from consistentid_pack.nodes.host import brush_files
from consistentid_pack.nodes.models.face_parser import FaceParserModel
from portrait_asset import LABELS, PORTRAIT

pytestmark = pytest.mark.usefixtures("temp_folder")

NAME = "consistentid/brush.json"
ID = photo_id(PORTRAIT)
PHOTO = torch.from_numpy(PORTRAIT[None].astype(np.float32) / 255)
MAP = torch.from_numpy(np.repeat(LABELS[None, :, :, None], 3, axis=3).astype(np.float32) / 255)

#: In the upper left corner, far from the face.
CORNER = Stroke("nose", True, 0.05, ((0.1, 0.1),))


@pytest.fixture(autouse=True)
def input_folder(tmp_path):
    before = folder_paths.get_input_directory()
    folder_paths.set_input_directory(str(tmp_path / "input"))
    (tmp_path / "input" / "consistentid").mkdir(parents=True)
    yield tmp_path / "input"
    folder_paths.set_input_directory(before)


class FixedParser(FaceParserModel):
    """Sees the portrait's label map in every photo."""

    def __init__(self):
        pass

    def parse(self, pictures, size):
        yield from (LABELS for _ in pictures)


def parse(**inputs):
    return FaceParser.execute(FixedParser(), **{"image": PHOTO, **inputs})


def from_map(**inputs):
    return FacePartsFromMap.execute(**{"image": PHOTO, "label_map": MAP, **inputs})


@pytest.fixture(params=[parse, from_map], ids=["Parse Face", "Face Parts from Label Map"])
def node(request):
    return request.param


def paint(folder, *strokes, key=ID, size=(512, 512)):
    (folder / NAME).write_bytes(to_bytes({key: Correction(*size, strokes)}))
    return NAME


def nose_of(output):
    (photo,) = output.args[0].photos
    return next((part for part in photo.parts if part.region == "nose"), None)


def brush_entry(output):
    return output.ui["consistentid_parts"][0]["brush"]


def test_without_a_brush_everything_is_as_it_was(node, input_folder):
    plain, empty = node(), node(brush="")
    for one, other in zip(plain.args[0].photos[0].parts, empty.args[0].photos[0].parts, strict=True):
        assert np.array_equal(one.mask, other.mask)
    assert torch.equal(plain.args[1], empty.args[1]) and torch.equal(plain.args[2], empty.args[2])
    assert brush_entry(plain) == {"photo": ID, "file": "", "is_aside": False, "masks": {}}


def test_what_is_painted_is_in_the_mask_and_in_the_crop_that_clip_sees(node, input_folder):
    plain, painted = node(), node(brush=paint(input_folder, CORNER))
    assert plain.args[1][0, 51, 51] == 0 and painted.args[1][0, 51, 51] == 1
    seen = [
        {part.region: picture for part, picture in crops(one.args[0])}["nose"] for one in (plain, painted)
    ]
    assert not seen[0][22, 22].any() and seen[1][22, 22].any()
    assert np.array_equal(seen[0][60:], seen[1][60:])


def test_the_interface_gets_the_mask_before_and_after(node, input_folder):
    plain, painted = node(), node(brush=paint(input_folder, CORNER))
    masks = [
        {part["region"]: part["mask"] for part in one.ui["consistentid_parts"][0]["parts"]}
        for one in (plain, painted)
    ]
    assert brush_entry(painted) == {"photo": ID, "file": NAME, "is_aside": False, "masks": masks[0]}
    assert masks[1]["nose"] != masks[0]["nose"] and masks[1]["eyes"] == masks[0]["eyes"]


def test_erasing_all_of_a_part_leaves_it_out(node, input_folder):
    strokes = [Stroke("nose", False, 0.15, tuple((x / 10, y / 10) for x in range(11))) for y in range(11)]
    assert nose_of(node(brush=paint(input_folder, *strokes))) is None


def test_strokes_of_another_photo_are_kept_aside_and_said_so(node, input_folder, caplog):
    name = paint(input_folder, CORNER, key="a" * 32, size=(640, 480))
    with caplog.at_level(logging.WARNING):
        output = node(brush=name)
    assert np.array_equal(nose_of(output).mask, nose_of(node()).mask)
    assert brush_entry(output)["is_aside"]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "The brush strokes were painted on another photo (640x480) than this one (512x512), so they are kept aside."
    )


def test_in_a_batch_each_photo_gets_its_own_strokes(input_folder):
    batch = torch.cat([PHOTO, PHOTO.flip(2)])
    output = from_map(image=batch, label_map=MAP, brush=paint(input_folder, CORNER))
    assert output.args[1][:, 51, 51].tolist() == [1, 0]
    assert [entry["brush"]["is_aside"] for entry in output.ui["consistentid_parts"]] == [False, False]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("consistentid/gone.json", "cannot be found in ComfyUI's input folder"),
        ("consistentid", "cannot be found in ComfyUI's input folder"),
        ("../secret.json", "is not in ComfyUI's input folder"),
        ("/etc/passwd", "is not in ComfyUI's input folder"),
        ("a\0b", "is not in ComfyUI's input folder"),
        ("a" * 5000, "cannot be found in ComfyUI's input folder"),
    ],
)
def test_a_file_that_is_not_there_is_told_in_one_line(node, name, why):
    with pytest.raises(BrushError, match=f"^The brush file '.*{why}.*press Reset") as error:
        node(brush=name)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_a_link_out_of_the_input_folder_is_not_followed(input_folder, tmp_path):
    (tmp_path / "outside.json").write_bytes(to_bytes({}))
    (input_folder / "link.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(BrushError, match="is not in ComfyUI's input folder"):
        parse(brush="link.json")


@pytest.mark.parametrize("data", [b"", b"{}", b"\x89PNG", b'{"format": "consistentid_brush", "version": 9}'])
def test_a_file_that_is_something_else_is_told_in_one_line(node, input_folder, data):
    (input_folder / NAME).write_bytes(data)
    with pytest.raises(
        BrushError,
        match=r"^The strokes in 'consistentid.brush.json' cannot be used: the file (is|has) .*press Reset",
    ) as error:
        node(brush=NAME)
    assert "\n" not in str(error.value)


def test_a_correction_of_another_size_than_its_photo_is_refused(node, input_folder):
    name = paint(input_folder, CORNER, size=(640, 480))
    with pytest.raises(BrushError, match="says that this photo is 640x480 pixels large; it is 512x512"):
        node(brush=name)


@pytest.mark.parametrize("node_class", [FaceParser, FacePartsFromMap])
def test_the_fingerprint_follows_the_file_and_never_fails(node_class, input_folder):
    fingerprint = node_class.fingerprint_inputs
    assert fingerprint(brush="") is fingerprint(brush="gone.json") is fingerprint(brush=None) is None
    before = fingerprint(brush=paint(input_folder, CORNER))
    assert before == fingerprint(brush=NAME)
    (input_folder / NAME).write_bytes(json.dumps({}).encode())
    assert fingerprint(brush=NAME) != before


@pytest.mark.parametrize("node_class", [FaceParser, FacePartsFromMap])
def test_the_input_comes_last_and_is_empty(node_class):
    brush = node_class.define_schema().inputs[-1]
    assert (brush.id, brush.default, brush.optional) == ("brush", "", True)
    assert brush.as_dict()["hidden"] is True  # from the beginning: Nodes 2.0 does not look again


def test_files_lie_where_the_interface_puts_them(input_folder):
    paint(input_folder, CORNER)
    assert brush_files.read(NAME)[ID].strokes == (CORNER,)
    assert Path(folder_paths.get_input_directory()) == input_folder
