import numpy as np
import pytest
import torch

from consistentid_core.faces.bisenet import BiSeNet, load_weights, parse_picture
from tools.standins import bisenet


@pytest.mark.parametrize("name", ["face_parsing.pth", "face_parsing.safetensors"])
def test_the_standin_loads_as_the_released_file_would(tmp_path, name):
    bisenet.write(tmp_path / name)
    weights = load_weights(tmp_path / name)
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert all((weights[key] > 0.5).all() for key in weights if key.endswith("running_var"))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    for name, seed in (("a.pth", 0), ("b.pth", 0), ("c.pth", 1)):
        bisenet.write(tmp_path / name, seed=seed)
    a, b, c = (
        load_weights(tmp_path / name)["conv_out.conv_out.weight"] for name in ("a.pth", "b.pth", "c.pth")
    )
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_parser_with_standin_weights_sees_several_classes(tmp_path):
    bisenet.write(tmp_path / "face_parsing.pth")
    model = BiSeNet().eval()
    model.load_state_dict(load_weights(tmp_path / "face_parsing.pth"))
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert len(np.unique(parse_picture(model, picture))) > 1
