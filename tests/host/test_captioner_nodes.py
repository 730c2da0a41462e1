"""Load Face Captioner and Caption Face on a tiny LLaVA that really generates."""

import os
import shutil

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import pytest
import skimage.data
import torch
from consistentid_pack.consistentid_core.errors import (
    AmbiguousModelError,
    CheckpointError,
    MissingModelError,
    NotEnoughMemoryError,
    PromptError,
)
from consistentid_pack.nodes.captioner import MODES, TEMPLATES, USE_HUB_ID, CaptionFace, LoadFaceCaptioner
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.models import captioner as captioner_model
from consistentid_pack.nodes.models.captioner import (
    FaceCaptionerModel,
    check_memory,
    choose_dtype,
    list_model_folders,
)

from tools.standins import llava

PHOTO = torch.from_numpy(skimage.data.astronaut()).float().unsqueeze(0) / 255.0
DESCRIBING_MODES = [mode for mode in MODES if mode != "template"]


@pytest.fixture(scope="module")
def llm_folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("LLM")
    llava.write(root / "llava-tiny")
    llava.write(root / "llava-hf" / "llava-nested")
    (root / "another").mkdir()
    (root / "another" / "config.json").write_text('{"model_type": "llama"}', "utf-8")
    return root


@pytest.fixture(autouse=True)
def model_folder(llm_folder, monkeypatch):
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {folders.LLM: ([str(llm_folder)], set())})


@pytest.fixture
def captioner():
    (model,) = LoadFaceCaptioner.execute(model_name="llava-tiny").args
    yield model
    comfy.model_management.unload_all_models()


def caption(**inputs):
    return CaptionFace.execute(**{"image": PHOTO, "max_new_tokens": 16, **inputs}).args[0]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_needs_no_model_and_no_photo(template):
    output = CaptionFace.execute(mode="template", template=template)
    assert output.args == (TEMPLATES[template],)
    assert output.ui.as_dict() == {"text": (TEMPLATES[template],)}


def test_the_default_template_is_the_original_s():
    assert CaptionFace.execute(mode="template").args[0] == (
        "The person has one face, one nose, two eyes, two ears, and one mouth."
    )


def test_only_llava_folders_are_offered():
    assert list_model_folders() == ["llava-hf/llava-nested", "llava-tiny"]
    combo = LoadFaceCaptioner.define_schema().inputs[0]
    assert combo.options == ["auto", "llava-hf/llava-nested", "llava-tiny", USE_HUB_ID]


