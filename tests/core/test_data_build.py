"""Building a set in one process: what is stored, what is put aside, and going on after any end."""

import errno
import json
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from portrait_data import photo, quick_steps, write_photos

from consistentid_core.data import build, quarantine, sources
from consistentid_core.data.build import build_here, open_store, plan
from consistentid_core.data.progress import Progress
from consistentid_core.data.reading import open_portraits
from consistentid_core.data.steps import Read, Settings, guarded
from consistentid_core.data.storage import StorageError
from consistentid_core.data.summary import summarise
from consistentid_core.files import atomic

FORMS = ("folder", "shards")
NO_SETTINGS = Settings("", ())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """All steps but their networks."""
    steps = [guarded(Read(NO_SETTINGS)), guarded(quick_steps)]
    monkeypatch.setattr(build, "make_steps", lambda settings: steps)


@pytest.fixture
def photos(tmp_path) -> Path:
    write_photos(tmp_path / "photos", 7)
    return tmp_path / "photos"


def run(photos: Path, root: Path, form: str, **options) -> build.Plan:
    store = open_store(root, form)
    todo = plan(photos, store, **options)
    with open(os.devnull, "w") as out:
        progress = Progress("Building", len(todo.pending), out=out)
        build_here(todo.pending, store, NO_SETTINGS, progress, rows_at_once=3)
    store.finish()
    return todo


def keys(root: Path) -> list[str]:
    portraits = open_portraits(root)
    return sorted(portraits[index].key for index in range(len(portraits)))


@pytest.mark.parametrize("form", FORMS)
def test_every_photo_comes_back_as_it_went_in(photos, tmp_path, form):
    run(photos, tmp_path / "set", form)
    portraits = open_portraits(tmp_path / "set")
    assert len(portraits) == 7
    found = {portraits[index].key: portraits[index] for index in range(7)}
    for number in range(7):
        key = sources.content_id((photos / f"{number:02}.png").read_bytes())
        portrait = found[key]
        assert np.array_equal(portrait.picture, photo(number))
        assert sorted(np.unique(portrait.label_map)) == [0, 1, 10]
        assert portrait.face_caption == "The face is round, the nose is small."
        assert portrait.id_vector.shape == (512,)
        assert portrait.has_face


@pytest.mark.parametrize("form", FORMS)
def test_a_second_run_has_nothing_to_do_and_changes_nothing(photos, tmp_path, form):
    run(photos, tmp_path / "set", form)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.png")}
    again = run(photos, tmp_path / "set", form)
    assert (len(again.pending), again.done) == (0, 7)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.png")} == before


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_added_later_is_all_that_is_built(photos, tmp_path, form):
    run(photos, tmp_path / "set", form)
    Image.fromarray(photo(30)).save(photos / "new.png")
    assert [row["name"] for row in run(photos, tmp_path / "set", form).pending] == ["new.png"]
    assert len(keys(tmp_path / "set")) == 8


def kill_at(writes: int, photos: Path, root: Path, form: str) -> None:
    """In a process of its own: end it, as a power cut would, at its n-th write; odd ones before the rename."""
    count = 0
    replace = os.replace

    def replace_or_die(source, target):
        nonlocal count
        count += 1
        if count > writes // 2:
            if writes % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    atomic.os.replace = replace_or_die
    run(photos, root, form)


#: Of a folder: list of photos, then seven files a portrait and the list of all; of shards: tar, table, index.
LAST_WRITE = {"folder": 2 * (2 + 7 * 7 + 1), "shards": 2 * (2 + 2 * 3 + 1)}


@pytest.mark.parametrize("form", FORMS)
def test_killed_at_any_write_nothing_is_lost_and_nothing_doubled(photos, tmp_path, form):
    run(photos, tmp_path / "whole", form)
    expected = keys(tmp_path / "whole")
    killed = 0
    for writes in range(0, LAST_WRITE[form], 1 if form == "shards" else 5):
        root = tmp_path / f"killed{writes}"
        process = multiprocessing.get_context("fork").Process(
            target=kill_at, args=(writes, photos, root, form)
        )
        process.start()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
        run(photos, root, form)
        assert keys(root) == expected, f"killed at write {writes}"
        assert not list(root.rglob(".*.tmp"))
        if form == "folder":
            assert len(json.loads((root / "JSON_all.json").read_text("utf-8"))) == 7
    assert killed >= LAST_WRITE[form] // (2 if form == "shards" else 10)


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_used_is_put_aside_with_a_reason_and_not_tried_again(photos, tmp_path, form):
    (photos / "broken.png").write_bytes(b"<html>")
    (photos / "list.txt").write_text("names")
    (photos / "twin.png").write_bytes((photos / "00.png").read_bytes())
    root = tmp_path / "set"
    run(photos, root, form)
    reasons = {entry["name"]: entry["reason"] for entry in quarantine.refusals(root)}
    assert reasons == {
        "broken.png": sources.BROKEN,
        "list.txt": sources.NOT_A_PICTURE,
        "twin.png": sources.DUPLICATE,
    }
    again = run(photos, root, form)
    assert (len(again.pending), again.done, again.held) == (0, 7, 1)
    assert [row["name"] for row in run(photos, root, form, retry=True).pending] == ["broken.png"]
    assert summarise(root).reasons[sources.DUPLICATE] == 1


