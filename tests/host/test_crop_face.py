"""Crop Face as the host calls it, with the detector's stand-in, and pasting back with the host's own nodes."""

import folder_paths
import numpy as np
import pytest
import torch
from comfy_extras.nodes_images import ImageCropV2
from comfy_extras.nodes_mask import ImageCompositeMasked
from comfy_extras.nodes_sdpose import CropByBBoxes
from consistentid_pack.consistentid_core.errors import NoFaceError
from consistentid_pack.nodes.crop import PHOTO_SHAPE, WHOLE_PHOTO, CropFace
from consistentid_pack.nodes.embedding import EmbedFace
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.previews.faces import CROPS_KEY, UI_KEY
from drawn_faces import draw

from nodes import ImageScale
from tools.standins import insightface as standin

#: A small face on the left, a larger one on the right.
GROUP = draw(800, 600, (200, 300, 80), (600, 300, 120))
PORTRAIT = draw(800, 600, (400, 300, 300))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    standin.write(root / "insightface" / "models" / "buffalo_l")
    return root


@pytest.fixture(autouse=True)
def model_folder(models, monkeypatch, tmp_path):
    """ComfyUI with nothing but the stand-ins, and a temp folder of its own."""
    paths = {folders.INSIGHTFACE: ([str(models / "insightface")], set())}
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", paths)
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))


def image(*pictures):
    return torch.from_numpy(np.stack(pictures)).float() / 255.0


def crop(*pictures, **inputs):
    """The outputs by name, and the entries of the view."""
    output = CropFace.execute(image=image(*pictures), **inputs)
    names = [slot.id for slot in CropFace.define_schema().outputs]
    entries = [{**one, "crop": cut} for one, cut in zip(output.ui[UI_KEY], output.ui[CROPS_KEY], strict=True)]
    return dict(zip(names, output.args, strict=True)), entries


def noisy(picture):
    """With something to tell pixels apart by."""
    speckle = np.random.default_rng(0).integers(0, 6, picture.shape)
    return (picture.astype(int) + speckle).clip(0, 255).astype(np.uint8)


def test_defaults_of_the_schema_are_those_of_the_call():
    given = {slot.id: slot.default for slot in CropFace.define_schema().inputs if slot.id != "image"}
    given["no_face"] = "error"
    assert torch.equal(crop(GROUP, **given)[0]["image"], crop(GROUP)[0]["image"])


def test_the_cut_out_is_a_square_around_the_largest_face():
    out, _ = crop(GROUP)
    assert out["image"].shape == (1, 512, 512, 3) and out["mask"].shape == (1, 512, 512)
    assert out["width"] == out["height"]
    assert out["x"] + out["width"] / 2 == pytest.approx(600, abs=8)
    assert out["y"] + out["height"] / 2 == pytest.approx(300, abs=8)
    assert out["width"] == pytest.approx(127 * 2.2, rel=0.1)  # the face with 0.6 of itself on each side


def test_order_and_index_count_the_faces_as_id_embedding_does():
    left = crop(GROUP, order="left_to_right")[0]
    second = crop(GROUP, face_index=1)[0]
    assert torch.equal(left["image"], second["image"]) and left["box"] == second["box"]
    for order, index in (("left_to_right", 0), ("large_to_small", 1)):
        (faces,) = EmbedFace.execute(image=image(GROUP), order=order, face_index=index).ui[UI_KEY]
        (ours,) = crop(GROUP, order=order, face_index=index)[1]
        assert ours["faces"] == faces["faces"] and ours["chosen"] == faces["chosen"]


def test_a_large_cut_out_is_taken_over_bit_for_bit():
    photo = noisy(GROUP)
    out, _ = crop(photo, smallest=0)
    x, y, width, height = (out[name] for name in ("x", "y", "width", "height"))
    assert torch.equal(out["image"], image(photo)[:, y : y + height, x : x + width])


@pytest.mark.parametrize("limits", [{"below_share": 0.3}, {"below_pixels": 200}])
def test_a_portrait_passes_untouched(limits):
    photo = image(PORTRAIT)
    output = CropFace.execute(image=photo, **limits)
    assert output.args[0] is photo
    assert output.args[2] == {"x": 0, "y": 0, "width": 800, "height": 600}
    assert (output.args[1] == 1.0).all()
    assert output.ui[CROPS_KEY][0]["box"] is None
    assert crop(GROUP, **limits)[0]["width"] < 400


def test_transparency_is_kept():
    photo = torch.cat([image(GROUP), torch.rand(1, 600, 800, 1)], dim=-1)
    assert CropFace.execute(image=photo).args[0].shape == (1, 512, 512, 4)


def test_the_view_shows_what_is_cut_and_how_large_the_face_was():
    _, (entry,) = crop(GROUP)
    left, top, right, bottom = entry["crop"]["box"]
    assert left < 600 / 800 < right and top < 0.5 < bottom
    assert entry["crop"]["share"] == pytest.approx(127 / 600, abs=0.02)


# --- pasting back ---------------------------------------------------------------------------------------------


def pasted(photo, out, cut_out):
    """With the host's own nodes, as the templates do."""
    (scaled,) = ImageScale().upscale(cut_out, "bicubic", out["width"], out["height"], "disabled")
    return ImageCompositeMasked.execute(image(photo), scaled, out["x"], out["y"], False, out["mask"]).args[0]