def test_whatever_lies_in_the_folder_the_list_is_made(llm_folder, monkeypatch, tmp_path):
    """Of anybody: the folder is shared with other packs."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "config.json").write_text("[" * 200_000, "utf-8")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "config.json").write_bytes(bytes(range(256)))
    (tmp_path / "folder" / "config.json").mkdir(parents=True)
    llava.write(tmp_path / "mine")
    roots = [str(llm_folder / "gone"), str(tmp_path)]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, folders.LLM, (roots, set()))
    listed = LoadFaceCaptioner.define_schema().inputs[0].options
    assert "mine" in listed and not any("deep" in name or "binary" in name for name in listed)


def test_a_folder_that_cannot_be_looked_into_costs_its_own_models_only(llm_folder, monkeypatch, caplog):
    def fail(self, pattern):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(captioner_model.Path, "glob", fail)
    assert LoadFaceCaptioner.define_schema().inputs[0].options == ["auto", USE_HUB_ID]
    assert "cannot be listed" in caplog.text and str(llm_folder) in caplog.text


def test_auto_takes_the_only_captioner_or_the_released_one(llm_folder, monkeypatch, tmp_path):
    with pytest.raises(AmbiguousModelError, match="2 face captioners: llava-hf/llava-nested, llava-tiny"):
        LoadFaceCaptioner.execute("auto")
    shutil.copytree(llm_folder / "llava-tiny", tmp_path / "mine")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, folders.LLM, ([str(tmp_path)], set()))
    assert LoadFaceCaptioner.execute("auto").args[0].folder == tmp_path / "mine"
    assert LoadFaceCaptioner.fingerprint_inputs("auto") == LoadFaceCaptioner.fingerprint_inputs("mine")
    shutil.copytree(tmp_path / "mine", tmp_path / "llava-1.5-7b-hf")
    assert LoadFaceCaptioner.execute("auto").args[0].folder == tmp_path / "llava-1.5-7b-hf"


def test_auto_without_a_captioner_says_where_it_belongs(monkeypatch, tmp_path):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, folders.LLM, ([str(tmp_path)], set()))
    with pytest.raises(MissingModelError, match="no face captioner for auto in .*use hub_id"):
        LoadFaceCaptioner.execute("auto")
    assert LoadFaceCaptioner.fingerprint_inputs("auto") is None


@pytest.fixture
def own_folder(llm_folder, monkeypatch, tmp_path):
    """A model to change, in a folder of its own."""
    shutil.copytree(llm_folder / "llava-tiny", tmp_path / "mine")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, folders.LLM, ([str(tmp_path)], set()))
    return tmp_path / "mine"


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_replaced_file_is_noticed(own_folder, file):
    before = LoadFaceCaptioner.fingerprint_inputs("mine")
    assert LoadFaceCaptioner.fingerprint_inputs("mine") == before
    os.utime(own_folder / file, ns=(0, 0))
    assert LoadFaceCaptioner.fingerprint_inputs("mine") != before


def test_a_model_that_is_not_there_has_no_fingerprint_and_no_error_yet():
    for name in ("gone", USE_HUB_ID):
        assert LoadFaceCaptioner.fingerprint_inputs(name, hub_id="nobody/nothing-of-the-kind") is None


@pytest.mark.parametrize("dtype, factor", [("fp16", 1), ("fp32", 2)])
def test_a_model_larger_than_the_memory_is_refused_before_it_is_read(monkeypatch, llm_folder, dtype, factor):
    size = (llm_folder / "llava-tiny" / "model.safetensors").stat().st_size  # in float32
    monkeypatch.setattr(captioner_model, "_WORKING_MEMORY", 0)
    monkeypatch.setattr(captioner_model, "load_captioner", lambda *_: pytest.fail("it was read"))
    monkeypatch.setattr(comfy.model_management, "get_total_memory", lambda device: factor * size / 4)
    (model,) = LoadFaceCaptioner.execute(model_name="llava-tiny", dtype=dtype).args
    with pytest.raises(
        NotEnoughMemoryError, match=r"llava-tiny needs \d.* as float.*main memory.*'template'"
    ):
        caption(mode="describe face", captioner=model)


def test_a_device_needs_room_for_the_work_as_well(monkeypatch, llm_folder):
    folder = llm_folder / "llava-tiny"
    memory = {"cpu": 1 << 30, "cuda": 1 << 30}
    monkeypatch.setattr(comfy.model_management, "get_total_memory", lambda device: memory[device.type])
    check_memory(folder, torch.float16, torch.device("privateuseone"))
    with pytest.raises(NotEnoughMemoryError, match="the device cuda:0 has 1.1 GB"):
        check_memory(folder, torch.float16, torch.device("cuda", 0))
    memory["cuda"] *= 2
    check_memory(folder, torch.float16, torch.device("cuda", 0))


def test_choosing_a_model_reads_nothing_yet(captioner):
    assert captioner.patcher is None


@pytest.mark.parametrize("mode", DESCRIBING_MODES)
def test_the_model_generates_the_same_words_for_the_same_photo(captioner, mode):
    inputs = {"mode": mode, "captioner": captioner, "custom_prompt": "Describe the face."}
    first = caption(**inputs)
    assert len(first.split()) > 3
    assert caption(**inputs) == first


def test_only_the_first_photo_of_a_batch_is_described(captioner):
    batch = torch.cat([PHOTO, torch.zeros_like(PHOTO)])
    alone = caption(mode="describe face", captioner=captioner)
    assert caption(mode="describe face", captioner=captioner, image=batch) == alone


def test_grey_and_transparent_photos_are_described(captioner):
    alpha = torch.cat([PHOTO, torch.rand_like(PHOTO[..., :1])], dim=-1)
    assert caption(mode="describe face", captioner=captioner, image=alpha) == caption(
        mode="describe face", captioner=captioner
    )
    assert isinstance(caption(mode="describe face", captioner=captioner, image=torch.zeros(1, 1, 1, 1)), str)


def test_a_long_description_is_shortened_unless_that_is_switched_off(captioner):
    inputs = {"mode": "describe face", "captioner": captioner, "max_new_tokens": 200}
    whole = caption(**inputs, max_characters=0)
    assert len(whole) > 330
    assert 0 < len(caption(**inputs)) <= 330
    assert len(caption(**inputs, max_characters=100)) <= 100


def test_progress_moves_with_every_token(captioner, monkeypatch):
    seen = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_ENABLED", True)
    comfy.utils.set_progress_bar_global_hook(lambda value, total, *rest, **named: seen.append((value, total)))
    monkeypatch.setattr(comfy.utils.ProgressBar, "update", _unthrottled)
    try:
        caption(mode="describe face", captioner=captioner, max_new_tokens=9)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
    assert [value for value, total in seen] == [*range(1, 10), 9]
    assert {total for value, total in seen} == {9}


def _unthrottled(progress, value):
    progress.current += value
    progress.hook(progress.current, progress.total, None)


def test_an_interruption_stops_the_answer_and_the_next_one_is_whole(captioner, monkeypatch):
    expected = caption(mode="describe face", captioner=captioner)
    real = comfy.model_management.throw_exception_if_processing_interrupted
    calls = []

    def press_cancel_at_the_fifth_token():
        calls.append(None)
        if len(calls) == 5:
            comfy.model_management.interrupt_current_processing()
        real()

    with monkeypatch.context() as patch:
        patch.setattr(
            comfy.model_management,
            "throw_exception_if_processing_interrupted",
            press_cancel_at_the_fifth_token,
        )
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            caption(mode="describe face", captioner=captioner)
    assert len(calls) == 5
    assert caption(mode="describe face", captioner=captioner) == expected


def test_the_memory_manager_loads_and_unloads_the_model(captioner):
    expected = caption(mode="describe face", captioner=captioner)
    loaded = [model.model for model in comfy.model_management.current_loaded_models]
    assert captioner.patcher in loaded
    assert captioner.patcher.loaded_size() == captioner.patcher.model_size() > 0

    comfy.model_management.unload_all_models()
    assert captioner.patcher.loaded_size() == 0
    assert captioner.patcher not in [model.model for model in comfy.model_management.current_loaded_models]

    patcher = captioner.patcher
    assert caption(mode="describe face", captioner=captioner) == expected
    assert captioner.patcher is patcher and patcher.loaded_size() > 0


def test_a_model_partly_pushed_out_is_loaded_whole_again(captioner):
    expected = caption(mode="describe face", captioner=captioner)
    patcher = captioner.patcher
    freed = patcher.partially_unload(torch.device("cpu"), patcher.model_size() // 2)
    assert freed > 0 and patcher.loaded_size() < patcher.model_size()
    assert caption(mode="describe face", captioner=captioner) == expected
    assert patcher.loaded_size() == patcher.model_size()


@pytest.mark.parametrize(("choice", "dtype"), captioner_model.DTYPES.items())
def test_the_precision_can_be_chosen(choice, dtype):
    (model,) = LoadFaceCaptioner.execute(model_name="llava-tiny", dtype=choice).args
    assert model.loaded().model.dtype == dtype


def test_the_cpu_computes_in_single_precision():
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("mode", DESCRIBING_MODES)
def test_a_mode_that_needs_a_model_says_so(mode):
    with pytest.raises(ValueError, match=f"'{mode}' needs the input 'captioner'"):
        caption(mode=mode, custom_prompt="Describe.")


@pytest.mark.parametrize("mode", DESCRIBING_MODES)
def test_a_mode_that_needs_a_photo_says_so(captioner, mode):
    with pytest.raises(ValueError, match=f"'{mode}' needs the input 'image'"):
        caption(mode=mode, captioner=captioner, image=None, custom_prompt="Describe.")


def test_a_custom_prompt_needs_words(captioner):
    with pytest.raises(PromptError, match="custom_prompt"):
        caption(mode="custom prompt", captioner=captioner, custom_prompt="  ")


def test_a_folder_that_is_gone_is_named():
    with pytest.raises(MissingModelError, match="'nothing' not found"):
        LoadFaceCaptioner.execute(model_name="nothing")


def test_another_kind_of_model_is_refused(llm_folder):
    with pytest.raises(CheckpointError, match="type 'llama', expected 'llava'"):
        caption(mode="describe face", captioner=FaceCaptionerModel(llm_folder / "another"))


@pytest.fixture
def hub_cache(monkeypatch, tmp_path):
    """An empty Hugging Face cache; a test that opens a connection fails at its end."""
    import socket

    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    opened = []

    def refuse(_, address):
        opened.append(address)
        raise ConnectionRefusedError(address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield tmp_path
    assert opened == []


def test_a_hub_model_outside_the_cache_is_not_fetched(hub_cache):
    with pytest.raises(MissingModelError, match="Switch allow_download on"):
        LoadFaceCaptioner.execute(model_name=USE_HUB_ID, hub_id="llava-hf/llava-1.5-7b-hf")


def test_a_hub_model_in_the_cache_is_used(hub_cache, llm_folder):
    repository = hub_cache / "models--someone--llava-tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40, "utf-8")
    llava.write(repository / "snapshots" / ("0" * 40))
    (model,) = LoadFaceCaptioner.execute(model_name=USE_HUB_ID, hub_id="someone/llava-tiny").args
    assert caption(mode="describe face", captioner=model)


def test_an_id_that_is_no_hub_id_is_refused(hub_cache):
    with pytest.raises(MissingModelError, match="'no/hub/id' is no hub id.*models/LLM"):
        LoadFaceCaptioner.execute(model_name=USE_HUB_ID, hub_id="no/hub/id")


def test_captioning_leaves_the_photo_unchanged(captioner):
    before = PHOTO.clone()
    caption(mode="describe face", captioner=captioner)
    assert np.array_equal(PHOTO.numpy(), before.numpy())