def test_an_unforeseen_error_of_one_photo_leaves_the_others(photos, tmp_path, monkeypatch):
    def stumbles(row):
        if row["name"] == "03.png":
            raise ZeroDivisionError("odd")
        return quick_steps(row)

    monkeypatch.setattr(build, "make_steps", lambda settings: [guarded(Read(NO_SETTINGS)), guarded(stumbles)])
    run(photos, tmp_path / "set", "folder")
    (entry,) = quarantine.refusals(tmp_path / "set")
    assert entry["name"] == "03.png"
    assert "ZeroDivisionError: odd" in entry["detail"]
    assert len(keys(tmp_path / "set")) == 6


def test_a_folder_that_changes_while_it_is_built_is_caught_up_with(photos, tmp_path, monkeypatch):
    def overwrite(row):
        if row["name"] == "01.png":
            Image.fromarray(photo(40)).save(photos / "02.png")
            (photos / "04.png").unlink()
        return quick_steps(row)

    steps = [guarded(Read(NO_SETTINGS)), guarded(overwrite)]
    monkeypatch.setattr(build, "make_steps", lambda settings: steps)
    root = tmp_path / "set"
    store = open_store(root, "folder")
    with open(os.devnull, "w") as out:
        build_here(plan(photos, store).pending, store, NO_SETTINGS, Progress("", 7, out=out))
    assert {entry["name"]: entry["reason"] for entry in quarantine.refusals(root)} == {
        "02.png": sources.CHANGED,
        "04.png": sources.GONE,
    }
    again = run(photos, root, "folder")
    assert [row["name"] for row in again.pending] == ["02.png"]


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_stops_in_words_and_the_next_run_goes_on(photos, tmp_path, monkeypatch, form):
    root, left = tmp_path / "set", 6
    fsync = os.fsync

    def full(number):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(number)

    with monkeypatch.context() as context:
        context.setattr(atomic.os, "fsync", full)
        with pytest.raises(StorageError, match="The disk is full"):
            run(photos, root, form)
    run(photos, root, form)
    assert len(keys(root)) == 7


def test_too_little_room_is_said_before_anything_is_built(photos, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(build.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="needs about"):
        plan(photos, open_store(tmp_path / "set", "folder"))


def test_a_folder_that_cannot_be_written_to_is_said(photos, tmp_path, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(StorageError, match=r"Permission denied.*goes on where it stopped"):
        run(photos, tmp_path / "set", "folder")


@pytest.mark.parametrize(
    ("photos_at", "set_at"), [("photos", "photos"), ("photos", "photos/set"), ("photos/in", "photos")]
)
def test_photos_and_set_may_not_lie_in_each_other(tmp_path, photos_at, set_at):
    (tmp_path / photos_at).mkdir(parents=True)
    with pytest.raises(ValueError, match="lie inside each other"):
        plan(tmp_path / photos_at, open_store(tmp_path / set_at, "folder"))


@pytest.mark.parametrize(("first", "second"), [FORMS, FORMS[::-1]])
def test_a_set_keeps_its_form(photos, tmp_path, first, second):
    run(photos, tmp_path / "set", first)
    with pytest.raises(ValueError, match=f"Give --form {first}"):
        open_store(tmp_path / "set", second)


def test_names_that_differ_in_their_extension_do_not_meet(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(("a.png", "a.jpg", "名前 mit Leerzeichen.png", "x" * 200 + ".png")):
        Image.fromarray(photo(number)).save(photos / name)
    run(photos, tmp_path / "set", "folder")
    assert len(keys(tmp_path / "set")) == 4
    names = {path.name for path in (tmp_path / "set" / "FGID_JSON").iterdir()}
    assert {"a.json", "a_jpg.json", "名前 mit Leerzeichen.json"} < names


def test_a_photo_that_had_to_be_changed_is_kept_as_it_was_read(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo(0)).transpose(Image.Transpose.ROTATE_90).save(photos / "a.png", exif=exif)
    run(photos, tmp_path / "set", "folder")
    (portrait,) = open_portraits(tmp_path / "set")
    assert np.array_equal(portrait.picture, photo(0))
    assert summarise(tmp_path / "set").notes == {sources.TURNED: 1}


def test_progress_says_rate_and_time_left():
    seconds = iter([0.0, 0.0, 10.0, 10.0])

    class Terminal:
        text = ""

        def isatty(self):
            return False

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    out = Terminal()
    progress = Progress("Building", 100, out=out, clock=lambda: next(seconds, 10.0))
    progress.step(18, 2)
    progress.step(0, 0)
    assert "Building: 20 of 100, 2.0/s, 40 s left, 2 put aside" in out.text
