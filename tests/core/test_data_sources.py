"""Finding and opening the photos of a set: what is odd about them is named, and nothing ends the run."""

import io
import os
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from portrait_data import photo

from consistentid_core.data import sources
from consistentid_core.data.sources import UnusableError, find_sources, hash_sources, open_photo


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_all_photos_are_found_by_name_and_the_rest_is_named(tmp_path):
    for name in ("b/zwei drei.jpg", "a.png", "名前/写真.webp", "notes.txt", ".hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found, refused = find_sources(tmp_path)
    assert [source.name for source in found] == ["a.png", "b/zwei drei.jpg", "名前/写真.webp"]
    assert [(refusal.name, refusal.reason) for refusal in refused] == [("notes.txt", sources.NOT_A_PICTURE)]


def test_links_are_followed_once_and_broken_ones_named(tmp_path):
    photos = tmp_path / "photos"
    (photos / "real").mkdir(parents=True)
    (photos / "real" / "a.png").write_bytes(b"x")
    (photos / "real" / "circle").symlink_to(photos)
    (photos / "broken.png").symlink_to(tmp_path / "nowhere.png")
    outside = tmp_path / "outside.png"
    outside.write_bytes(b"y")
    (photos / "linked.png").symlink_to(outside)
    found, refused = find_sources(photos)
    assert [source.name for source in found] == ["linked.png", "real/a.png"]
    assert [(refusal.name, refusal.reason) for refusal in refused] == [("broken.png", sources.GONE)]


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    found, _ = find_sources(tmp_path)

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    ((_, refusal),) = hash_sources(found)
    assert (refusal.name, refusal.reason) == ("a.png", sources.NO_PERMISSION)


def test_many_files_are_hashed_in_their_order(tmp_path):
    for number in range(150):
        (tmp_path / f"{number:03}.png").write_bytes(bytes([number]))
    found, _ = find_sources(tmp_path)
    hashed = list(hash_sources(found))
    assert [source for source, _ in hashed] == found
    assert [content for _, content in hashed] == [sources.content_id(bytes([n])) for n in range(150)]


def test_a_file_that_changed_since_it_was_hashed_is_not_taken(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"old")
    content = sources.content_id(b"old")
    assert sources.read_unchanged(str(file), content) == b"old"
    file.write_bytes(b"new")
    with pytest.raises(UnusableError) as caught:
        sources.read_unchanged(str(file), content)
    assert caught.value.reason == sources.CHANGED
    file.unlink()
    with pytest.raises(UnusableError) as caught:
        sources.read_unchanged(str(file), content)
    assert caught.value.reason == sources.GONE


def test_a_plain_photo_comes_out_as_it_is():
    picture, notes = open_photo(encoded(Image.fromarray(photo(0))))
    assert np.array_equal(picture, photo(0))
    assert notes == ()


def test_a_photo_turned_by_its_exif_is_set_upright():
    upright = Image.fromarray(photo(0))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    data = encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    picture, notes = open_photo(data)
    assert np.array_equal(picture, photo(0))
    assert notes == (sources.TURNED,)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "CMYK", "I;16", "1"])
def test_every_mode_becomes_rgb(mode):
    grey = Image.fromarray(np.full((64, 64), 255, np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(np.full((64, 64), 65535, np.uint16))
    else:
        picture = grey.convert("RGB").convert(mode)
    found, notes = open_photo(encoded(picture, "TIFF" if mode == "CMYK" else "PNG"))
    assert found.shape == (64, 64, 3)
    assert found.min() >= 250
    assert notes == (sources.CONVERTED,)


def test_what_is_transparent_becomes_white():
    found, _ = open_photo(encoded(Image.new("RGBA", (64, 64), (10, 20, 30, 0))))
    assert (found == 255).all()


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    picture, notes = open_photo(data)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert Counter(notes) == Counter([sources.FIRST_FRAME, sources.CONVERTED])


def bomb(width: int, height: int) -> bytes:
    """A small PNG whose head says that it is huge."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = encoded(Image.new("RGB", (1, 1)))
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", sources.BROKEN),
        (b"<html>404</html>", sources.BROKEN),
        (encoded(Image.fromarray(photo(0)))[:400], sources.BROKEN),
        (bomb(60_000, 60_000), sources.TOO_LARGE),
        (encoded(Image.new("RGB", (20, 300))), sources.TOO_SMALL),
        (encoded(Image.new("RGB", (40, 4000))), sources.TOO_LONG),
    ],
    ids=["empty", "web page", "cut short", "bomb", "tiny", "thin"],
)
def test_what_cannot_be_used_says_why(data, reason):
    with pytest.raises(UnusableError) as caught:
        open_photo(data)
    assert caught.value.reason == reason


def test_a_pipe_among_the_photos_does_not_stop_the_listing(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    found, refused = find_sources(tmp_path)
    assert not found
    assert refused[0].reason == sources.GONE
