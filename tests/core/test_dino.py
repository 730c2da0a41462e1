"""DINO from a folder: what is accepted and refused, and what the network sees. A small ViT of the same class."""

import json

import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTModel

from consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_core.evaluation.dino import is_dino_folder, load_dino


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=64,
        patch_size=16,
        initializer_range=0.25,
    )
    return ViTModel(config, add_pooling_layer=False)


@pytest.fixture
def folder(tmp_path, network):
    network.save_pretrained(tmp_path / "dino")
    return tmp_path / "dino"


def test_the_vector_is_the_class_token_of_the_normalised_picture(folder, network):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    encoder = load_dino(folder)
    pixels = (picture / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.no_grad():
        expected = network.eval()(torch.tensor(pixels).float().permute(2, 0, 1)[None]).last_hidden_state[0, 0]
    np.testing.assert_allclose(encoder.encode([picture])[0], expected, atol=1e-4)
    assert (encoder.name, encoder.size, len(encoder.sha256)) == ("dino", 24, 64)


def test_a_batch_says_what_its_pictures_say_alone(folder):
    encoder = load_dino(folder)
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (20 + n, 90 - n, 3), np.uint8) for n in range(35)]
    together = encoder.encode(pictures)
    np.testing.assert_allclose(together[[0, 34]], encoder.encode([pictures[0], pictures[34]]), atol=1e-4)
    assert encoder.encode([]).shape == (0, 24)


def test_as_evaluated_the_ends_of_a_long_picture_are_not_seen(folder):
    encoder = load_dino(folder)
    picture = np.random.default_rng(2).integers(0, 256, (64, 256, 3), np.uint8)
    other = picture.copy()
    other[:, :60] = 0
    assert not np.allclose(*encoder.encode([picture, other]), atol=1e-3)
    np.testing.assert_allclose(*encoder.encode([picture, other], whole=False), atol=1e-4)


def test_what_is_no_dino_is_named(folder, tmp_path):
    with pytest.raises(MissingModelError, match="no config.json"):
        load_dino(tmp_path / "nowhere")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    with pytest.raises(MissingModelError, match="No weights of DINO"):
        load_dino(folder)
    (folder / "other.safetensors").rename(folder / "model.safetensors")
    assert is_dino_folder(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(CheckpointError, match="type 'clip', expected 'vit'"):
        load_dino(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="no readable JSON"):
        load_dino(folder)
    assert not is_dino_folder(folder) and not is_dino_folder(tmp_path)


def test_damaged_or_missing_weights_are_named(folder, network):
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be loaded as DINO"):
        load_dino(folder)
    state = {key: value for key, value in network.state_dict().items() if "layernorm" not in key}
    from safetensors.torch import save_file

    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="lacks .* weights of a ViT"):
        load_dino(folder)
