"""The benchmark of scoring, with networks that cost nothing: its rows, and that what is kept is kept."""

from types import SimpleNamespace

import pytest
import torch
from evaluation_data import hand_networks

from benchmarks.groups import GROUPS, evaluation
from consistentid_core.evaluation.dino import DinoEncoder


@pytest.fixture
def rows(tmp_path, monkeypatch):
    networks = hand_networks(detect=lambda picture: [])
    monkeypatch.setattr(evaluation, "targets", lambda networks: [(networks.inception, "encode")])
    collection = evaluation.write_pictures(tmp_path, 3)
    return evaluation.measure_scoring(collection, networks, tmp_path, rounds=2)


def test_every_row_has_its_figure(rows):
    assert "evaluation" in GROUPS
    assert {name: row["unit"] for name, row in rows.items()} == {
        "scoring": "ratio",
        "picture": "seconds",
        "networks": "seconds",
        "again": "ratio",
        "kept_bytes": "bytes",
    }
    assert rows["kept_bytes"]["value"] > 0
    assert 0 < rows["networks"]["share"] < 1


def test_every_network_is_timed():
    def module():
        return type("Network", (torch.nn.Identity,), {"device": torch.device("cpu")})()

    vision, text, vit, inception, alexnet = (module() for _ in range(5))
    vit.config = SimpleNamespace(hidden_size=4, image_size=8)
    networks = SimpleNamespace(
        clips=[SimpleNamespace(_model=SimpleNamespace(vision_model=vision, text_model=text))],
        dino=DinoEncoder(vit, name="dino", sha256=""),
        inception=SimpleNamespace(_network=inception),
        perceptual=SimpleNamespace(_network=alexnet),
    )
    timed = [owner for owner, name in evaluation.targets(networks) if name == "forward"]
    assert {type(one) for one in (vision, text, vit, inception, alexnet)} < set(timed)


def test_pictures_differ_so_that_none_is_known_from_another(tmp_path):
    collection = evaluation.write_pictures(tmp_path, 3)
    assert len({item.picture.read_bytes() for item in collection.items}) == 3
