"""Finding, opening and checking InsightFace's two model files, and the packages they need."""

import gc
import logging
import os
import sys
import weakref
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from consistentid_core.errors import CheckpointError, MissingDependencyError, MissingModelError
from consistentid_core.files.catalogue import DETECTOR, RECOGNISER
from consistentid_core.files.resolve import find_face_models
from consistentid_core.identity import providers
from consistentid_core.identity.face_analysis import load_face_analyser
from tools.standins import insightface as standin


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


@pytest.fixture
def folder(tmp_path):
    """A complete buffalo_l in the root ``tmp_path / "models"``."""
    folder = tmp_path / "models" / "buffalo_l"
    standin.write(folder)
    return folder


@pytest.mark.parametrize(
    "place", ["models/buffalo_l", "models/buffalo_l/buffalo_l", "buffalo_l", "buffalo_l/buffalo_l"]
)
def test_the_files_are_found_in_the_second_root_and_one_level_too_deep(tmp_path, place):
    standin.write(tmp_path / "second" / place)
    detector, recogniser = find_face_models([tmp_path / "first", tmp_path / "second"])
    assert detector == tmp_path / "second" / place / "det_10g.onnx"
    assert recogniser == tmp_path / "second" / place / "w600k_r50.onnx"


def test_insightface_s_own_folder_is_searched_last(empty_home, tmp_path, folder):
    standin.write(empty_home / ".insightface" / "models" / "buffalo_l")
    assert empty_home in find_face_models([tmp_path / "nothing"])[0].parents
    assert folder in find_face_models([tmp_path])[0].parents


def test_a_missing_file_is_named_with_the_folders_searched_size_source_and_licence(tmp_path, folder):
    (folder / RECOGNISER.name).unlink()
    with pytest.raises(MissingModelError) as error:
        find_face_models([tmp_path])
    message = str(error.value)
    assert "'w600k_r50.onnx' not found" in message and "det_10g" not in message
    assert str(folder) in message and str(Path.home() / ".insightface" / "models" / "buffalo_l") in message
    for fact in ("174,383,860", RECOGNISER.sha256, "https://", "non-commercial"):
        assert fact in message


def test_both_files_are_named_if_nothing_is_there(tmp_path):
    with pytest.raises(MissingModelError, match="'det_10g.onnx' and 'w600k_r50.onnx' not found"):
        find_face_models([tmp_path])


@pytest.mark.parametrize(
    ("package", "install"),
    [
        ("onnxruntime", "insightface onnxruntime"),
        # With its requirements it would put onnxruntime for the CPU over the one that is there.
        ("insightface", "--no-deps insightface"),
        ("cv2", "opencv-python-headless"),
    ],
)
def test_a_missing_package_is_explained_with_the_python_to_install_it_into(
    monkeypatch, tmp_path, folder, package, install
):
    again = (package, "insightface")  # imported anew, so that it misses what it needs
    for module in [package, *(name for name in sys.modules if name.split(".")[0] in again)]:
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError) as error:
        load_face_analyser([tmp_path])
    assert str(error.value).endswith(f'"{sys.executable}" -m pip install {install}')


@pytest.mark.parametrize(
    ("name", "other"), [(DETECTOR.name, RECOGNISER.name), (RECOGNISER.name, DETECTOR.name)]
)
def test_one_network_in_place_of_the_other_is_refused(tmp_path, folder, name, other):
    os.replace(folder / other, folder / name)
    standin_folder = tmp_path / "again"
    standin.write(standin_folder)
    os.replace(standin_folder / other, folder / other)
    with pytest.raises(CheckpointError, match=f"{name} is another network"):
        load_face_analyser([tmp_path])


def test_a_detector_of_one_fixed_size_is_refused(tmp_path, folder):
    model = onnx.load(folder / DETECTOR.name)
    for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = 640
    onnx.save(model, folder / DETECTOR.name)
    with pytest.raises(CheckpointError, match="any size"):
        load_face_analyser([tmp_path])


@pytest.mark.parametrize("name", [DETECTOR.name, RECOGNISER.name])
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_truncated_file_is_named(tmp_path, folder, name, kept):
    path = folder / name
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(CheckpointError) as error:
        load_face_analyser([tmp_path])
    assert str(path) in str(error.value) and "Download it again" in str(error.value)


@pytest.fixture
def broken_cuda(monkeypatch):
    """An onnxruntime that lists CUDA but falls back to the CPU when a session is made."""
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_chosen_provider_that_does_not_start_is_an_error(broken_cuda, tmp_path, folder):
    with pytest.raises(
        MissingDependencyError, match="could not start it and fell back to CPUExecutionProvider"
    ):
        load_face_analyser([tmp_path], "CUDA")


@pytest.fixture
def crashing_cuda(broken_cuda, monkeypatch):
    """An onnxruntime that raises when a session is to run on CUDA."""

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path, options, providers, provider_options):
            if "CUDAExecutionProvider" in providers:
                raise RuntimeError("no driver")
            super().__init__(path, options, providers=providers, provider_options=provider_options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)


def test_a_provider_that_raises_is_told_apart_from_a_damaged_file(crashing_cuda, tmp_path, folder):
    with pytest.raises(MissingDependencyError, match="cannot use CUDA: no driver"):
        load_face_analyser([tmp_path], "CUDA")
    (folder / DETECTOR.name).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="no readable ONNX file"):
        load_face_analyser([tmp_path], "CUDA")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_goes_on_with_the_cpu_and_says_so(broken_cuda, tmp_path, folder, caplog):
    with caplog.at_level(logging.INFO):
        analyser = load_face_analyser([tmp_path])
    assert analyser.provider == "CPU"
    assert "Using the CPU" in caplog.text
    assert str(folder) in caplog.text


def test_a_session_is_set_up_for_the_device(broken_cuda, tmp_path, folder, monkeypatch):
    asked = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path, options, providers, provider_options):
            asked.append(dict(zip(providers, provider_options, strict=True)))
            super().__init__(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert load_face_analyser([tmp_path], device=torch.device("cuda", 1)).provider == "CUDA"
    for options in asked[:2]:  # detector and recogniser; some versions open more for single sizes
        assert options["CUDAExecutionProvider"] == {
            "device_id": "1",
            "arena_extend_strategy": "kSameAsRequested",
        }


def test_the_networks_go_with_the_last_who_uses_them(tmp_path, folder):
    analyser = load_face_analyser([tmp_path])
    analyser.detect(np.zeros((64, 64, 3), np.uint8))
    gone = [weakref.ref(one) for one in (analyser, analyser._detector, analyser._recogniser)]
    del analyser
    gc.collect()
    assert [one() for one in gone] == [None] * 3


def test_two_builds_over_each_other_are_told_where_auto_cannot_follow(monkeypatch, tmp_path, folder, caplog):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(providers, "version", lambda name: "1.20")
    for device, told in (("cuda", True), ("cpu", False)):
        caplog.clear()
        assert load_face_analyser([tmp_path], device=torch.device(device)).provider == "CPU"
        assert ("installed over each other" in caplog.text) is told
