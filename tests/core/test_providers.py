"""What face recognition computes on: ``auto`` follows the device of everything else."""

from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest
import torch

from consistentid_core.errors import MissingDependencyError
from consistentid_core.identity import providers
from consistentid_core.identity.providers import PROVIDERS, choose_provider, clashing_builds, provider_options


@pytest.fixture
def offering():
    """An onnxruntime that offers these."""

    def make(*names):
        full = [PROVIDERS.get(name, name) for name in (*names, "CPU")]
        return SimpleNamespace(get_available_providers=lambda: full, __version__="1.20")

    return make


@pytest.fixture
def installed(monkeypatch):
    """Says which packages pip has installed."""
    packages = {}

    def version(name):
        if name not in packages:
            raise PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(providers, "version", version)
    return packages


@pytest.mark.parametrize(
    ("device", "offered", "expected"),
    [
        ("cpu", ("CUDA", "DirectML"), "CPU"),  # ComfyUI runs with --cpu
        ("cuda:1", ("CUDA",), "CUDA"),
        ("cuda:0", ("ROCm",), "ROCm"),
        ("cuda:0", (), "CPU"),
        ("cuda:0", ("DirectML",), "CPU"),
        ("privateuseone:0", ("DirectML", "CUDA"), "DirectML"),
        ("mps", ("CoreML",), "CPU"),
        ("xpu:0", ("OpenVINO", "CUDA"), "CPU"),
        (None, ("TensorrtExecutionProvider", "CUDA"), "CUDA"),
        (None, ("AzureExecutionProvider",), "CPU"),
    ],
)
def test_auto_follows_the_device(offering, device, offered, expected):
    assert choose_provider(offering(*offered), "auto", device and torch.device(device)) == expected


def test_a_named_provider_is_taken_whatever_the_device(offering):
    assert choose_provider(offering("CUDA"), "CUDA", torch.device("cpu")) == "CUDA"


def test_a_provider_this_onnxruntime_lacks_is_refused_naming_what_it_has(offering, installed):
    with pytest.raises(MissingDependencyError, match="has no CUDA; it has: CPU.*present one.$"):
        choose_provider(offering(), "CUDA")


def test_an_unknown_provider_is_refused(offering):
    with pytest.raises(ValueError, match="Unknown provider 'Abacus'"):
        choose_provider(offering(), "Abacus")


@pytest.mark.parametrize(
    ("provider", "device", "index"),
    [
        ("CUDA", "cuda:1", "1"),
        ("CUDA", "cuda", "0"),
        ("CUDA", "cpu", "0"),
        ("CUDA", None, "0"),
        ("ROCm", "cuda:2", "2"),
        ("DirectML", "privateuseone:1", "1"),
        ("DirectML", "cuda:1", "0"),
    ],
)
def test_a_graphics_card_is_the_one_of_the_device(provider, device, index):
    assert provider_options(provider, device and torch.device(device))["device_id"] == index


def test_the_memory_of_cuda_grows_by_what_is_asked_for():
    assert provider_options("CUDA", torch.device("cuda"))["arena_extend_strategy"] == "kSameAsRequested"


def test_the_cpu_needs_no_options():
    assert provider_options("CPU", torch.device("cuda:1")) == {}


def test_one_build_clashes_with_nothing(installed):
    for packages in ([], ["onnxruntime"], ["onnxruntime-gpu"]):
        installed.clear()
        installed.update(dict.fromkeys(packages, "1.20"))
        assert clashing_builds() == ""


def test_two_builds_are_named_where_something_is_missing(offering, installed):
    installed.update(dict.fromkeys(["onnxruntime", "onnxruntime-gpu"], "1.20"))
    both = "onnxruntime and onnxruntime-gpu are installed over each other.*pip uninstall onnxruntime onnxruntime-gpu"
    with pytest.raises(MissingDependencyError, match=both):
        choose_provider(offering(), "CUDA")
