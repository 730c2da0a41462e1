"""Reading weights: what is mapped, what a hostile pickle cannot do, and what tensors must be like."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_checkpoints import PICKLES, flat, nested, small_groups, write

from consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_core.faces.bisenet import load_weights
from consistentid_core.files import pickle_scan, weights_file
from consistentid_core.files.quoting import listed, quoted
from consistentid_core.files.state_dict import is_finite
from consistentid_core.files.weights_file import read_header, read_weights
from consistentid_core.networks.checkpoint import load_checkpoint

STORED = {"a": torch.arange(2000.0), "b": torch.ones(2, dtype=torch.float16)}


@pytest.fixture
def large(monkeypatch):
    """Every file counts as a large one."""
    monkeypatch.setattr(weights_file, "SMALL_FILE", 0)


def repack(path, compression):
    """The same zip archive as another program would write it."""
    with zipfile.ZipFile(path) as archive:
        contents = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def same(found, expected):
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def refusal(path, read=read_weights):
    with pytest.raises(CheckpointError) as caught:
        read(path)
    return str(caught.value)


# ---------------------------------------------------------------- mapped or read


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("mapped", [True, False])
def test_a_repacked_archive_gives_the_same_weights(tmp_path, large, compression, mapped):
    path = write(tmp_path, STORED, ".bin")
    repack(path, compression)
    assert same(read_weights(path, mapped=mapped), STORED)


def how_it_was_loaded(monkeypatch, path, mapped=True):
    asked = []
    torch_load = torch.load
    monkeypatch.setattr(torch, "load", lambda file, **how: asked.append(how) or torch_load(file, **how))
    assert same(read_weights(path, mapped=mapped), STORED)
    (how,) = asked
    assert how["weights_only"] is True
    return how.get("mmap", False)


@pytest.mark.parametrize("file_format", PICKLES)
def test_a_large_pickle_is_mapped_where_its_format_allows_that(tmp_path, large, monkeypatch, file_format):
    path = write(tmp_path, STORED, file_format)
    assert how_it_was_loaded(monkeypatch, path) is (not file_format.startswith("legacy"))


def test_a_compressed_pickle_is_read(tmp_path, large, monkeypatch):
    path = write(tmp_path, STORED, ".bin")
    repack(path, zipfile.ZIP_DEFLATED)
    assert how_it_was_loaded(monkeypatch, path) is False


def test_no_pickle_is_mapped_where_the_host_does_not_want_it(tmp_path, large, monkeypatch):
    assert how_it_was_loaded(monkeypatch, write(tmp_path, STORED, ".bin"), mapped=False) is False


def mapped_files():
    return Path("/proc/self/maps").read_text("utf-8")


@pytest.mark.parametrize("file_format", [".bin", "legacy .bin", ".safetensors"])
@pytest.mark.parametrize("size", ["small", "large, not mapped"])
def test_what_was_read_outlives_the_file(tmp_path, monkeypatch, file_format, size):
    """A download that writes over a mapped file ends the process."""
    if size != "small":
        monkeypatch.setattr(weights_file, "SMALL_FILE", 0)
    path = write(tmp_path, STORED, file_format)
    found = read_weights(path, mapped=size == "small")
    assert str(path) not in mapped_files()
    os.truncate(path, 0)
    assert same(found, STORED)


def test_a_large_safetensors_file_is_mapped(tmp_path, large):
    path = write(tmp_path, STORED, ".safetensors")
    found = read_weights(path)
    assert str(path) in mapped_files()
    assert same(found, STORED)


def test_the_short_extension_of_safetensors_is_read(tmp_path):
    save_file(STORED, tmp_path / "weights.sft")
    assert same(read_weights(tmp_path / "weights.sft"), STORED)


def test_texts_of_a_header(tmp_path):
    save_file(STORED, tmp_path / "a.safetensors", {"kind": "test"})
    assert read_header(tmp_path / "a.safetensors") == {"kind": "test"}
    save_file(STORED, tmp_path / "b.safetensors")
    assert read_header(tmp_path / "b.safetensors") == {}


# ---------------------------------------------------------------- files that cannot be opened


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = write(tmp_path, STORED, ".safetensors")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(path).startswith(f"'{path}' cannot be opened: Permission denied.")


def test_a_file_below_a_file_is_missing(tmp_path):
    path = write(tmp_path, STORED, ".safetensors")
    with pytest.raises(MissingModelError, match="No file at"):
        read_weights(path / "inner.safetensors")


# ---------------------------------------------------------------- pickles that would never end


def nested_tuple(depth=60):
    key = ()
    for _ in range(depth):
        key = (key, key)
    return key


def by_hand(*instructions):
    """A pickle from its instructions: calls that ``pickle.dumps`` would not write."""
    return b"\x80\x02" + b"".join(instructions) + b"."


def list_of(count):
    return b"](" + b"K\x01" * count + b"e"


CALL_SET_OFTEN = by_hand(
    b"cbuiltins\nset\nq\x00", list_of(20_000), b"\x85q\x01", b"]", b"h\x00h\x01Ra" * 20_000
)
HOSTILE = {
    "a nested tuple as key": lambda: _unhashed_key(),
    "nested tuples in a set": lambda: by_hand(
        b"cbuiltins\nset\n", b"](K\x01", b"q\x01h\x01\x86" * 60, b"e\x85R"
    ),
    "a long list that is gone through often": lambda: CALL_SET_OFTEN,
    "a storage known by a nested tuple": lambda: by_hand(b")", b"q\x01h\x01\x86" * 60, b"\x85Q"),
    "a tuple as key": lambda: pickle.dumps({("a", 1): 1}, protocol=2),
}


def _unhashed_key():
    """What ``pickle.dumps({nested_tuple(): 1})`` would be, if its dictionary could be made."""
    key = pickle.dumps(nested_tuple(), protocol=2)[2:-1]  # without start and stop
    return by_hand(b"}", key, b"K\x01s")


def in_zip(path, data):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")


def plain(path, data):
    path.write_bytes(data)


def legacy(path, data):
    torch.save({}, path, _use_new_zipfile_serialization=False)
    start = [
        pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    ]
    path.write_bytes(b"".join(start) + data)


@pytest.mark.parametrize("pack", [in_zip, plain, legacy])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_pickle_that_would_keep_the_unpickler_busy_is_not_opened(tmp_path, monkeypatch, name, pack):
    path = tmp_path / "hostile.bin"
    pack(path, HOSTILE[name]())
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was opened"))
    message = refusal(path)
    assert f"'{path}' was not opened: it " in message and "Use the original file" in message


@pytest.mark.parametrize("pack", [in_zip, plain])
def test_a_pickle_of_many_megabytes_is_not_opened(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(pickle_scan, "LARGEST_PICKLE", 10_000)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was opened"))
    pack(tmp_path / "long.bin", pickle.dumps({"k" * 20_000: 1}, protocol=2))
    assert "it takes more than 4 MB to describe its tensors" in refusal(tmp_path / "long.bin")


def test_a_key_of_a_megabyte_makes_no_message_of_a_megabyte(tmp_path):
    for state_dict in (
        {"k" * 10**6: torch.zeros(1)},
        {**nested(small_groups()), "k" * 10**6: torch.zeros(1)},
        {**nested(small_groups()), "image_proj": {"k" * 10**6: torch.zeros(1)}},
    ):
        message = refusal(write(tmp_path, state_dict, ".bin"), load_checkpoint)
        assert "kkk… (1,000,0" in message and len(message) < 2500


def test_a_dictionary_that_stands_in_many_others_is_no_checkpoint(tmp_path):
    inner = {f"b{number}": 0 for number in range(1000)}
    path = write(tmp_path, {f"a{number}": inner for number in range(1000)}, ".bin")
    for load in (load_checkpoint, load_weights):
        assert "holds more than 100,000 entries" in refusal(path, load)


def test_every_checkpoint_of_the_test_suite_is_far_below_the_limits(tmp_path, monkeypatch):
    path = write(tmp_path, flat(small_groups("sdxl")), ".bin")
    monkeypatch.setattr(pickle_scan, "LARGEST_PICKLE", 1_000_000)
    monkeypatch.setattr(pickle_scan, "MOST_ELEMENTS", 100_000)
    read_weights(path)


def test_numbers_as_keys_of_an_optimizer_are_no_reason_to_refuse(tmp_path):
    stored = {"optimizer": {"state": {0: {"step": 1}}}, "betas": (0.9, 0.999), **STORED}
    assert read_weights(write(tmp_path, stored, ".bin"))["optimizer"]["state"][0] == {"step": 1}


# ---------------------------------------------------------------- tensors that nothing can be computed with


def with_entry(value, key="adapter_modules.0.to_q_lora.down.weight"):
    state_dict = flat(small_groups())
    return {**state_dict, key: value(state_dict[key])}


def put(value):
    def change(tensor):
        tensor = tensor.clone()
        tensor[1, 2] = value
        return tensor

    return change


ODD_TENSORS = {
    "NaN": (put(float("nan")), "with values that are not numbers or infinite"),
    "infinite": (put(float("inf")), "with values that are not numbers or infinite"),
    "meta": (lambda tensor: tensor.to("meta"), "without values, on the meta device"),
    "sparse": (lambda tensor: tensor.to_sparse(), "sparse, torch.sparse_coo"),
    "one value repeated": (
        lambda tensor: tensor[:1, :1].clone().expand(tensor.shape),
        "with 4 bytes behind it",
    ),
    "8-bit floats": (lambda tensor: tensor.to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
}


@pytest.mark.filterwarnings("ignore:Sparse invariant")
@pytest.mark.parametrize("kind", ODD_TENSORS)
def test_an_adapter_with_a_tensor_that_cannot_be_used_names_it(tmp_path, kind):
    value, text = ODD_TENSORS[kind]
    message = refusal(write(tmp_path, with_entry(value), ".bin"), load_checkpoint)
    assert "holds tensors that cannot be used (1): adapter_modules.0.to_q_lora.down.weight (" in message
    assert text in message


@pytest.mark.parametrize("group", ["FacialEncoder.fuse_module.mlp1.fc1.weight", "image_proj.proj.0.weight"])
def test_every_group_is_looked_at(tmp_path, group):
    path = write(tmp_path, with_entry(put(float("nan")), group), ".safetensors")
    assert f"(1): {group} (" in refusal(path, load_checkpoint)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_value_among_many_is_found(dtype, value):
    tensor = torch.ones(300, 70, dtype=dtype)
    assert is_finite(tensor)
    tensor[217, 33] = value
    assert not is_finite(tensor)


def test_infinite_values_of_both_signs_do_not_cancel_out():
    assert not is_finite(torch.tensor([float("inf"), float("-inf"), 1.0]))


def test_a_sum_beyond_half_precision_is_no_fault():
    assert is_finite(torch.full((100,), 60_000.0, dtype=torch.float16))


# ---------------------------------------------------------------- quoting


def test_quotes_are_bounded_and_printable():
    assert quoted("adapter_modules.0.to_k_ip.weight") == "adapter_modules.0.to_k_ip.weight"
    assert (
        quoted("a\x1b[31m\nb\0")
        == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    )
    assert quoted("x" * 500, 10) == "xxxxxxxxxx… (500 characters)"
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
