"""Saved people by their faces, on Load ID Embedding: a real mouse, a real keyboard, and a phone's window."""

import numpy as np
import pytest
import torch
from PIL import Image
from web_host import ASSETS

from consistentid_core.identity.embedding_file import Person, to_bytes
from consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_core.identity.person_card import Card, make_thumbnail


@pytest.fixture(scope="module")
def found(host, play, interface):
    folder = host.output / "consistentid"
    folder.mkdir(parents=True, exist_ok=True)
    vector = IDEmbedding(torch.nn.functional.normalize(torch.ones(1, 512)))
    thumbnail = make_thumbnail(np.asarray(Image.open(ASSETS / "astronaut.png").convert("RGB")))
    for name, card in {"anna": Card("Anna", "red hair", thumbnail), "bert": Card("Bert")}.items():
        (folder / f"{name}.safetensors").write_bytes(to_bytes(Person(vector, card=card)))
    return play("people", interface)


def test_the_node_shows_who_is_loaded(found):
    assert "Anna" in found["shown"] and "red hair" in found["shown"]


def test_everybody_has_a_card_and_a_click_chooses(found):
    assert found["cards"] == ["Anna", "Bert"]
    assert found["isLoaded"] > 50
    assert found["clicked"] == "bert.safetensors"


def test_typing_finds_and_the_keyboard_chooses(found):
    assert found["typed"] == ["Anna"]
    assert found["entered"] == "anna.safetensors"


def test_it_fits_a_phone_and_escape_closes_it(found):
    assert found["isInside"] and found["isClosed"]


def test_the_scripts_report_no_errors(found):
    assert found["problems"] == []
