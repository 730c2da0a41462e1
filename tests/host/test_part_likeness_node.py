"""Part Likeness as the host calls it: stand-ins for detector and parser, a small ViT, a small CLIP vision."""

import folder_paths
import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.errors import MissingModelError, NoFaceError
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.part_likeness import NO_DINO, PartLikeness
from consistentid_pack.nodes.previews.part_likeness import UI_KEY
from drawn_faces import draw
from transformers import ViTConfig, ViTModel

from tools.standins import insightface as standin

REGIONS = ["face", "eyes", "ears", "nose", "mouth"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    standin.write(root / "insightface" / "models" / "buffalo_l")
    torch.manual_seed(0)
    with torch.inference_mode(False):
        config = ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=64,
            initializer_range=0.25,
        )  # fmt: skip
        ViTModel(config, add_pooling_layer=False).save_pretrained(root / "dino" / "small-vit")
    (root / "dino" / "other").mkdir()
    (root / "dino" / "other" / "config.json").write_text('{"model_type": "clip"}')
    return root


@pytest.fixture(autouse=True)
def model_folder(models, monkeypatch, tmp_path):
    paths = {
        folders.INSIGHTFACE: ([str(models / "insightface")], set()),
        folders.DINO: ([str(models / "dino")], set()),
    }
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", paths)
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


#: Class id -> top, bottom, left, right in a 512x512 map of the square around a drawn face.
PLACES = {
    1: (130, 380, 150, 360),
    4: (215, 250, 190, 225),
    5: (215, 250, 285, 320),
    10: (260, 300, 240, 275),
    12: (320, 335, 220, 290),
    13: (335, 350, 220, 290),
}


class DrawnParser:
    """Knows where the parts of a drawn face are, since the square around it is twice as large.

    missing: ids of classes it does not see.
    """

    def __init__(self, *missing):
        self.missing = missing
        self.seen = []

    def parse(self, pictures, size):
        for picture in pictures:
            self.seen.append(picture.shape)
            label_map = np.zeros((size, size), np.uint8)
            for class_id, (top, bottom, left, right) in PLACES.items():
                if class_id not in self.missing:
                    label_map[top:bottom, left:right] = class_id
            yield label_map


@pytest.fixture
def parser():
    return DrawnParser()


@pytest.fixture(scope="module")
def clip_vision():
    """A small CLIP vision model of the host's own class."""
    import comfy.clip_vision

    config = {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "projection_dim": 24,
        "hidden_act": "quick_gelu",
        "image_size": 64,
        "patch_size": 16,
        "num_channels": 3,
    }
    model = comfy.clip_vision.ClipVisionModel(config)
    torch.manual_seed(0)
    with torch.no_grad():
        for value in model.model.parameters():
            value.copy_(torch.randn(value.shape) * 0.25)
    return model


def image(*pictures):
    return torch.from_numpy(np.stack(pictures)).float() / 255.0


ONE, OTHER = (draw(400, 400, (200, 200, 180), tint=tint) for tint in (0, 25))
NOBODY = draw(400, 400)


def compare(parser, photos, *pictures, dino="small-vit", **more):
    return PartLikeness.execute.__wrapped__(
        PartLikeness, face_parser=parser, photos=image(*photos), image=image(*pictures), dino=dino, **more
    )


def other_eyes(picture):
    changed = picture.copy()
    changed[165:195, 150:250] = (30, 60, 220)
    return changed


@pytest.mark.parametrize("crops", ["tight", "masked"])
def test_the_very_photo_scores_1_and_changed_eyes_cost_the_eyes_most(parser, crops):
    output = compare(parser, [ONE], ONE, other_eyes(ONE), crops=crops)
    scores, coverage, text = output.args
    assert scores[0] == pytest.approx(1, abs=1e-5) and scores[1] < scores[0] and coverage == [1, 1]
    same, changed = (entry["parts"] for entry in output.ui[UI_KEY])
    assert [part["region"] for part in same] == REGIONS
    assert [part["score"] for part in same if part["score"] is not None] == pytest.approx([1] * 4, abs=1e-4)
    losses = {part["region"]: 1 - part["score"] for part in changed if part["score"] is not None}
    assert max(losses, key=losses.get) in ("eyes", "face") and losses["eyes"] > 5 * losses["mouth"]
    assert f"({crops} crops)" in text and "coverage 100%" in text


def test_the_face_is_parsed_in_the_square_around_it(parser):
    compare(parser, [ONE], OTHER)
    (height, width, _), _ = parser.seen
    assert height == width and 300 < height < 400


def test_a_part_that_only_one_shows_is_not_compared(parser, tmp_path):
    class FirstOnly(DrawnParser):
        def parse(self, pictures, size):
            for number, picture in enumerate(pictures):
                self.missing = (10,) if number else ()
                yield from super().parse([picture], size)

    output = compare(FirstOnly(), [ONE], ONE)
    (entry,) = output.ui[UI_KEY]
    parts = {part["region"]: part for part in entry["parts"]}
    assert parts["nose"]["score"] is None and parts["nose"]["picture"] is None and parts["nose"]["reference"]
    assert output.args[1] == [3 / 4] == [entry["coverage"]]
    file = parts["mouth"]["picture"]
    assert (tmp_path / file["subfolder"] / file["filename"]).is_file()


def test_several_photos_are_averaged(parser):
    alone = [compare(parser, [photo], ONE).args[0][0] for photo in (ONE, OTHER)]
    assert compare(parser, [ONE, OTHER], ONE).args[0] == pytest.approx([np.mean(alone)], abs=1e-4)


def test_a_picture_without_a_face_scores_0_and_a_photo_without_one_is_an_error(parser):
    output = compare(parser, [ONE], NOBODY, ONE)
    assert output.args[0] == pytest.approx([0, 1], abs=1e-5) and output.args[1] == [0, 1]
    assert "picture 1: no part of a face" in output.args[2] and output.ui[UI_KEY][0]["mean"] is None
    with pytest.raises(NoFaceError, match=r"No face found in image 2 of 2 \(400x400\) of the person"):
        compare(parser, [ONE, NOBODY], ONE)
    with pytest.raises(NoFaceError, match="found no part of a face in 1 photos"):
        compare(DrawnParser(1, 4, 5, 10, 12, 13), [ONE], ONE)


def test_clip_vision_can_take_the_place_of_dino(parser, clip_vision):
    output = compare(parser, [ONE], ONE, OTHER, dino=NO_DINO, clip_vision=clip_vision)
    assert output.args[0][0] == pytest.approx(1, abs=1e-4) and output.args[0][1] < output.args[0][0]
    assert "CLIP vision" in output.args[2]


def test_the_list_holds_vits_and_what_is_missing_is_named(parser):
    options = PartLikeness.define_schema().inputs[3].options
    assert options == ["small-vit", NO_DINO]
    with pytest.raises(MissingModelError, match="nothing to compare parts with"):
        compare(parser, [ONE], ONE, dino=NO_DINO)
    with pytest.raises(MissingModelError, match="DINO model 'gone' not found"):
        compare(parser, [ONE], ONE, dino="gone")
