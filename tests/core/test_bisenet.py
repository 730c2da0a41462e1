import json

import numpy as np
import pytest
import torch
from golden_set import REFERENCE, manifest, normal, state_dict, tensors
from safetensors.torch import save_file

from consistentid_core.errors import CheckpointError
from consistentid_core.faces.bisenet import BiSeNet, check_weights, load_weights, parse_picture
from consistentid_core.families import FAMILIES
from consistentid_core.regions import CLASSES


@pytest.fixture(scope="module")
def shapes():
    return json.loads((REFERENCE / "bisenet_keys.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def weights(shapes):
    return state_dict(shapes, "bisenet.")


@pytest.fixture(scope="module")
def model(weights):
    model = BiSeNet().eval()
    model.load_state_dict(weights)
    return model


@pytest.fixture(scope="module")
def pixels():
    return normal("bisenet.x", (1, 3, *tensors("bisenet")["labels"].shape[1:]))


def test_parameters_have_the_names_and_shapes_of_the_released_file(shapes):
    ours = {key: list(value.shape) for key, value in BiSeNet(device="meta").state_dict().items()}
    assert ours == shapes


def test_logits_equal_the_originals(model, pixels):
    with torch.no_grad():
        logits = model(pixels)
    torch.testing.assert_close(logits, tensors("bisenet")["logits"], atol=1e-5, rtol=1e-5)
    assert torch.equal(logits.argmax(1).to(torch.uint8), tensors("bisenet")["labels"])


def test_auxiliary_heads_equal_the_originals(model, pixels):
    assert "every 8th pixel" in manifest("bisenet")["outputs"]
    with torch.no_grad():
        heads = model.auxiliary(pixels)
    for logits, key in zip(heads, ("logits16_grid", "logits32_grid"), strict=True):
        torch.testing.assert_close(logits[:, :, ::8, ::8], tensors("bisenet")[key], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [row.parse_size for row in FAMILIES.values()])
def test_parsing_gives_a_square_label_map_whatever_the_pictures_shape(model, size):
    picture = np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)
    label_map = parse_picture(model, picture, size)
    assert label_map.shape == (size, size) and label_map.dtype == np.uint8
    assert label_map.max() < len(CLASSES)


def test_parsing_labels_each_pixel_with_the_class_of_the_highest_logit(model):
    picture = np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = ((torch.from_numpy(picture) / 255 - mean) / std).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = model(pixels).argmax(1)[0].numpy()
    assert (parse_picture(model, picture) == expected).mean() > 0.9999


@pytest.mark.parametrize("name", ["parser.pth", "parser.safetensors"])
def test_a_saved_file_loads_as_it_was(weights, tmp_path, name):
    path = tmp_path / name
    save_file(weights, path) if name.endswith("safetensors") else torch.save(weights, path)
    loaded = load_weights(path)
    assert all(torch.equal(loaded[key], value) for key, value in weights.items())


def test_the_file_format_of_old_torch_versions_loads(weights, tmp_path):
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert load_weights(tmp_path / "old.pth").keys() == weights.keys()


def test_half_precision_and_a_module_prefix_and_missing_counters_are_accepted(weights):
    kept = {key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")}
    variant = {f"module.{key}": value.half() for key, value in kept.items()}
    loaded = check_weights(variant, source="variant.pth")
    BiSeNet().load_state_dict(loaded)
    assert loaded["cp.resnet.conv1.weight"].dtype == torch.float32


def test_missing_unexpected_and_misshapen_keys_are_listed(weights):
    broken = dict(weights)
    del broken["ffm.conv1.weight"]
    broken["surplus"] = torch.zeros(1)
    broken["conv_out.conv_out.weight"] = torch.zeros(11, 256, 1, 1)
    with pytest.raises(CheckpointError) as error:
        check_weights(broken, source="broken.pth")
    message = str(error.value)
    for text in ("broken.pth", "ffm.conv1.weight", "surplus", "(11, 256, 1, 1) instead of (19, 256, 1, 1)"):
        assert text in message


class RunsCode:
    def __reduce__(self):
        return print, ("pickled code ran",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    torch.save({"x": RunsCode()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="evil.pth.*would run print, which is refused"):
        load_weights(tmp_path / "evil.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
def test_a_truncated_file_is_reported_as_damaged(weights, tmp_path, name):
    path = tmp_path / name
    save_file(weights, path) if name.endswith("safetensors") else torch.save(weights, path)
    path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(CheckpointError, match=rf"{name}' is 1000000 bytes that cannot be decoded"):
        load_weights(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save([1, 2, 3], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds a list"):
        load_weights(tmp_path / "list.pth")


@pytest.mark.parametrize("wrapping", ["model.", "module.", "_orig_mod.", "state_dict."])
def test_what_trainers_put_before_all_keys_is_accepted(weights, wrapping):
    loaded = check_weights(
        {f"{wrapping}{key}": value for key, value in weights.items()}, source="wrapped.pth"
    )
    assert loaded.keys() == weights.keys()


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (["FacialEncoder.visual_projection.latents", "image_proj.norm.weight"], "a ConsistentID file"),
        (["state_dict.adapter_modules.0.to_q_lora.down.weight", "epoch"], "a ConsistentID file"),
        (["model.diffusion_model.out.2.bias", "first_stage_model.a"], "a Stable Diffusion checkpoint"),
        (["segformer.encoder.a"], "a SegFormer network"),
    ],
)
def test_a_file_of_another_kind_is_named_before_its_keys(keys, kind):
    with pytest.raises(CheckpointError) as error:
        check_weights(dict.fromkeys(keys, torch.zeros(1)), source="other.bin")
    message = str(error.value)
    assert message.startswith(
        f"'other.bin' is {kind}, not a face parser: choose 'face_parsing.pth' (53,289,463 bytes), also called "
        "79999_iter.pth or parsing_bisenet.pth. Its keys are "
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_no_numbers_are_refused_by_name(weights, value):
    broken = {**weights, "cp.resnet.bn1.weight": weights["cp.resnet.bn1.weight"].clone()}
    broken["cp.resnet.bn1.weight"][3] = value
    with pytest.raises(
        CheckpointError, match=r"\(1\): cp.resnet.bn1.weight \(with values that are not numbers"
    ):
        check_weights(broken, source="broken.pth")


def test_eight_bit_floats_are_converted(weights):
    small = {
        key: value.to(torch.float8_e4m3fn) if value.dim() == 4 else value for key, value in weights.items()
    }
    assert check_weights(small, source="small.pth")["cp.resnet.conv1.weight"].dtype == torch.float32


def test_keys_that_are_no_texts_are_named_by_their_type(weights):
    with pytest.raises(CheckpointError, match=r"1 keys are unexpected \(\(int\)\)"):
        check_weights({**weights, 7: torch.zeros(1)}, source="seven.pth")
