"""What the interface is told of the files ConsistentID (simple) needs."""

import asyncio
import json

import folder_paths
import pytest
import torch
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from consistentid_pack.consistentid_core.identity import providers
from consistentid_pack.nodes.host import file_status
from consistentid_pack.nodes.host.file_status import lines
from safetensors.torch import save_file
from server import PromptServer
from small_checkpoints import flat, small_groups, write

from tools.standins import bisenet

AUTO = ("auto", "auto")


@pytest.fixture
def models(empty_folders, monkeypatch):
    """Empty folders of the host; face recognition's packages are there."""
    monkeypatch.setenv("HOME", str(empty_folders / "home"))
    monkeypatch.setenv("USERPROFILE", str(empty_folders / "home"))
    folder = empty_folders / "models"
    for name in ("consistentid", "clip_vision"):
        (folder / name).mkdir(parents=True)
        folder_paths.folder_names_and_paths[name] = ([str(folder / name)], {".bin", ".pth", ".safetensors"})
    return folder


def by_key(found):
    return {line["key"]: line for line in found}


def put_all(models):
    write(models / "consistentid", flat(small_groups()), ".bin")
    bisenet.write(models / "consistentid" / "parser.pth")
    vision = {"visual.conv1.weight": torch.zeros(1280, 3, 14, 14, dtype=torch.uint8)}
    save_file(vision, models / "clip_vision" / "any.safetensors")
    faces = models / "insightface" / "models" / "buffalo_l"
    faces.mkdir(parents=True)
    for name in ("det_10g.onnx", "w600k_r50.onnx"):
        (faces / name).touch()
    folder_paths.filename_list_cache.clear()


def test_on_an_empty_disk_each_file_has_size_address_folder_and_licence(models):
    found = by_key(lines(*AUTO))
    files = (
        "consistentid-sd15",
        "consistentid-sdxl",
        "face-parser",
        "face-detector",
        "face-recogniser",
        "clip-vision",
    )
    assert set(files) < set(found)
    for key in files:
        line = found[key]
        assert line["state"] == "missing" and line["where"] == ""
        assert line["address"].startswith("https://") and line["place"].startswith("models/")
        assert line["name"] and line["licence"]
    assert found["face-parser"]["size"] == 53_289_463
    assert found["face-recogniser"]["licence"] == "non-commercial research only"


def test_what_is_there_is_said_with_its_place(models):
    put_all(models)
    found = lines(*AUTO)
    assert {line["state"] for line in found} == {"found"}
    assert "consistentid-sdxl" not in by_key(found)  # one adapter will do
    assert by_key(found)["face-parser"]["where"] == str(models / "consistentid" / "parser.pth")
    assert by_key(found)["clip-vision"]["where"] == str(models / "clip_vision" / "any.safetensors")
    assert by_key(found)["face-detector"]["where"].endswith("det_10g.onnx")


def test_one_of_the_recogniser_s_files_is_not_both(models):
    put_all(models)
    (models / "insightface" / "models" / "buffalo_l" / "w600k_r50.onnx").unlink()
    found = by_key(lines(*AUTO))
    assert (found["face-detector"]["state"], found["face-recogniser"]["state"]) == ("found", "missing")


def test_a_chosen_name_is_looked_at_itself(models):
    put_all(models)
    found = by_key(lines("weights.bin", "gone.pth"))
    assert found["consistentid-sd15"]["where"] == str(models / "consistentid" / "weights.bin")
    assert (found["face-parser"]["state"], found["face-parser"]["note"]) == ("missing", "gone.pth")
    found = by_key(lines("weights.bin", "weights.bin"))
    assert (found["face-parser"]["state"], found["face-parser"]["note"]) == (
        "other",
        "ConsistentID for SD1.5",
    )


def test_several_that_fit_are_named(models):
    put_all(models)
    path = models / "consistentid" / "weights.bin"
    (path.with_name("second.bin")).write_bytes(path.read_bytes())
    folder_paths.filename_list_cache.clear()
    line = by_key(lines(*AUTO))["consistentid-sd15"]
    assert line["state"] == "several" and "second.bin (SD1.5), weights.bin (SD1.5)" in line["note"]


@pytest.mark.parametrize(
    ("installed", "arguments"),
    [
        ((), "insightface onnxruntime"),
        (("onnxruntime-gpu",), "--no-deps insightface"),
        (("insightface",), "onnxruntime"),
        (("insightface", "onnxruntime-directml"), None),
    ],
)
def test_packages_that_are_missing_come_with_the_command(models, monkeypatch, installed, arguments):
    monkeypatch.setattr(providers, "_is_installed", installed.__contains__)
    line = by_key(lines(*AUTO))["packages"]
    assert line["state"] == ("missing" if arguments else "found")
    assert arguments is None or line["note"].endswith(f"-m pip install {arguments}")


@pytest.mark.parametrize(
    "query", ["", "?model_name=../../secret.bin&face_parser=%00", "?model_name=weights.bin"]
)
def test_the_server_answers(models, monkeypatch, query):
    put_all(models)

    class Server:
        routes = web.RouteTableDef()

    monkeypatch.setattr(PromptServer, "instance", Server(), raising=False)
    file_status.register()

    async def ask():
        app = web.Application()
        app.add_routes(Server.routes)
        async with (
            TestClient(TestServer(app)) as client,
            client.get(f"/consistentid/files{query}") as response,
        ):
            return response.status, await response.text()

    status, text = asyncio.run(ask())
    assert status == 200
    found = by_key(json.loads(text)["files"])
    assert found["clip-vision"]["state"] == "found"
    assert "secret" not in {line["where"] for line in found.values()}


def test_without_a_server_nothing_happens(monkeypatch):
    monkeypatch.setattr(PromptServer, "instance", None, raising=False)
    file_status.register()
