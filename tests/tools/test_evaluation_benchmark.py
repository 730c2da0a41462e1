"""The benchmark of scoring, with networks that cost nothing: its rows, and that what is kept is kept."""

import pytest
from evaluation_data import hand_networks

from benchmarks.groups import GROUPS, evaluation


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


def test_pictures_differ_so_that_none_is_known_from_another(tmp_path):
    collection = evaluation.write_pictures(tmp_path, 3)
    assert len({item.picture.read_bytes() for item in collection.items}) == 3
