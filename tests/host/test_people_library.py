"""Names, captions and pictures of saved people on the nodes, and what the interface is served of them."""

import asyncio
import io
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts, FacePhoto, find_parts
from consistentid_pack.consistentid_core.identity.embedding_file import Person, read_person, to_bytes
from consistentid_pack.consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_pack.consistentid_core.identity.person_card import Card, make_thumbnail, thumbnail_jpeg
from consistentid_pack.nodes.host import folders, people_files
from consistentid_pack.nodes.saved_people import LoadEmbedding, SaveEmbedding
from golden_host import clip_vision
from PIL import Image
from portrait_asset import LABELS, PORTRAIT
from server import PromptServer

PHOTO = torch.from_numpy(PORTRAIT[None].astype(np.float32) / 255)


@pytest.fixture(autouse=True)
def comfyui(empty_folders):
    return empty_folders


def vector():
    return IDEmbedding(torch.nn.functional.normalize(torch.ones(1, 512)))


def save(prefix="anna", **inputs):
    return Path(SaveEmbedding.execute(vector(), prefix, **inputs).args[0])


def name_of(path):
    return str(path.relative_to(folders.saved_embeddings()))


def face():
    return FaceParts((FacePhoto(PORTRAIT, find_parts(LABELS), LABELS),))


def write(name, card):
    path = Path(folders.saved_embeddings()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(Person(vector(), card=card)))


# ---------------------------------------------------------------- the nodes


def test_no_picture_is_stored_unless_asked():
    assert read_person(save(image=PHOTO)).card == Card()


def test_a_picture_of_the_face_a_name_and_a_caption_are_stored_by_choice():
    path = save(
        thumbnail=True, name=" Anna ", caption="red hair\n", face_parts=face(), clip_vision=clip_vision()
    )
    card = read_person(path).card
    assert (card.name, card.caption) == ("Anna", "red hair")
    assert card.thumbnail == make_thumbnail(PORTRAIT, face().photos[0])


def test_the_picture_is_of_image_where_there_are_no_parts():
    assert read_person(save(thumbnail=True, image=PHOTO)).card.thumbnail == make_thumbnail(PORTRAIT)


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="thumbnail is on, and there is no photo to make it of"):
        save(thumbnail=True)


def test_new_inputs_and_outputs_come_last_and_are_off():
    schema = SaveEmbedding.define_schema()
    names = [one.id for one in schema.inputs]
    assert names == [
        "id_embed",
        "filename_prefix",
        "face_parts",
        "clip_vision",
        "thumbnail",
        "name",
        "caption",
        "image",
    ]
    assert [one.default for one in schema.inputs[4:7]] == [False, "", ""]
    assert [one.display_name for one in LoadEmbedding.define_schema().outputs] == [
        "id_embed",
        "face_parts",
        "caption",
    ]


def test_the_caption_comes_out_again():
    assert LoadEmbedding.execute(name_of(save(caption="red hair"))).args[2] == "red hair"
    assert LoadEmbedding.execute(name_of(save())).args[2] == ""


def test_of_several_files_the_first_caption_comes_out():
    save("anna/a")
    save("anna/b", caption="red hair")
    save("anna/c", caption="green eyes")
    assert LoadEmbedding.execute("anna/*").args[2] == "red hair"


def test_a_damaged_picture_is_said_and_the_person_loads(caplog):
    write("anna.safetensors", Card("Anna", "red hair", b"no picture".hex()))
    with caplog.at_level(logging.WARNING):
        embedding, _, caption = LoadEmbedding.execute("anna.safetensors").args
    assert torch.equal(embedding.vector, vector().vector) and caption == "red hair"
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith("anna.safetensors' is loaded without its picture: The thumbnail is damaged.")


# ---------------------------------------------------------------- what is served


@pytest.fixture
def ask(monkeypatch):
    """Status, headers and body of paths."""

    class Server:
        routes = web.RouteTableDef()

    monkeypatch.setattr(PromptServer, "instance", Server(), raising=False)
    people_files.register()

    async def answers(paths):
        app = web.Application()
        app.add_routes(Server.routes)
        found = []
        async with TestClient(TestServer(app)) as client:
            for path in paths:
                async with client.get(path) as response:
                    found.append((response.status, response.headers, await response.read()))
        return found

    return lambda *paths: asyncio.run(answers(paths))


def test_the_list_says_what_each_file_holds(ask):
    write("anna.safetensors", Card("Anna", "red hair", make_thumbnail(PORTRAIT)))
    write("friends/one.safetensors", Card())
    write("friends/two.safetensors", Card("Two"))
    (Path(folders.saved_embeddings()) / "other.safetensors").write_bytes(b"something else")
    entries = {entry["file"]: entry for entry in people_files.people()}
    assert list(entries) == folders.list_embeddings()
    anna = entries["anna.safetensors"]
    assert anna.pop("stamp")
    assert anna == {
        "file": "anna.safetensors", "name": "Anna", "caption": "red hair", "photos": 1, "has_parts": False,
        "has_thumbnail": True,
    }  # fmt: skip
    assert entries["friends/*"] == {"file": "friends/*", "files": 2}
    assert entries["other.safetensors"]["problem"].startswith("This is no file of Save ID Embedding")
    ((status, headers, _),) = ask(people_files.PEOPLE)
    assert status == 200 and headers["Content-Type"].startswith("application/json")


def test_the_list_follows_a_file_that_changes():
    write("anna.safetensors", Card("Anna"))
    before = people_files.people()
    write("anna.safetensors", Card("Anna Maria"))
    after = people_files.people()
    assert [entries[0]["name"] for entries in (before, after)] == ["Anna", "Anna Maria"]


def test_a_picture_is_served_as_one_and_kept_in_no_cache_of_others(ask):
    card = Card(thumbnail=make_thumbnail(PORTRAIT))
    write("anna.safetensors", card)
    ((status, headers, body),) = ask(f"{people_files.THUMBNAIL}?file=anna.safetensors")
    assert (status, headers["Content-Type"], headers["X-Content-Type-Options"]) == (
        200,
        "image/jpeg",
        "nosniff",
    )
    assert headers["Cache-Control"].startswith("private")
    assert body == thumbnail_jpeg(card)
    assert Image.open(io.BytesIO(body)).size == (160, 160)


@pytest.mark.parametrize(
    "file",
    ["", "gone.safetensors", "*", "friends/*", "../secret.safetensors", "/etc/passwd", "a%00b", "%2e%2e/x",
     "plain.safetensors", "damaged.safetensors"],
)  # fmt: skip
def test_nothing_else_is_served(ask, comfyui, file):
    write("plain.safetensors", Card("Plain"))
    write("friends/one.safetensors", Card(thumbnail=make_thumbnail(PORTRAIT)))
    write("friends/two.safetensors", Card(thumbnail=make_thumbnail(PORTRAIT)))
    write("../secret.safetensors", Card(thumbnail=make_thumbnail(PORTRAIT)))
    write("damaged.safetensors", Card(thumbnail="AAAA"))
    ((status, _, body),) = ask(f"{people_files.THUMBNAIL}?file={file}")
    assert status == 404 and str(comfyui).encode() not in body
