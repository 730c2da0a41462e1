"""Name, caption and thumbnail of a saved person, and a folder of them at a glance."""

import io
import json
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from portrait_asset import LABELS, PORTRAIT
from safetensors.torch import save

from consistentid_core.errors import CheckpointError
from consistentid_core.faces.face_parts import FacePhoto, find_parts
from consistentid_core.identity.embedding_file import Person, read_person, to_bytes
from consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_core.identity.library import Summary, read_summary
from consistentid_core.identity.person_card import (
    MAX_CAPTION,
    MAX_NAME,
    THUMBNAIL_SIDE,
    Card,
    from_metadata,
    make_thumbnail,
    thumbnail_jpeg,
)

PHOTO = FacePhoto(PORTRAIT, find_parts(LABELS), LABELS)
VECTOR = IDEmbedding(torch.nn.functional.normalize(torch.ones(1, 512)))


def picture_of(card):
    return np.asarray(Image.open(io.BytesIO(thumbnail_jpeg(card)), formats=["JPEG"]))


def jpeg(size, file_format="JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(buffer, file_format)
    return buffer.getvalue().hex()


def test_a_thumbnail_shows_the_face_alone_and_is_small():
    thumbnail = make_thumbnail(PORTRAIT, PHOTO)
    assert len(thumbnail) < 30_000
    shown = picture_of(Card(thumbnail=thumbnail))
    assert shown.shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
    rows, columns = np.nonzero(np.logical_or.reduce([part.mask > 0 for part in PHOTO.parts]))
    face = PORTRAIT[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    middle = shown[THUMBNAIL_SIDE // 4 : -THUMBNAIL_SIDE // 4, THUMBNAIL_SIDE // 4 : -THUMBNAIL_SIDE // 4]
    assert np.abs(middle.mean((0, 1)) - face.mean((0, 1))).max() < 30
    assert np.abs(shown.mean((0, 1)) - PORTRAIT.mean((0, 1))).max() > 10


@pytest.mark.parametrize("shape", [(40, 300, 3), (300, 40, 3), (32, 32, 3)])
def test_without_parts_a_thumbnail_is_the_middle_of_the_picture(shape):
    image = np.zeros(shape, np.uint8)
    side = min(shape[:2])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    image[top : top + side, left : left + side] = 200
    assert picture_of(Card(thumbnail=make_thumbnail(image))).min() > 190


def test_a_face_at_the_edge_gives_a_square_inside_the_photo():
    mask = np.zeros((100, 100), np.uint8)
    mask[:30, 90:] = 255
    (part,) = find_parts((mask // 255).astype(np.uint8))
    image = np.full((200, 400, 3), 90, np.uint8)
    shown = picture_of(Card(thumbnail=make_thumbnail(image, FacePhoto(image, (part,)))))
    assert abs(int(shown.min()) - 90) < 3


def test_a_file_keeps_the_card_and_says_it_without_its_tensors(tmp_path):
    card = Card("Anna", "a woman with red hair", make_thumbnail(PORTRAIT, PHOTO))
    path = tmp_path / "anna.safetensors"
    path.write_bytes(to_bytes(Person(VECTOR, card=card)))
    assert read_person(path).card == card
    assert read_summary(path) == Summary(card, 1, False)
    path.write_bytes(path.read_bytes()[:-1000])
    assert read_summary(path).card == card


def test_a_file_without_a_card_is_written_as_before(tmp_path):
    """No picture, no name, no caption unless asked for, and files of before have an empty card."""
    data = to_bytes(Person(VECTOR))
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert set(header["__metadata__"]) == {
        "format", "version", "kind", "created_by", "recogniser", "channel_order", "combine", "photos", "source",
    }  # fmt: skip
    path = tmp_path / "anna.safetensors"
    path.write_bytes(data)
    assert read_person(path).card == read_summary(path).card == Card()


def test_the_version_is_the_same_so_older_packs_read_the_file():
    """They look at the keys they know; tensors are those of before."""
    headers = []
    for card in (Card(), Card("Anna", "red hair", make_thumbnail(PORTRAIT))):
        data = to_bytes(Person(VECTOR, card=card))
        header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
        texts = header.pop("__metadata__")
        headers.append(
            (header, {key: texts[key] for key in texts if key not in ("name", "caption", "thumbnail")})
        )
    assert headers[0] == headers[1]


@pytest.mark.parametrize(
    ("thumbnail", "why"),
    [
        ("?!", "is damaged"),
        ("AAAA", "is damaged"),
        ("ä", "is damaged"),
        (jpeg((50, 50))[:400], "is damaged"),
        (jpeg((50, 50), "PNG"), "is damaged"),
        (jpeg((600, 20)), "is larger than 512 pixels"),
        ("A" * 70_000, "is larger than 64,000 bytes"),
    ],
)
def test_a_thumbnail_that_is_none_is_refused_and_its_file_still_loads(tmp_path, thumbnail, why):
    card = Card("Anna", thumbnail=thumbnail)
    with pytest.raises(CheckpointError, match=why):
        thumbnail_jpeg(card)
    path = tmp_path / "anna.safetensors"
    path.write_bytes(to_bytes(Person(VECTOR, card=card)))
    assert read_person(path).card.name == read_summary(path).card.name == "Anna"


def test_what_else_a_picture_holds_is_not_handed_on():
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20)).save(buffer, "JPEG", comment=b"<script>secret</script>")
    card = Card(thumbnail=(buffer.getvalue() + b"secret").hex())
    assert b"secret" not in thumbnail_jpeg(card)


@pytest.mark.parametrize("name", ["a" * (MAX_NAME + 1), "a\nb", "a\0"])
def test_a_name_is_one_line(name):
    with pytest.raises(ValueError, match=r"cannot be the name of a person: it takes one line of at most 80"):
        Card(name)


def test_a_caption_has_an_end():
    with pytest.raises(ValueError, match="The caption has 4,001 characters; a file takes 4,000"):
        Card(caption="a" * (MAX_CAPTION + 1))


def test_a_file_that_says_more_is_cut():
    card = from_metadata({"name": "a\nb" + "c" * 500, "caption": "d" * 9_000})
    assert card.name.startswith("abc") and len(card.name) < MAX_NAME and len(card.caption) == MAX_CAPTION


def with_header(metadata):
    """A file whose header holds what no library writes there."""
    header = json.dumps({"__metadata__": metadata}).encode()
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 8,
        b"\xff" * 40,
        b"\x05\0\0\0\0\0\0\0hello",
        save({"a": torch.zeros(1)}),
        save({"a": torch.zeros(1)}, {"format": "other"}),
        save({"a": torch.zeros(1)}, {"format": "consistentid_embedding"}),
        *(
            with_header({"format": "consistentid_embedding", "photos": "1", key: value})
            for key in ("name", "caption", "thumbnail")
            for value in (1, ["a"], {"a": 1}, None)
        ),
        b"\x10\x27\0\0\0\0\0\0" + b"[" * 10_000,
    ],
)
def test_another_file_is_told_in_one_line(tmp_path, data):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="^This is no file of Save ID Embedding"):
        read_summary(path)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="^The file cannot be read: No such file"):
        read_summary(tmp_path / "gone.safetensors")