@pytest.mark.parametrize("shape", ["square", PHOTO_SHAPE])
def test_a_cut_out_pasted_back_gives_the_photo(shape):
    photo = noisy(GROUP)
    exact = crop(photo, shape=shape, smallest=0)[0]
    assert torch.allclose(pasted(photo, exact, exact["image"]), image(photo), atol=1e-6)
    enlarged = crop(GROUP, shape=shape, smallest=768)[0]
    assert (pasted(GROUP, enlarged, enlarged["image"]) - image(GROUP)).abs().mean() < 0.003


def test_a_changed_cut_out_leaves_no_seam_and_nothing_else_is_touched():
    out, _ = crop(GROUP)
    result = pasted(GROUP, out, torch.ones_like(out["image"]))[0]
    x, y, side = out["x"], out["y"], out["width"]
    assert (result[y + side // 2, x + side // 2] == 1.0).all()
    changed = (result != image(GROUP)[0]).any(-1).nonzero()
    assert changed.min(0).values.tolist() >= [y, x]
    assert (changed.max(0).values < torch.tensor([y + side, x + side])).all()
    across = result[y + side // 2, x - 4 : x + side + 4, 0]
    assert across.diff().abs().max() < 0.12  # a hard edge would be a step of 0.7


def test_the_hosts_nodes_take_the_box():
    photo = noisy(GROUP)
    out, _ = crop(photo, smallest=0)
    assert torch.equal(ImageCropV2.execute(image(photo), out["box"]).args[0], out["image"])
    two, _ = crop(photo, PORTRAIT, smallest=0)
    assert CropByBBoxes.execute(image(photo, PORTRAIT), two["box"], 64, 64, 0).args[0].shape == (2, 64, 64, 3)


# --- batches and awkward photos -------------------------------------------------------------------------------


def test_photos_of_a_batch_get_one_size():
    out, entries = crop(GROUP, PORTRAIT)
    largest = crop(PORTRAIT)[0]
    assert out["image"].shape == (2, *largest["image"].shape[1:])
    assert len(out["box"]) == len(entries) == 2 and out["box"][1] == [largest["box"]]


def test_beside_a_portrait_that_passes_a_cut_out_gets_its_size():
    out, _ = crop(GROUP, PORTRAIT, below_share=0.3)
    assert out["image"].shape == (2, 600, 800, 3)
    assert torch.equal(out["image"][1], image(PORTRAIT)[0])
    assert out["box"][0][0]["width"] < 800


def test_a_neighbour_in_the_cut_out_is_counted():
    close = draw(800, 600, (330, 300, 160), (470, 300, 80))
    assert crop(close, face_index=1, margin=2)[0]["face_index"] == 1
    assert crop(close, face_index=1, margin=0.1)[0]["face_index"] == 0
    out, _ = crop(close, face_index=1, margin=2)
    wanted = EmbedFace.execute(image=image(close), face_index=1).args[0].vector
    found = EmbedFace.execute(image=out["image"], face_index=out["face_index"]).args[0].vector
    other = EmbedFace.execute(image=image(close), face_index=0).args[0].vector
    assert (found @ wanted.T) > (found @ other.T)


def test_different_numbers_in_one_batch_are_said(caplog):
    close = draw(800, 600, (330, 300, 160), (470, 300, 80))
    far = draw(800, 600, (150, 300, 160), (650, 300, 80))
    crop(close, far, face_index=1, margin=1.5)
    assert "different numbers in their cut-outs (1, 0)" in caplog.text


def test_a_face_at_the_edge_is_cut_inside_the_photo():
    out, _ = crop(draw(800, 600, (40, 560, 160)), smallest=0)
    assert out["x"] == 0 and out["y"] + out["height"] == 600
    mask = out["mask"][0]
    assert mask[-1, 0] == 1.0 and mask[0, 0] < 0.01 and mask[-1, -1] < 0.01


def test_a_photo_without_a_face_is_an_error_or_passes():
    with pytest.raises(NoFaceError, match=r"No face found in image 2 of 2 \(800x600\)"):
        crop(GROUP, draw(800, 600))
    nobody = draw(800, 600)
    out, (entry,) = crop(nobody, no_face=WHOLE_PHOTO)
    assert torch.equal(out["image"], image(nobody))
    assert entry["crop"] == {"box": None, "share": None} and entry["chosen"] is None


def test_a_number_beyond_the_faces_says_how_many_there_are():
    with pytest.raises(NoFaceError, match=r"Face 2 was asked for, but the image \(800x600\) shows 2"):
        crop(GROUP, face_index=2)


def test_a_face_of_a_few_pixels_is_refused_in_words():
    with pytest.raises(NoFaceError, match=r"Face 0 of the image \(24x24\) is 1\d pixels large, too small"):
        crop(draw(24, 24, (12, 12, 13)), det_threshold=0.05)


@pytest.mark.parametrize("size", [(1, 1), (3, 200)])
def test_photos_of_no_size_can_pass(size):
    photo = torch.zeros(1, *size, 3)
    assert CropFace.execute(image=photo, no_face=WHOLE_PHOTO).args[0] is photo


def test_a_hundred_faces_are_counted_and_the_last_one_is_cut():
    places = [(60 + 80 * column, 60 + 80 * row, 44) for row in range(10) for column in range(10)]
    crowd = draw(840, 840, *places)
    out, (entry,) = crop(crowd, order="best_score (original)", margin=0.2)
    assert len(entry["faces"]) == 100
    last, _ = crop(crowd, face_index=99, margin=0.2)
    assert last["image"].shape == out["image"].shape
