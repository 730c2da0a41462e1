"""ConsistentID checkpoints as files: every format, other kinds of file, damage, safety (SPEC 1.1)."""

import json
import os
import pickle

import pytest
import torch
from small_checkpoints import (
    CONTAINERS,
    FLAT_CONTAINERS,
    FORMATS,
    PICKLES,
    flat,
    nested,
    small_groups,
    write,
)

from consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_core.files.weights_file import read_weights
from consistentid_core.networks.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def groups():
    return small_groups()


def refusal(path, error=CheckpointError):
    with pytest.raises(error) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    return message


# --- every format against every container -----------------------------------------------------------------


@pytest.mark.parametrize(
    "container, file_format",
    [(container, file_format) for container in CONTAINERS for file_format in PICKLES]
    + [(container, ".safetensors") for container in FLAT_CONTAINERS],
)
def test_every_container_is_read_from_every_format(tmp_path, groups, container, file_format):
    checkpoint = load_checkpoint(write(tmp_path, CONTAINERS[container](groups), file_format))
    for found, group in (
        (checkpoint.facial_encoder, "FacialEncoder"),
        (checkpoint.id_projection, "image_proj"),
        (checkpoint.adapters, "adapter_modules"),
    ):
        assert found.keys() == groups[group].keys()
        assert all(torch.equal(found[key], tensor) for key, tensor in groups[group].items())


@pytest.mark.parametrize("wrapping", ["model.", "module.", "_orig_mod.", "state_dict.", "module._orig_mod."])
@pytest.mark.parametrize("file_format", [".bin", ".safetensors"])
def test_what_trainers_put_before_all_keys_is_accepted(tmp_path, groups, wrapping, file_format):
    checkpoint = load_checkpoint(write(tmp_path, flat(groups, before=wrapping), file_format))
    assert checkpoint.adapters.keys() == groups["adapter_modules"].keys()


def test_groups_within_a_saved_state_are_accepted(tmp_path, groups):
    checkpoint = load_checkpoint(write(tmp_path, {"state_dict": nested(groups)}, ".bin"))
    assert checkpoint.facial_encoder.keys() == groups["FacialEncoder"].keys()


def test_a_wrapping_that_carries_something_else_is_told_from_another_kind_of_file(tmp_path, groups):
    message = refusal(write(tmp_path, {"state_dict": nested(groups), "epoch": 3}, ".bin"))
    assert "it is wrapped in an unknown way; its keys are state_dict.FacialEncoder." in message


# --- files of another kind --------------------------------------------------------------------------------


def tensors(*keys):
    return {key: torch.zeros(2, 2) for key in keys}


OTHER_FILES = {
    "a Stable Diffusion checkpoint": [
        tensors("model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.encoder.conv_in.weight"),
        {"state_dict": tensors("model.diffusion_model.input_blocks.0.0.weight"), "global_step": 3},
    ],
    "a LoRA": [
        tensors("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight"),
        tensors("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight"),
        tensors("diffusion_model.input_blocks.1.1.proj_in.lora_A.weight"),
    ],
    "an IP-Adapter or InstantID file": [
        {"image_proj": tensors("proj.weight", "norm.weight"), "ip_adapter": tensors("1.to_k_ip.weight")},
        tensors("image_proj.latents", "ip_adapter.0.to_q_lora.down.weight"),
    ],
    "a PhotoMaker file": [
        {"id_encoder": tensors("fuse_module.mlp1.fc1.weight"), "lora_weights": tensors("a")}
    ],
    "a face parser": [tensors("cp.resnet.conv1.weight", "ffm.convblk.conv.weight")],
    "a CLIP vision model": [tensors("vision_model.embeddings.class_embedding")],
    "a text encoder": [tensors("text_model.embeddings.token_embedding.weight")],
    "a SegFormer network": [tensors("segformer.encoder.patch_embeddings.0.proj.weight")],
    "a person of Save ID Embedding": [tensors("id_embeds", "photo.0")],
    "a UNet, VAE or ControlNet in diffusers format": [tensors("down_blocks.0.resnets.0.conv1.weight")],
}


