"""Conversions hold the same tensors bit for bit, and the loaders read them."""

import json

import pytest
import torch
from safetensors import SafetensorError, safe_open
from small_checkpoints import CONTAINERS, PICKLES, small_groups, write

from consistentid_core.errors import CheckpointError
from consistentid_core.faces.bisenet import load_weights
from consistentid_core.files import convert as module
from consistentid_core.files.convert import convert
from consistentid_core.networks.checkpoint import load_checkpoint
from tools.standins import bisenet


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("pickle", PICKLES)
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_layout_of_an_adapter_is_converted_to_what_the_loader_reads(tmp_path, container, pickle):
    path = write(tmp_path, CONTAINERS[container](small_groups()), pickle)
    before, after = load_checkpoint(path), load_checkpoint(convert(path))
    assert (before.family, before.rank, before.num_tokens) == (after.family, after.rank, after.num_tokens)
    for group in ("facial_encoder", "id_projection", "adapters"):
        assert same(getattr(before, group), getattr(after, group))


@pytest.mark.parametrize("legacy", [False, True])
def test_the_face_parser_is_converted_to_what_the_loader_reads(tmp_path, legacy):
    path = tmp_path / "79999_iter.pth"
    bisenet.write(path)
    if legacy:
        weights = torch.load(path, weights_only=True)
        torch.save(weights, path, _use_new_zipfile_serialization=False)
    assert same(load_weights(path), load_weights(convert(path)))
    assert path.is_file()


def adapter(folder, change=lambda groups: None):
    groups = small_groups()
    change(groups)
    return write(folder, groups, ".bin")


def test_types_and_bits_stay_even_of_values_that_are_not_numbers(tmp_path):
    def change(groups):
        first = next(iter(groups["adapter_modules"]))
        groups["adapter_modules"][first] = groups["adapter_modules"][first].to(torch.bfloat16)
        next(iter(groups["FacialEncoder"].values()))[0] = float("nan")

    path = adapter(tmp_path, change)
    content = torch.load(path, weights_only=True)
    with safe_open(convert(path), framework="pt") as file:
        for group, tensors in content.items():
            for key, tensor in tensors.items():
                found = file.get_tensor(f"{group}.{key}")
                assert found.dtype == tensor.dtype
                assert torch.equal(found.view(torch.uint8), tensor.contiguous().view(torch.uint8))


def test_tensors_that_share_memory_or_have_gaps_are_written_in_full(tmp_path):
    def change(groups):
        one, other = list(groups["adapter_modules"])[:2]
        whole = torch.randn(8, 16)
        groups["adapter_modules"][one], groups["adapter_modules"][other] = whole[:, ::2], whole[:, ::2]

    one, other = (f"adapter_modules.{key}" for key in list(small_groups()["adapter_modules"])[:2])
    with safe_open(convert(adapter(tmp_path, change)), framework="pt") as file:
        assert file.get_tensor(one).shape == (8, 8)
        assert torch.equal(file.get_tensor(one), file.get_tensor(other))


def test_a_conversion_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    path = adapter(tmp_path)
    target = path.with_suffix(".safetensors")
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="--replace"):
        convert(path)
    assert target.read_bytes() == b"mine"
    convert(path, replace=True)
    assert load_checkpoint(target).family == "sd15"


def test_what_reads_otherwise_than_it_was_written_gets_no_name(tmp_path, monkeypatch):
    write_file = module.save_file

    def damaged(tensors, path, metadata):
        write_file(tensors, path, metadata=metadata)
        with open(path, "rb+") as file:
            file.seek(-1, 2)
            last = file.read(1)[0]
            file.seek(-1, 2)
            file.write(bytes([last ^ 1]))

    monkeypatch.setattr(module, "save_file", damaged)
    path = adapter(tmp_path)
    with pytest.raises(CheckpointError, match="reads otherwise than it was written"):
        convert(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"lora_up.weight": torch.zeros(1)}, "is a LoRA, so it is not converted"),
        ({"x": torch.zeros(1)}, "is of an unknown kind"),
        ([torch.zeros(1)], "is of an unknown kind"),
        (
            {"FacialEncoder.x": torch.zeros(1), "FacialEncoder.step": 3},
            "entries that are no tensors .1.: FacialEncoder.step",
        ),
    ],
)
def test_other_files_are_left_alone(tmp_path, content, message):
    path = tmp_path / "file.bin"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        convert(path)
    assert list(tmp_path.iterdir()) == [path]


def test_only_pickles_are_converted(tmp_path):
    (tmp_path / "file.safetensors").write_bytes(json.dumps({}).encode())
    with pytest.raises(CheckpointError, match="only .bin, .pt, .pth, .ckpt are converted"):
        convert(tmp_path / "file.safetensors")


def test_a_pickle_that_would_run_something_is_not_converted(tmp_path):
    (tmp_path / "file.bin").write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    with pytest.raises(CheckpointError):
        convert(tmp_path / "file.bin")
    assert not (tmp_path / "file.safetensors").exists()


def test_a_drive_that_takes_no_file_is_said(tmp_path, monkeypatch):
    """The library has its own error for it."""

    def full(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    path = adapter(tmp_path)
    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(CheckpointError, match="cannot be written.*No space left.*Make room"):
        convert(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
