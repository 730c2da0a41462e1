"""Building with real networks of the true shapes, by the command and by both engines."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw
from PIL import Image
from portrait_data import photo, write_networks, write_photos

from consistentid_core.data.__main__ import main
from consistentid_core.data.captions import CaptionFile, caption_source
from consistentid_core.data.reading import open_portraits
from consistentid_core.data.sources import NO_FACE, SEVERAL_FACES
from consistentid_core.data.summary import summarise
from consistentid_core.errors import CheckpointError, MissingModelError
from tools.standins import llava

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> list[str]:
    """Arguments that name the networks."""
    folder = tmp_path_factory.mktemp("networks")
    settings = write_networks(folder)
    return [
        "--face-parser",
        settings.face_parser,
        "--insightface",
        settings.insightface[0],
        "--provider",
        "CPU",
    ]


def build(photos: Path, root: Path, networks: list[str], *more: str) -> int:
    return main(["build", str(photos), str(root), *networks, *more])


def test_the_command_builds_checks_and_reports(tmp_path, networks, capsys):
    photos = tmp_path / "photos"
    write_photos(photos, 2)
    Image.fromarray(np.full((200, 200, 3), 128, np.uint8)).save(photos / "nobody.png")
    Image.fromarray(draw(400, 200, (100, 100, 90), (300, 100, 80))).save(photos / "two.png")
    (tmp_path / "captions.csv").write_text(
        "name,caption,face_caption\n"
        + "".join(
            f'{name},A person {name}.,"The face is round, the eyes are wide."\n'
            for name in ("00", "01.png", "two")
        )
    )
    captions = f"file:{tmp_path / 'captions.csv'}"
    assert build(photos, tmp_path / "set", networks, "--captions", captions) == 0
    summary = summarise(tmp_path / "set")
    assert (summary.portraits, summary.faceless) == (3, 0)
    assert summary.reasons == {NO_FACE: 1}
    assert summary.notes == {SEVERAL_FACES: 1}
    portraits = {one.general_caption: one for one in open_portraits(tmp_path / "set")}
    vectors = [portraits[f"A person {name}."].id_original for name in ("00", "01.png")]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(*vectors)
    report = (tmp_path / "set" / "report.html").read_text("utf-8")
    assert report.count("<figure>") == 3
    assert NO_FACE in report
    assert "://" not in report  # it opens offline
    assert main(["check", str(tmp_path / "set")]) == 0
    assert "3 portraits, 3 of them usable" in capsys.readouterr().out


def test_faceless_photos_are_kept_when_asked_for(tmp_path, networks):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(np.full((200, 200, 3), 128, np.uint8)).save(photos / "nobody.png")
    assert build(photos, tmp_path / "set", networks, "--keep-faceless") == 0
    (portrait,) = open_portraits(tmp_path / "set")
    assert not portrait.has_face
    assert not portrait.id_vector.any()
    assert main(["check", str(tmp_path / "set")]) == 1


def test_what_is_wrong_with_the_command_is_one_line(tmp_path, networks, capsys):
    assert build(tmp_path / "nowhere", tmp_path / "set", networks) == 1
    assert "is no folder" in capsys.readouterr().err
    (tmp_path / "photos").mkdir()
    assert main(["build", str(tmp_path / "photos"), str(tmp_path / "set"), "--models", str(tmp_path)]) == 1
    assert "face_parsing.pth" in capsys.readouterr().err
    assert build(tmp_path / "photos", tmp_path / "set", networks, "--workers", "0") == 1
    assert "give 1 or more" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "nothing")]) == 1


def test_ray_ended_by_force_loses_and_doubles_nothing(tmp_path, networks):
    """Killed when its first shard is whole; this process then builds what is left."""
    photos, root = tmp_path / "photos", tmp_path / "set"
    names = write_photos(photos, 10)
    command = [sys.executable, "-m", "consistentid_core.data", "build", str(photos), str(root), *networks]
    shards = ["--form", "shards", "--shard-rows", "2"]
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, *shards, "--engine", "ray"], cwd=ROOT, stdout=out, stderr=out, env={**os.environ}
        )
        try:
            while process.poll() is None and not list(root.glob("shards/*.parquet")):
                time.sleep(0.1)
            assert process.poll() is None, log.read_text()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert not (root / "index.json").exists()
    # Ray's workers notice that their driver is gone within seconds; until then they may end what they had begun.
    assert build(photos, root, networks, *shards) == 0
    portraits = open_portraits(root)
    pictures = sorted(portraits[index].picture.tobytes() for index in range(len(portraits)))
    assert pictures == sorted(photo(number).tobytes() for number in range(len(names)))


@pytest.mark.parametrize("engine", ["local", "ray"])
@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--face-parser", "none.pth", "none.pth"),
        ("--insightface", "none", "det_10g.onnx"),
        ("--captions", "file:none.json", "No file of captions"),
        ("--captions", "llava:none", "No LLaVA model"),
        ("--captions", "magic", "Expected sentence"),
    ],
)
def test_what_is_missing_is_said_before_a_photo_is_read(
    tmp_path, networks, capsys, monkeypatch, engine, option, value, said
):
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path / "photos", 1)
    assert build(tmp_path / "photos", tmp_path / "set", networks, "--engine", engine, option, value) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


# ---------------------------------------------------------------- captions


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps([{"name": "x/a.jpg", "caption": "C", "face_caption": "F"}])),
        ("b.json", json.dumps({"x/a.jpg": {"caption": "C", "face_caption": "F"}})),
        ("c.jsonl", json.dumps({"content_id": "0f", "vqa_llva": "C", "vqa_llva_facial": "F"}) + "\n"),
        ("d.csv", "\ufeffname,caption,face_caption\nx/a,C,F\n"),
    ],
)
def test_captions_from_files_of_every_kind(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    source = caption_source(f"file:{tmp_path / name}")
    assert source.captions(photo(0), "x/a.jpg", "0f") == ("C", "F")


@pytest.mark.parametrize("text", ["[", '[{"name": "a"}]', "[1]", '[{"face_caption": "F"}]'])
def test_a_file_that_holds_no_captions_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CheckpointError):
        CaptionFile(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("choice", "error"), [("nonsense", ValueError), ("file:nowhere.json", MissingModelError)]
)
def test_another_source_of_captions_is_refused(choice, error):
    with pytest.raises(error):
        caption_source(choice)


def test_llava_answers_both_questions(tmp_path):
    source = caption_source(f"llava:{llava.write(tmp_path / 'llava')}")
    general, face = source.captions(photo(0), "a.png", "0f")
    assert general and face
