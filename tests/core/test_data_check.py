"""What ``check`` says of a set: what training would use, and every fault by its name."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from portrait_data import photo, quick_steps, write_photos

from consistentid_core.data import build, check
from consistentid_core.data.check import check_set, describe
from consistentid_core.data.progress import Progress
from consistentid_core.data.reading import open_portraits
from consistentid_core.data.steps import Read, Settings, guarded
from consistentid_core.errors import CheckpointError, MissingModelError


def make(folder: Path, form: str) -> Path:
    write_photos(folder / "photos", 3)
    store = build.open_store(folder / "set", form)
    steps = [guarded(Read(Settings("", ()))), guarded(quick_steps)]
    rows = [build.run_steps(steps, row) for row in build.plan(folder / "photos", store).pending]
    with open(os.devnull, "w") as out:
        build.finish_rows(rows, store, Progress("", 3, out=out))
    store.finish()
    return folder / "set"


@pytest.fixture(scope="module")
def in_folders(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("folders"), "folder")


@pytest.fixture(scope="module")
def in_shards(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("shards"), "shards")


@pytest.fixture(params=["folder", "shards"])
def whole(request, in_folders, in_shards) -> Path:
    return in_folders if request.param == "folder" else in_shards


@pytest.fixture
def folder(in_folders, tmp_path) -> Path:
    """A copy to damage."""
    return shutil.copytree(in_folders, tmp_path / "set")


@pytest.fixture
def shards(in_shards, tmp_path) -> Path:
    return shutil.copytree(in_shards, tmp_path / "set")


def words(text: str) -> list[int]:
    return list(range(len(text.split())))


def test_a_good_set_is_good(whole):
    findings = check_set(whole, tokenize=words)
    assert (findings.portraits, findings.usable, findings.exit_code) == (3, 3, 0)
    assert findings.parts == {"face": 3, "nose": 3}
    assert findings.carried == {2: 3}
    assert "3 portraits, 3 of them usable" in describe(findings)


def test_without_a_tokenizer_it_says_what_was_not_looked_at(whole):
    assert "--tokenizer" in describe(check_set(whole))
    assert "--tokenizer" not in describe(check_set(whole, tokenize=words))


def change(folder: Path, **values) -> None:
    """Other values in the record of the first portrait; None takes the key out."""
    file = folder / "FGID_JSON" / "00.json"
    content = {**json.loads(file.read_text("utf-8")), **values}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


UNUSABLE = {
    check.MISSING_KEYS: lambda folder: change(folder, parsing_mask_IMG=None),
    check.UNREADABLE: lambda folder: (folder / "FGID_JSON" / "00.json").write_text("{"),
    check.WRONG_PATH: lambda folder: (folder / "FGID_Origin" / "00.png").unlink(),
    check.DAMAGED: lambda folder: (folder / "FGID_Origin" / "00.png").write_bytes(b"<html>"),
    check.WRONG_LABELS: lambda folder: Image.fromarray(np.full((8, 8), 99, np.uint8)).save(
        folder / "FGID_parsing_mask" / "00_mask.png"
    ),
    check.NO_PARTS: lambda folder: Image.fromarray(np.zeros((8, 8), np.uint8)).save(
        folder / "FGID_parsing_mask" / "00_mask.png"
    ),
    check.NO_CAPTION: lambda folder: change(folder, vqa_llva_more_face_detail=None),
}
WEAKER = {
    check.NO_VECTOR: lambda folder: change(folder, id_embed_file_origin=None, id_embed_file_resize=None),
    check.NO_WORDS: lambda folder: change(folder, vqa_llva_more_face_detail="A person."),
    check.TOO_LONG: lambda folder: change(
        folder, vqa_llva_more_face_detail="The face is " + "very " * 80 + "round."
    ),
    check.CUT: lambda folder: change(
        folder, vqa_llva_more_face_detail="The face is " + "a " * 75 + "b, the nose is small."
    ),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_a_portrait_training_would_lose_is_named(folder, fault):
    UNUSABLE[fault](folder)
    findings = check_set(folder, tokenize=words)
    assert dict(findings.counts) == {fault: 1}
    assert (findings.portraits, findings.usable, findings.exit_code) == (3, 2, 1)
    assert "00.json" in findings.faults[fault][0]
    assert f"lost: {fault}" in describe(findings)


@pytest.mark.parametrize("fault", WEAKER)
def test_a_portrait_training_would_read_less_of_is_named(folder, fault):
    WEAKER[fault](folder)
    findings = check_set(folder, tokenize=words)
    assert fault in findings.counts
    assert (findings.usable, findings.exit_code) == (3, 1)
    assert f"weaker: {fault}" in describe(findings)


@pytest.mark.parametrize("fault", [check.WRONG_PATH, check.DAMAGED, check.MISSING_KEYS])
def test_a_portrait_that_cannot_be_read_is_named_to_whoever_reads_it(folder, fault):
    UNUSABLE[fault](folder)
    with pytest.raises(CheckpointError, match=r"'00\.png' cannot be read.*The check of the set"):
        list(open_portraits(folder))


def test_a_set_of_nothing_is_said_to_be_one(folder):
    for file in (folder / "FGID_JSON").iterdir():
        file.write_text("{}")
    assert check_set(folder).exit_code == 2


def test_a_folder_without_a_set_says_how_to_build_one(tmp_path):
    with pytest.raises(MissingModelError, match="Build it first"):
        check_set(tmp_path)


def test_a_shard_that_is_gone_or_cut_is_named(shards):
    (tar,) = (shards / "shards").glob("*.tar")
    tar.write_bytes(tar.read_bytes()[:-512])
    with pytest.raises(CheckpointError, match="the index says"):
        check_set(shards)
    tar.unlink()
    with pytest.raises(CheckpointError, match="has no file"):
        check_set(shards)


def test_a_shard_the_index_does_not_list_is_ignored(shards):
    (shards / "shards" / "stray.tar").write_bytes(b"half")
    assert check_set(shards).portraits == 3


def test_the_photo_of_a_portrait_is_the_one_that_was_built(whole):
    pictures = [portrait.picture.tobytes() for portrait in open_portraits(whole)]
    assert set(pictures) == {photo(number).tobytes() for number in range(3)}
