"""Files written in one step: numbered names, two writers at once, disks without hard links, killed writers."""

import os
import threading
import time

import pytest

from consistentid_core.files.atomic import whole_folder, write_numbered, write_whole


def number(data, folder, **more):
    return write_numbered(data, folder, "anna", ".safetensors", **more)


@pytest.fixture(params=["hard links", "no hard links"])
def links(request, monkeypatch):
    """Disks of both kinds; FAT and many network drives have no hard links."""

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
def test_names_are_numbered_and_nothing_is_replaced(tmp_path):
    paths = [number(bytes([i]), tmp_path) for i in range(3)]
    assert [path.name for path in paths] == [f"anna_0000{n}_.safetensors" for n in (1, 2, 3)]
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]
    assert sorted(tmp_path.iterdir()) == paths


def test_a_name_that_is_taken_elsewhere_is_passed_over(tmp_path):
    taken = {"anna_00001_.safetensors", "anna_00002_.safetensors"}
    path = number(b"first", tmp_path, is_taken=taken.__contains__)
    assert path == tmp_path / "anna_00003_.safetensors"


def test_the_folder_is_made(tmp_path):
    assert number(b"x", tmp_path / "a" / "b").parent == tmp_path / "a" / "b"


@pytest.mark.usefixtures("links")
def test_two_writers_never_take_the_same_name(tmp_path):
    def write(content):
        for _ in range(20):
            number(content, tmp_path)

    threads = [threading.Thread(target=write, args=(bytes([i]) * 1000,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = [file.read_bytes() for file in tmp_path.iterdir()]
    assert sorted(contents) == sorted(bytes([i]) * 1000 for i in range(4) for _ in range(20))


def test_without_hard_links_a_writer_between_looking_and_moving_takes_another_name(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    move, others = os.replace, []

    def move_late(*names):
        monkeypatch.setattr(os, "replace", move)
        others.append(number(b"second", tmp_path))
        move(*names)

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", move_late)
    first = number(b"first", tmp_path)
    assert first.read_bytes() == b"first"
    assert [path.read_bytes() for path in others] == [b"second"]


@pytest.mark.parametrize("write", [number, lambda data, folder: write_whole(folder / "picture.jpg", data)])
def test_a_write_that_fails_leaves_no_file(tmp_path, monkeypatch, write):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(b"x", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "ordinary").touch()
    mode = number(b"x", tmp_path).stat().st_mode
    assert mode == (tmp_path / "ordinary").stat().st_mode


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    left = [f".{'0a' * 16}.tmp", f".anna_{'0b' * 16}.tmp"]
    kept = [".editor.tmp", "anna.tmp", f"{'0c' * 16}.tmp", ".hidden"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - 4000,) * 2)
    of_a_writer = tmp_path / f".{'0d' * 16}.tmp"
    of_a_writer.touch()
    path = number(b"x", tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {*kept, of_a_writer.name, path.name}


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "picture.jpg"
    write_whole(path, b"first")
    seen = []
    flush = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: seen.append(path.read_bytes()) or flush(file))
    write_whole(path, b"second")
    assert seen == [b"first"] and path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_when_all_of_it_is_there(tmp_path):
    with whole_folder(tmp_path / "new" / "it") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "new" / "it").exists()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "new",
        "new/it",
        "new/it/a",
    ]


def test_a_folder_that_fails_leaves_the_older_one(tmp_path):
    with whole_folder(tmp_path / "it") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "it") as folder:
        (folder / "a").write_text("new")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it" / "a").read_text() == "old"


def test_a_folder_replaces_one_of_its_name_and_clears_what_was_killed(tmp_path):
    (tmp_path / f".other_{'0' * 32}.tmp").mkdir()
    (tmp_path / ".other.tmp").mkdir()  # somebody's own
    for text in ("old", "new"):
        with whole_folder(tmp_path / "it") as folder:
            (folder / text).write_text(text)
    assert {path.name for path in tmp_path.iterdir()} == {".other.tmp", "it"}
    assert [path.name for path in (tmp_path / "it").iterdir()] == ["new"]
