"""Released model files are told from others by what they are, not by where they lie."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tools import model_files, portrait
from tools.console import CommandError

UNET = "model.diffusion_model."
SD15 = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}input_blocks.7.1.transformer_blocks.0.attn2.to_k.weight": (1280, 768),
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": (768,),
}
SDXL = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}input_blocks.7.1.transformer_blocks.9.attn2.to_k.weight": (1280, 2048),
    "conditioner.embedders.1.model.ln_final.weight": (1280,),
}
VIT_H = {
    "vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14),
    "vision_model.encoder.layers.31.layer_norm1.weight": (1280,),
}


def write(path, shapes):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: torch.zeros(shape, dtype=torch.uint8) for name, shape in shapes.items()}, path)


def test_an_sd15_checkpoint_is_found_under_any_name_in_a_subfolder(tmp_path):
    write(tmp_path / "a.safetensors", {"something": (1,)})
    write(tmp_path / "people" / "mine.safetensors", SD15)
    assert model_files.recognise_sd15(tmp_path) == os.path.join("people", "mine.safetensors")


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        (f"{UNET}input_blocks.0.0.weight", (320, 9, 3, 3)),  # inpainting
        (f"{UNET}input_blocks.7.1.transformer_blocks.0.attn2.to_k.weight", (1280, 1024)),  # SD2
        ("cond_stage_model.transformer.text_model.final_layer_norm.weight", (1,)),  # no CLIP-L
    ],
)
def test_a_checkpoint_of_another_kind_is_not_taken(tmp_path, key, shape):
    write(tmp_path / "other.safetensors", {**SD15, key: shape})
    assert model_files.recognise_sd15(tmp_path) is None


def test_an_sdxl_checkpoint_is_told_from_an_sd15_one(tmp_path):
    write(tmp_path / "a.safetensors", SD15)
    write(tmp_path / "b.safetensors", SDXL)
    assert model_files.recognise_sd15(tmp_path) == "a.safetensors"
    assert model_files.recognise_sdxl(tmp_path) == "b.safetensors"


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        (f"{UNET}input_blocks.0.0.weight", (320, 9, 3, 3)),  # inpainting
        (f"{UNET}input_blocks.7.1.transformer_blocks.9.attn2.to_k.weight", (320, 2048)),  # a narrow one
        ("conditioner.embedders.1.model.ln_final.weight", (1,)),  # no CLIP-G
    ],
)
def test_an_sdxl_checkpoint_of_another_kind_is_not_taken(tmp_path, key, shape):
    write(tmp_path / "other.safetensors", {**SDXL, key: shape})
    assert model_files.recognise_sdxl(tmp_path) is None


def test_adapters_of_the_two_families_are_found_by_their_released_names(tmp_path):
    for name in ("ConsistentID-v1.bin", "ConsistentID_SDXL-v1.safetensors"):
        (tmp_path / name).touch()
    assert model_files.recognise_consistentid_sd15(tmp_path) == "ConsistentID-v1.bin"
    assert model_files.recognise_consistentid_sdxl(tmp_path) == "ConsistentID_SDXL-v1.safetensors"


def model(title, is_standin):
    return model_files.ModelFile(title, "any", Path(), "any", is_standin)


@pytest.mark.parametrize("is_standin", [True, False])
def test_a_released_file_for_sdxl_is_not_used_with_a_narrow_stand_in(is_standin):
    checkpoint, adapter = model("A", is_standin), model("B", not is_standin)
    missing, found = ("A", "B") if is_standin else ("B", "A")
    with pytest.raises(CommandError, match=f"{found} is there and {missing} is not"):
        portrait.require_pair(checkpoint, adapter)


@pytest.mark.parametrize("is_standin", [True, False])
def test_two_files_for_sdxl_of_one_kind_are_used(is_standin):
    portrait.require_pair(model("A", is_standin), model("B", is_standin))


@pytest.mark.parametrize("shapes", [VIT_H, {"visual.conv1.weight": (1280, 3, 14, 14)}])
def test_clip_vit_h_is_found_in_either_naming(tmp_path, shapes):
    write(tmp_path / "vision.safetensors", shapes)
    assert model_files.recognise_clip_vit_h(tmp_path) == "vision.safetensors"


def test_clip_vit_l_is_not_taken(tmp_path):
    write(
        tmp_path / "vision.safetensors", {"vision_model.embeddings.patch_embedding.weight": (1024, 3, 14, 14)}
    )
    assert model_files.recognise_clip_vit_h(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x10" + bytes(7) + b"not json at all!"])
def test_a_file_that_is_no_safetensors_file_is_passed_over(tmp_path, content):
    (tmp_path / "broken.safetensors").write_bytes(content)
    assert model_files.recognise_sd15(tmp_path) is None


def test_a_face_parser_with_another_checksum_is_not_taken(tmp_path):
    (tmp_path / "face_parsing.pth").write_bytes(b"another model")
    assert model_files.recognise_face_parser(tmp_path) is None


def test_buffalo_l_needs_both_files_in_their_released_size(tmp_path):
    folder = tmp_path / "models" / "buffalo_l"
    folder.mkdir(parents=True)
    for name, size in (("det_10g.onnx", 16_923_827), ("w600k_r50.onnx", 174_383_860)):
        assert model_files.recognise_buffalo_l(tmp_path) is None
        with open(folder / name, "wb") as file:
            file.truncate(size)
    assert model_files.recognise_buffalo_l(tmp_path) == os.path.join("models", "buffalo_l")


def test_the_users_models_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSISTENTID_MODELS", str(tmp_path))
    assert model_files.models_folders(tmp_path / "ComfyUI")[:2] == [tmp_path, tmp_path / "ComfyUI" / "models"]


def test_a_models_folder_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSISTENTID_MODELS", str(tmp_path / "gone"))
    with pytest.raises(CommandError, match="which is not a folder"):
        model_files.models_folders(tmp_path)
