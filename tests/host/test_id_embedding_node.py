"""ID Embedding (InsightFace) as the host calls it, on real ONNX sessions."""

import gc
import sys
import weakref
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import onnxruntime
import pytest
import torch
from consistentid_pack.consistentid_core.errors import MissingDependencyError, MissingModelError, NoFaceError
from consistentid_pack.consistentid_core.identity.face_analysis import open_face_analyser
from consistentid_pack.consistentid_core.identity.id_embedding import CONCAT, RGB, ZERO_VECTOR
from consistentid_pack.nodes.embedding import EmbedFace
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.models import face_recognition
from consistentid_pack.nodes.previews.faces import UI_KEY
from drawn_faces import draw
from PIL import Image

from tools.standins import insightface as standin


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    standin.write(root / "insightface" / "models" / "buffalo_l")
    return root


@pytest.fixture(autouse=True)
def model_folder(models, monkeypatch, tmp_path):
    """ComfyUI with nothing but the stand-ins, and a temp folder of its own."""
    paths = {folders.INSIGHTFACE: ([str(models / "insightface")], set())}
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", paths)
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def image(*pictures):
    return torch.from_numpy(np.stack(pictures)).float() / 255.0


TWO_FACES = draw(600, 400, (150, 200, 100), (430, 200, 160))


def vector(**inputs):
    return EmbedFace.execute(**inputs).args[0].vector


def test_a_photo_alone_is_enough():
    output = EmbedFace.execute(image=image(TWO_FACES))
    embedding, preview = output.args
    assert embedding.vector.shape == (1, 512)
    assert preview.shape == (1, 400, 600, 3)


def test_defaults_of_the_schema_are_those_of_the_call():
    defaults = {i.id: i.default for i in EmbedFace.define_schema().inputs if i.id != "image"}
    assert torch.equal(vector(image=image(TWO_FACES), **defaults), vector(image=image(TWO_FACES)))


def test_order_and_index_reach_the_choice():
    pictures = image(TWO_FACES)
    left = vector(image=pictures, order="left_to_right")
    assert torch.equal(left, vector(image=pictures, order="large_to_small", face_index=1))
    assert not torch.equal(left, vector(image=pictures))


def test_every_option_of_every_list_is_accepted():
    combos = {i.id: i.options for i in EmbedFace.define_schema().inputs if hasattr(i, "options")}
    for name in ("order", "no_face", "channel_order"):
        for option in combos[name]:
            assert vector(image=image(TWO_FACES), **{name: option}).norm().item() == pytest.approx(
                1.0, abs=1e-6
            )


def test_several_photos_are_averaged():
    other = draw(600, 400, (150, 200, 130), tint=20)
    both = EmbedFace.execute(image=image(TWO_FACES, other)).args
    alone = torch.cat([vector(image=image(TWO_FACES)), vector(image=image(other))])
    torch.testing.assert_close(both[0].vector[0], torch.nn.functional.normalize(alone.mean(dim=0), dim=0))
    assert both[1].shape[0] == 2


def test_several_photos_can_be_kept_apart():
    other = draw(600, 400, (150, 200, 130), tint=20)
    both = vector(image=image(TWO_FACES, other), combine=CONCAT)
    alone = torch.cat([vector(image=image(TWO_FACES)), vector(image=image(other))])
    torch.testing.assert_close(both, alone)


def test_transparency_makes_no_difference():
    pictures = image(TWO_FACES)
    with_alpha = torch.cat([pictures, torch.rand_like(pictures[..., :1])], dim=-1)
    assert torch.equal(vector(image=with_alpha), vector(image=pictures))


