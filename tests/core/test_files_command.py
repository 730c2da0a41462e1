"""The command for model files, against a server on this machine: what it says, asks, fetches and finds."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import file_server
import pytest
import torch
from file_server import refuse
from safetensors.torch import save_file
from small_checkpoints import flat, nested, small_groups, write

from consistentid_core import finding
from consistentid_core.files import __main__ as command
from consistentid_core.files import catalogue, resolve
from consistentid_core.files.catalogue import (
    BUFFALO_L,
    CAPTIONER,
    CLIP_VISION,
    CONSISTENTID_SD15,
    CONSISTENTID_SDXL,
    DETECTOR,
    FACE_PARSER,
    RECOGNISER,
)
from tools.standins import bisenet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Small files in place of the released ones: contents by key of the catalogue."""
    folder = tmp_path_factory.mktemp("published")
    bisenet.write(folder / "parser.pth")
    vision = {"visual.conv1.weight": torch.zeros(1280, 3, 14, 14, dtype=torch.uint8)}
    save_file(vision, folder / "vision.safetensors")
    return {
        CONSISTENTID_SD15.key: write(folder, nested(small_groups()), ".bin").read_bytes(),
        FACE_PARSER.key: (folder / "parser.pth").read_bytes(),
        CLIP_VISION.key: (folder / "vision.safetensors").read_bytes(),
        DETECTOR.key: b"detector" * 100,
        RECOGNISER.key: b"recogniser" * 200,
    }


@pytest.fixture
def server(published, monkeypatch, tmp_path):
    """Serves the small files; the catalogue says of them what it says of the released ones."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    with file_server.serve() as served:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file in (DETECTOR, RECOGNISER):
                archive.writestr(f"buffalo_l/{file.name}", published[file.key])
        archived = {"buffalo_l.zip": packed.getvalue()}
        served.data = {f"/{key}": data for key, data in {**published, **archived}.items()}
        zipped = known(BUFFALO_L, f"{served.address}/buffalo_l.zip", archived["buffalo_l.zip"])
        changed = {
            file: known(file, f"{served.address}/{file.key}", published[file.key])
            for file in (FACE_PARSER, CLIP_VISION)
        }
        for file in (DETECTOR, RECOGNISER):
            changed[file] = replace(known(file, zipped.address, published[file.key]), archive=zipped)
        # The hub publishes no size of this one in the catalogue.
        changed[CONSISTENTID_SD15] = replace(
            CONSISTENTID_SD15, address=f"{served.address}/{CONSISTENTID_SD15.key}"
        )
        stand_in(monkeypatch, changed)
        yield served


def known(row, address, data):
    return replace(row, address=address, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def stand_in(monkeypatch, changed):
    """Put other rows in place of the catalogue's, wherever it was imported."""
    for module in (catalogue, resolve, finding, command):
        for name, value in vars(module).copy().items():
            if isinstance(value, catalogue.ModelFile) and value in changed:
                monkeypatch.setattr(module, name, changed[value])
    monkeypatch.setattr(
        finding, "ADAPTERS", {family: changed.get(file, file) for family, file in finding.ADAPTERS.items()}
    )
    monkeypatch.setattr(finding, "_known", {})
    monkeypatch.setattr(
        command,
        "SETS",
        {key: tuple(changed.get(one, one) for one in files) for key, files in command.SETS.items()},
    )
    monkeypatch.setattr(command, "FILES", {key: changed.get(one, one) for key, one in command.FILES.items()})
    monkeypatch.setattr(command, "MODEL_FILES", tuple(changed.get(one, one) for one in command.MODEL_FILES))