@pytest.mark.parametrize(
    "kind, state_dict", [(kind, file) for kind in OTHER_FILES for file in OTHER_FILES[kind]]
)
@pytest.mark.parametrize("file_format", [".bin", "legacy .bin", ".safetensors"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, kind, state_dict, file_format):
    if file_format == ".safetensors":  # which knows no nested dictionaries
        pairs = ((k, v if isinstance(v, dict) else {"": v}) for k, v in state_dict.items())
        state_dict = {
            f"{key}.{inner}".rstrip("."): value
            for key, entries in pairs
            for inner, value in entries.items()
            if isinstance(value, torch.Tensor)
        }
    message = refusal(write(tmp_path, state_dict, file_format))
    assert message.startswith(f"'{tmp_path / 'weights'}")
    assert f"' is {kind}, not a ConsistentID file: choose ConsistentID-v1.bin (SD1.5) or " in message
    assert "Its keys are " in message


def test_a_file_of_an_unknown_kind_is_refused_with_some_of_its_keys(tmp_path):
    path = write(tmp_path, tensors(*(f"encoder.{number}.weight" for number in range(9))), ".safetensors")
    assert "its keys are encoder.0.weight, encoder.1.weight, encoder.2.weight and 6 more" in refusal(path)


@pytest.mark.parametrize(
    "value", [[torch.zeros(1)], torch.zeros(1), 3, None], ids=["list", "tensor", "int", "None"]
)
def test_a_pickle_of_something_else_is_refused(tmp_path, value):
    assert "not a dictionary of tensors" in refusal(write(tmp_path, value, ".bin"))


# --- damage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_refused(tmp_path, groups, file_format, kept):
    path = write(tmp_path, flat(groups), file_format)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert ("an empty file" if kept == 0 else "cut short") in refusal(path)


@pytest.mark.parametrize("extension", [".bin", ".safetensors"])
def test_bytes_without_meaning_are_refused(tmp_path, extension):
    path = tmp_path / f"noise{extension}"
    path.write_bytes(
        torch.randint(256, (5000,), generator=torch.Generator().manual_seed(0)).numpy().tobytes()
    )
    assert "5000 bytes" in refusal(path) or "cannot be decoded" in refusal(path)


@pytest.mark.parametrize("extension", [".bin", ".safetensors"])
@pytest.mark.parametrize(
    "content, kind",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "a web page"),
        (b'{"error": "Not found"}', "a JSON text"),
    ],
)
def test_what_a_failed_download_leaves_is_recognised(tmp_path, extension, content, kind):
    path = tmp_path / f"weights{extension}"
    path.write_bytes(content)
    assert f"is {kind}" in refusal(path)


@pytest.mark.parametrize(
    "file_format, extension, advice",
    [
        (".bin", ".safetensors", "Rename it to .bin"),
        ("legacy .bin", ".safetensors", "Rename it to .bin"),
        (".safetensors", ".bin", "Rename it to .safetensors"),
    ],
)
def test_a_wrong_extension_is_explained(tmp_path, groups, file_format, extension, advice):
    path = write(tmp_path, flat(groups), file_format).rename(tmp_path / f"renamed{extension}")
    assert advice in refusal(path)


@pytest.mark.parametrize("extension", [".gguf", ".onnx", ""])
def test_an_unknown_extension_is_refused(tmp_path, extension):
    path = tmp_path / f"weights{extension}"
    path.write_bytes(b"1234")
    assert ".safetensors, .bin, .pt, .pth, .ckpt" in refusal(path)


def test_a_file_that_does_not_exist_is_a_missing_model(tmp_path):
    refusal(tmp_path / "nothing.bin", MissingModelError)


def test_a_folder_is_a_missing_model(tmp_path):
    folder = tmp_path / "folder.bin"
    folder.mkdir()
    refusal(folder, MissingModelError)


# --- safety -----------------------------------------------------------------------------------------------


class MakesFolder:
    """An object whose unpickling makes a folder: harmless, and visible."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def _careless(path):
    torch.load(path, weights_only=False)


#: How the file is written -> (writer, the reader that would run its code).
MALICIOUS_FILES = {
    "zip": (torch.save, _careless),
    "legacy": (FORMATS["legacy .bin"][1], _careless),
    "plain pickle": (
        lambda state_dict, path: path.write_bytes(pickle.dumps(state_dict, protocol=2)),
        lambda path: pickle.loads(path.read_bytes()),
    ),
}


@pytest.fixture(params=MALICIOUS_FILES)
def malicious(request, tmp_path, groups):
    """A complete checkpoint with code in it, the folder that the code would make, and a careless reader."""
    made = tmp_path / "code was run"
    path = tmp_path / "weights.bin"
    writer, careless = MALICIOUS_FILES[request.param]
    writer({"extra": MakesFolder(made), **nested(groups)}, path)
    return path, made, careless


def test_the_code_in_the_malicious_file_works(malicious):
    path, made, careless = malicious
    careless(path)
    assert made.is_dir()


def test_code_in_a_pickle_is_not_run(malicious):
    path, made, _ = malicious
    refusal(path)
    assert not made.exists()


def test_the_refusal_names_what_would_have_run_and_never_advises_unsafe_loading(malicious):
    message = refusal(malicious[0])
    assert f"{os.mkdir.__module__}.mkdir" in message
    assert "weights_only" not in message


def test_a_pickled_network_is_refused(tmp_path):
    message = refusal(write(tmp_path, torch.nn.Linear(2, 2), ".bin"))
    assert "would run torch.nn.modules.linear.Linear, which is refused" in message


@pytest.mark.filterwarnings("ignore:.*TorchScript")
def test_a_torchscript_file_is_refused(tmp_path):
    path = tmp_path / "scripted.pt"
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(path)
    assert "cannot be decoded" in refusal(path)


def test_weights_are_returned_as_stored(tmp_path):
    stored = {"a": torch.arange(3.0), "b": {"c": torch.ones(2, dtype=torch.float16)}}
    found = read_weights(write(tmp_path, stored, ".bin"))
    assert json.dumps(found, default=torch.Tensor.tolist) == json.dumps(stored, default=torch.Tensor.tolist)
