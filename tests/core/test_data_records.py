"""The JSON of a portrait: ours, the original's with its three spellings, and what is neither."""

import json

import pytest
import torch

from consistentid_core.data.folder_store import file_name, read_vector, record_files
from consistentid_core.data.records import FACE_CAPTION_KEYS, Record, from_json, read_record, to_json
from consistentid_core.errors import CheckpointError

#: As the original's scripts leave it (SPEC 7.2).
ORIGINALS = {
    "origin_IMG": "/sub/a.png",
    "resize_IMG": "/sub/a_resize.png",
    "parsing_color_IMG": "/sub/a_color.png",
    "parsing_mask_IMG": "/sub/a_mask.png",
    "vqa_llva": "A woman.",
    "id_embed_file_origin": "/sub/a_faceid.bin",
    "id_embed_file_resize": "/sub/a_resize_faceid.bin",
}


def test_a_record_survives_its_json():
    record = Record(
        origin="a/名.png",
        label_map="a/名_mask.png",
        caption='Says "hi".',
        face_caption="A nose.",
        content_id="ab",
        source="名.png",
        source_size=3,
        source_time=4,
        parts=("Face", "Nose"),
        faces=2,
        face_height=0.25,
        notes=("turned",),
    )
    assert from_json(json.loads(to_json(record))) == record


@pytest.mark.parametrize("key", FACE_CAPTION_KEYS)
def test_each_spelling_of_the_face_caption_is_read(key):
    assert from_json({**ORIGINALS, key: "A round face."}).face_caption == "A round face."


def test_the_spelling_the_trainer_reads_is_the_one_written():
    assert json.loads(to_json(Record(face_caption="A nose.")))["vqa_llva_more_face_detail"] == "A nose."


def test_paths_of_the_original_stay_inside_their_folders(tmp_path):
    record = from_json(ORIGINALS)
    assert record.path("origin", tmp_path) == tmp_path / "FGID_Origin" / "sub" / "a.png"
    assert record.path("id_resized", tmp_path) == tmp_path / "FGID_faceID" / "sub" / "a_resize_faceid.bin"


@pytest.mark.parametrize("name", ["../../secret.png", "a/../../b.png", "C:/x.png", ""])
def test_a_path_that_leaves_its_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="path inside the folder FGID_Origin"):
        Record(origin=name).path("origin", tmp_path)


@pytest.mark.parametrize(
    "content",
    ["[1, 2]", '"text"', "{", '{"origin_IMG": 3}', '{"faces": "two"}', "[" * 100_000, "\x00"],
    ids=["list", "text", "cut", "number", "words", "deep", "nul"],
)
def test_what_is_no_record_is_one_clear_error(tmp_path, content):
    file = tmp_path / "a.json"
    file.write_text(content, "utf-8")
    with pytest.raises(CheckpointError):
        read_record(file)


def test_a_huge_file_is_not_read(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(b" " * (2 << 20))
    with pytest.raises(CheckpointError, match="too many for the record"):
        read_record(file)


def test_a_record_under_the_name_of_a_picture_is_found(tmp_path):
    """The original writes the record of a .jpg under the picture's own name."""
    folder = tmp_path / "FGID_JSON" / "sub"
    folder.mkdir(parents=True)
    (folder / "b.jpg").write_text(json.dumps(ORIGINALS), "utf-8")
    (file,) = record_files(tmp_path)
    assert read_record(file).caption == "A woman."


@pytest.mark.parametrize("shape", [(1, 512), (512,)])
def test_a_vector_is_read_flat(tmp_path, shape):
    torch.save(torch.ones(shape), tmp_path / "a.bin")
    assert read_vector(tmp_path / "a.bin").shape == (512,)


@pytest.mark.parametrize(
    "content", [torch.ones(3), {"a": torch.ones(512)}, torch.full((512,), float("nan"))], ids=str
)
def test_another_thing_than_a_vector_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.bin")
    with pytest.raises(ValueError, match="Expected are 512 finite numbers"):
        read_vector(tmp_path / "a.bin")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.png", "a/b"),
        ("a/b.JPG", "a/b_JPG"),
        ("a?.png", "0f"),
        ("x" * 300 + ".png", "0f"),
        (" .png", "0f"),
    ],
)
def test_file_names(name, expected):
    assert file_name(name, "0f") == expected