@pytest.fixture
def models(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def run(capsys, *arguments, answer=None, monkeypatch=None):
    """Exit code, standard output, standard error."""
    if answer is not None:
        monkeypatch.setattr(command.sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
        monkeypatch.setattr("builtins.input", lambda question: print(question) or answer)
    code = command.main([str(one) for one in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


# ---------------------------------------------------------------- fetch


def test_one_command_fetches_all_that_a_portrait_needs(server, models, published, capsys):
    code, said, _ = run(capsys, "fetch", "sd15", "--accept-licence", "--models", models)
    assert code == 0 and said.endswith("Done. In ComfyUI press R to refresh the lists.\n")
    places = {
        "consistentid/ConsistentID-v1.bin": CONSISTENTID_SD15,
        "consistentid/face_parsing.pth": FACE_PARSER,
        "insightface/models/buffalo_l/det_10g.onnx": DETECTOR,
        "insightface/models/buffalo_l/w600k_r50.onnx": RECOGNISER,
        f"clip_vision/{CLIP_VISION.name}": CLIP_VISION,
    }
    there = {str(path.relative_to(models)): path for path in models.rglob("*") if path.is_file()}
    assert there.keys() == places.keys()
    for place, file in places.items():
        assert there[place].read_bytes() == published[file.key]
    assert resolve.find_face_models([models / "insightface"])

    server.asked.clear()
    code, said, _ = run(capsys, "fetch", "--models", models)
    assert code == 0 and said.count("there already") == 5 and server.asked == []


def test_no_byte_comes_before_the_licences_are_accepted(server, models, capsys, monkeypatch):
    code, said, failed = run(capsys, "fetch", "--models", models, answer="n", monkeypatch=monkeypatch)
    assert code == 2 and "not accepted" in failed
    for fact in ("licence: non-commercial research only", "licence: not stated by its source", "[y/N]"):
        assert fact in said
    assert server.asked == [] and list(models.iterdir()) == []


def test_where_nobody_can_answer_nothing_is_fetched(server, models, capsys, monkeypatch):
    monkeypatch.setattr(command.sys, "stdin", io.StringIO("y\n"))
    code, _, failed = run(capsys, "fetch", "--models", models)
    assert code == 2 and "--accept-licence" in failed and server.asked == []


def test_a_question_that_is_closed_is_a_no(server, models, capsys, monkeypatch):
    """Ctrl-D."""

    def closed(question):
        raise EOFError

    monkeypatch.setattr(command.sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", closed)
    code, _, failed = run(capsys, "fetch", "--models", models)
    assert code == 2 and "not accepted" in failed and server.asked == []


def test_a_yes_fetches(server, models, capsys, monkeypatch):
    code, _, _ = run(capsys, "fetch", "face-parser", "--models", models, answer="y", monkeypatch=monkeypatch)
    assert code == 0 and (models / "consistentid" / "face_parsing.pth").is_file()


def test_what_is_there_under_another_name_is_not_fetched(server, models, capsys, published):
    (models / "facexlib").mkdir()
    (models / "facexlib" / "mine.pth").write_bytes(published[FACE_PARSER.key])
    code, said, _ = run(capsys, "fetch", "face-parser", "--accept-licence", "--models", models)
    assert code == 0 and "mine.pth" in said and server.asked == []


def test_what_is_not_what_it_is_called_does_not_stay(server, models, capsys):
    server.data[f"/{CONSISTENTID_SD15.key}"] = b"<html>sign in</html>"
    code, _, failed = run(capsys, "fetch", "consistentid-sd15", "--accept-licence", "--models", models)
    assert code == 1 and "is no ConsistentID for SD1.5 but unreadable" in failed
    assert list((models / "consistentid").iterdir()) == []


def test_a_refusal_names_address_and_place(server, models, capsys):
    server.faults = [refuse(404)]
    code, _, failed = run(capsys, "fetch", "face-parser", "--accept-licence", "--models", models)
    assert code == 1
    assert failed.endswith(f"the file belongs at {models / 'consistentid' / 'face_parsing.pth'}.\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"PK\3\4" + bytes(500), "is no readable zip file"),
        (lambda data: data.replace(b"detector", b"dEtector", 1), "no readable zip file: Bad CRC"),
    ],
)
def test_an_archive_that_is_damaged_gives_no_file(server, models, capsys, monkeypatch, spoil, message):
    data = spoil(server.data["/buffalo_l.zip"])
    server.data["/buffalo_l.zip"] = data
    zipped = known(command.FILES["face-detector"].archive, f"{server.address}/buffalo_l.zip", data)
    file = replace(command.FILES["face-detector"], archive=zipped)
    monkeypatch.setitem(command.FILES, "face-detector", file)
    code, _, failed = run(capsys, "fetch", "face-detector", "--accept-licence", "--models", models)
    assert code == 1 and message in failed
    assert not list(models.rglob("*.onnx"))


def test_another_file_in_the_archive_is_refused(server, models, capsys, monkeypatch):
    file = replace(command.FILES["face-detector"], size=1)
    monkeypatch.setitem(command.FILES, "face-detector", file)
    code, _, failed = run(capsys, "fetch", "face-detector", "--accept-licence", "--models", models)
    assert code == 1 and "is another file than was published" in failed


@pytest.mark.parametrize("folder", ["buffalo_l", "models/buffalo_l"])
def test_the_two_of_face_recognition_come_into_one_folder(server, models, capsys, published, folder):
    """One of them alone, wherever it lies, is of no use."""
    alone = models / "insightface" / folder / DETECTOR.name
    alone.parent.mkdir(parents=True)
    alone.write_bytes(published[DETECTOR.key])
    code, said, _ = run(capsys, "fetch", "sd15", "--accept-licence", "--models", models)
    assert code == 0 and "in place of" not in said
    assert resolve.find_face_models([models / "insightface"])


def test_a_folder_comes_through_the_hub_s_own_library(models, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *what, **how: asked.append((what, how)))
    code, _, _ = run(capsys, "fetch", "captioner", "--accept-licence", "--models", models)
    assert code == 0
    ((what, how),) = asked
    assert what == ("llava-hf/llava-1.5-7b-hf",) and how["local_dir"] == models / "LLM" / CAPTIONER.name


@pytest.mark.parametrize(
    ("there", "is_whole"),
    [
        ([], False),
        (["model-00001-of-00002.safetensors"], False),
        (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], True),
    ],
)
def test_a_folder_that_came_in_part_is_fetched_on(models, capsys, monkeypatch, there, is_whole):
    """The small files come first."""
    folder = models / "LLM" / CAPTIONER.name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    shards = {str(number): f"model-0000{number}-of-00002.safetensors" for number in (1, 2)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    for name in there:
        (folder / name).write_bytes(b"-")
    asked = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *what, **how: asked.append(what))
    code, said, _ = run(capsys, "fetch", "captioner", "--accept-licence", "--models", models)
    assert code == 0 and (asked == []) == ("there already" in said) == is_whole


def test_a_file_in_the_place_of_another_is_named_before_it_is_replaced(server, models, capsys, monkeypatch):
    (models / "consistentid").mkdir()
    mine = models / "consistentid" / "face_parsing.pth"
    mine.write_bytes(b"mine")
    code, said, _ = run(
        capsys, "fetch", "face-parser", "--models", models, answer="n", monkeypatch=monkeypatch
    )
    assert code == 2 and f"in place of {mine}, which is unreadable" in said
    assert mine.read_bytes() == b"mine"


def test_what_is_not_in_the_catalogue_is_named_with_what_is(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["fetch", "antelopev2"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "there is no 'antelopev2'" in said and "face-parser" in said


def test_a_models_folder_that_is_not_there_is_an_error(tmp_path, capsys):
    code, _, failed = run(capsys, "list", "--models", tmp_path / "gone")
    assert code == 1 and "with --models" in failed


def test_ctrl_c_says_that_it_goes_on(server, models, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "fetch", stop)
    code, _, failed = run(capsys, "fetch", "face-parser", "--accept-licence", "--models", models)
    assert code == 130 and "goes on" in failed


# ---------------------------------------------------------------- list, verify, convert


def test_the_list_says_where_files_are_and_where_the_others_come_from(models, capsys, published, server):
    (models / "consistentid").mkdir()
    (models / "consistentid" / "anything.bin").write_bytes(published[CONSISTENTID_SD15.key])
    code, said, _ = run(capsys, "list", "--models", models)
    assert code == 0 and server.asked == []
    assert f"found    ConsistentID for SD1.5: {models / 'consistentid' / 'anything.bin'}\n" in said
    for file in (CONSISTENTID_SDXL, FACE_PARSER, DETECTOR, RECOGNISER, CLIP_VISION, CAPTIONER):
        assert f"missing  {file.what}: {file.name}" in said and f"fetch {file.key}" in said
    assert "from buffalo_l.zip" in said and "licence: non-commercial research only" in said


def test_verify_compares_with_what_was_published(models, capsys, published, server):
    run(capsys, "fetch", "sd15", "--accept-licence", "--models", models)
    code, said, _ = run(capsys, "verify", "--models", models)
    assert code == 0
    assert said.count(": as published") == 4
    assert "ConsistentID-v1.bin: keys and shapes fit" in said
    recogniser = models / "insightface" / "models" / "buffalo_l" / "w600k_r50.onnx"
    recogniser.write_bytes(b"X" + recogniser.read_bytes()[1:])
    (models / "consistentid" / "face_parsing.pth").write_bytes(b"<html>")
    code, said, failed = run(capsys, "verify", "--models", models)
    assert code == 1 and "2 damaged" in failed
    assert f"DAMAGED  {RECOGNISER.what}: {recogniser}: the published size, but another sha256" in said
    assert "face_parsing.pth: unreadable" in said
    recogniser.write_bytes(b"short")
    _, said, _ = run(capsys, "verify", "--models", models)
    assert "w600k_r50.onnx: 5 bytes, published are 2,000" in said


def test_a_conversion_is_no_damage(models, capsys, published, server):
    (models / "consistentid").mkdir()
    path = models / "consistentid" / "face_parsing.pth"
    path.write_bytes(published[FACE_PARSER.key])
    code, said, _ = run(capsys, "convert", path)
    assert code == 0 and "face_parsing.safetensors: the same tensors" in said
    path.unlink()
    code, said, _ = run(capsys, "verify", "--models", models)
    assert code == 0 and "keys and shapes fit" in said


def test_convert_names_what_it_refuses(tmp_path, capsys):
    path = write(tmp_path, flat(small_groups()), ".safetensors")
    code, _, failed = run(capsys, "convert", path)
    assert code == 1 and failed.startswith(f"error: '{path}' has the extension '.safetensors'")


def test_it_runs_from_the_pack_s_folder_with_nothing_of_comfyui(models):
    done = subprocess.run(
        [sys.executable, "-m", "consistentid_core.files", "list", "--models", str(models)],
        cwd=ROOT, env={**os.environ, "HOME": str(models), "USERPROFILE": str(models)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("missing ") == 7