def test_a_photo_without_a_face_is_an_error_with_its_number():
    with pytest.raises(NoFaceError, match=r"image 2 of 2 \(600x400\)"):
        EmbedFace.execute(image=image(TWO_FACES, draw(600, 400)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_single_pixel_without_a_face_can_stand_for_nobody(channels):
    embedding, preview = EmbedFace.execute(image=torch.zeros(1, 1, 1, channels), no_face=ZERO_VECTOR).args
    assert embedding.is_zero
    assert preview.shape == (1, 1, 1, 3)


def test_the_original_s_channel_order_is_an_option():
    pictures = image(TWO_FACES)
    swapped = pictures.flip(-1)
    assert torch.equal(vector(image=pictures, channel_order=RGB), vector(image=swapped))
    assert not torch.allclose(vector(image=pictures, channel_order=RGB), vector(image=pictures), atol=1e-3)


def test_the_faces_arrive_with_their_boxes_and_the_chosen_one():
    (entry,) = EmbedFace.execute(image=image(TWO_FACES), order="left_to_right", face_index=1).ui[UI_KEY]
    assert entry["chosen"] == 1
    assert len(entry["faces"]) == 2
    first, second = (face["box"] for face in entry["faces"])
    assert first[0] < second[0]
    for left, top, right, bottom in (first, second):
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


def test_the_photo_of_the_faces_is_shown_small_and_without_boxes(tmp_path):
    height, width = TWO_FACES.shape[:2]
    enlarged = np.asarray(Image.fromarray(TWO_FACES).resize((3 * width, 3 * height)))
    (entry,) = EmbedFace.execute(image=image(enlarged)).ui[UI_KEY]
    path = tmp_path / entry["photo"]["subfolder"] / entry["photo"]["filename"]
    assert path.stat().st_size < 300_000
    shown = np.asarray(Image.open(path).resize((width, height)), np.float32)
    assert (entry["width"], entry["height"]) == (3 * width, 3 * height)
    assert np.abs(shown - TWO_FACES).mean() < 6


def test_missing_models_name_comfyui_s_folder(monkeypatch, tmp_path):
    empty = {folders.INSIGHTFACE: ([str(tmp_path / "insightface")], set())}
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", empty)
    with pytest.raises(MissingModelError) as error:
        EmbedFace.execute(image=image(TWO_FACES))
    assert str(Path(tmp_path, "insightface", "models", "buffalo_l")) in str(error.value)


def test_a_missing_package_is_told_when_the_node_runs(monkeypatch):
    for module in ["insightface", *(name for name in sys.modules if name.startswith("insightface."))]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match="pip install .*insightface"):
        EmbedFace.execute(image=image(TWO_FACES), provider="CPU")


# ---------------------------------------------------------------- a long batch


def test_the_bar_moves_with_the_photos(monkeypatch):
    shown = []
    monkeypatch.setattr(
        comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, *_, **__: shown.append((value, total))
    )
    EmbedFace.execute(image=image(TWO_FACES, TWO_FACES))
    assert shown[0] == (0, 2) and shown[-1] == (2, 2)


def test_cancel_ends_the_work_at_the_next_photo():
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        EmbedFace.execute(image=image(TWO_FACES, TWO_FACES))


# ---------------------------------------------------------------- memory


@pytest.fixture
def analysers(monkeypatch):
    """Weak references to every pair of networks that is opened."""
    opened = []

    def opening(*args):
        analyser = open_face_analyser(*args)
        opened.append(weakref.ref(analyser))
        return analyser

    monkeypatch.setattr(face_recognition, "open_face_analyser", opening)
    monkeypatch.setattr(face_recognition, "_last", None)
    return opened


def test_the_networks_serve_one_photo_after_another(analysers):
    for _ in range(2):
        EmbedFace.execute(image=image(TWO_FACES))
    assert len(analysers) == 1 and analysers[0]() is not None


def test_the_networks_go_when_the_host_frees_memory_and_come_back(analysers):
    before = vector(image=image(TWO_FACES))
    comfy.model_management.unload_all_models()
    gc.collect()
    assert analysers[0]() is None
    assert torch.equal(vector(image=image(TWO_FACES)), before)
    assert len(analysers) == 2


def test_another_choice_takes_their_place(analysers):
    EmbedFace.execute(image=image(TWO_FACES))
    EmbedFace.execute(image=image(TWO_FACES), provider="CPU")
    gc.collect()
    assert [one() is None for one in analysers] == [True, False]


def test_auto_runs_where_the_host_does(monkeypatch):
    """Started with --cpu, though this onnxruntime offers a graphics card."""
    offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(face_recognition, "_last", None)
    assert comfy.model_management.get_torch_device().type == "cpu"
    EmbedFace.execute(image=image(TWO_FACES))
    assert face_recognition.face_analyser("auto").provider == "CPU"
