"""The catalogue of model files: its facts hold together, and files are found by their names."""

import re
from pathlib import Path

import pytest

from consistentid_core.files.catalogue import (
    DETECTOR,
    EXAMPLE_FILES,
    FACE_PARSER,
    JUDGE_FILES,
    MODEL_FILES,
)
from consistentid_core.files.resolve import named

ALL = MODEL_FILES + JUDGE_FILES + EXAMPLE_FILES


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_every_file_has_what_is_needed_to_fetch_and_to_place_it(file):
    assert file.key and file.what and file.licence and file.folders
    assert file.address.startswith("https://")
    assert file.place == "/".join(filter(None, (file.folders[0], file.subfolder)))


@pytest.mark.parametrize("file", [file for file in ALL if file.sha256], ids=lambda file: file.name)
def test_a_checksum_comes_with_a_size(file):
    assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 1_000_000


def test_names_belong_to_one_file_each():
    names = [name.lower() for file in ALL for name in (file.key, file.name, *file.other_names)]
    assert len(names) == len(set(names))


# ---------------------------------------------------------------- names on a disk


def test_the_released_name_comes_before_others_and_conversions(tmp_path):
    for name in ("parsing_bisenet.pth", "face_parsing.safetensors", "face_parsing.pth", "other.pth"):
        (tmp_path / name).touch()
    assert list(named(FACE_PARSER, tmp_path)) == [
        "face_parsing.pth",
        "face_parsing.safetensors",
        "parsing_bisenet.pth",
    ]


def test_a_file_in_its_subfolder_is_named_with_it(tmp_path):
    (tmp_path / DETECTOR.subfolder).mkdir(parents=True)
    (tmp_path / DETECTOR.name).touch()  # one level too high: another library's
    assert list(named(DETECTOR, tmp_path)) == []
    (tmp_path / DETECTOR.subfolder / DETECTOR.name).touch()
    assert list(named(DETECTOR, tmp_path)) == [str(Path(DETECTOR.subfolder, DETECTOR.name))]
