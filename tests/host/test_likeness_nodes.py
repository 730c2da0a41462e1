"""Load Face Recogniser, Face Likeness, Likeness Gate as the host calls them, on real ONNX sessions."""

import shutil

import folder_paths
import numpy as np
import pytest
import real_faces
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from consistentid_pack.consistentid_core.errors import (
    CheckpointError,
    LikenessError,
    MissingModelError,
    NoFaceError,
)
from consistentid_pack.consistentid_core.identity.id_embedding import CONCAT, ONE_EACH, RGB, ZERO_VECTOR
from consistentid_pack.nodes.embedding import EmbedFace
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.likeness import FaceLikeness, LikenessGate, LoadFaceRecogniser
from consistentid_pack.nodes.previews.likeness import SCALE_KEY, UI_KEY
from drawn_faces import draw

from tools.standins import insightface as standin

JUDGE = "judge.onnx"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    standin.write(root / "insightface" / "models" / "buffalo_l")
    (root / "face_recognition").mkdir()
    shutil.copy(real_faces.folder() / "fr_feature.onnx", root / "face_recognition" / JUDGE)
    (root / "face_recognition" / "notes.txt").write_text("not a model")
    return root


@pytest.fixture(autouse=True)
def model_folder(models, monkeypatch, tmp_path):
    """ComfyUI with the stand-ins, a real second recogniser, and a temp folder of its own."""
    paths = {
        folders.INSIGHTFACE: ([str(models / "insightface")], set()),
        "face_recognition": ([str(models / "face_recognition")], set()),
    }
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", paths)
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def image(*pictures):
    return torch.from_numpy(np.stack(pictures)).float() / 255.0


#: Three "people": their skin differs, which the stand-in recogniser sees.
ONE, OTHER, THIRD = (draw(400, 400, (200, 200, 180), tint=tint) for tint in (0, 25, 12))
NOBODY = draw(400, 400)


def embedding(*pictures, **options):
    return EmbedFace.execute(image=image(*pictures), **options).args[0]


def likeness(*pictures, **inputs):
    return FaceLikeness.execute(image=image(*pictures), **inputs)


def test_the_very_photo_scores_1_and_another_face_less():
    output = likeness(ONE, OTHER, THIRD, id_embed=embedding(ONE))
    _, scores, best, mean, text = output.args
    assert scores[0] == pytest.approx(1, abs=1e-6) and scores[1] < scores[2] < 1
    assert best == scores[0] and mean == pytest.approx(np.mean(scores))
    assert f"picture 2: {scores[1]:.2f}" in text and "flatters" in text


def test_photos_and_an_embedding_of_them_say_the_same():
    by_photo = likeness(OTHER, THIRD, photos=image(ONE)).args[1]
    assert by_photo == pytest.approx(likeness(OTHER, THIRD, id_embed=embedding(ONE)).args[1], abs=1e-6)


def test_of_several_photos_the_best_or_the_mean_counts():
    alone = [likeness(ONE, photos=image(photo)).args[1][0] for photo in (OTHER, THIRD)]
    both = image(OTHER, THIRD)
    assert likeness(ONE, photos=both).args[1] == pytest.approx([max(alone)], abs=1e-6)
    assert likeness(ONE, photos=both, score="mean").args[1] == pytest.approx([np.mean(alone)], abs=1e-6)
    vectors = embedding(OTHER, THIRD, combine=CONCAT)
    assert likeness(ONE, id_embed=vectors).args[1] == pytest.approx([max(alone)], abs=1e-6)


def test_people_of_their_own_are_compared_each_with_its_picture():
    people = embedding(ONE, OTHER, combine=ONE_EACH)
    assert likeness(ONE, OTHER, id_embed=people).args[1] == pytest.approx([1, 1], abs=1e-6)
    assert max(likeness(OTHER, ONE, id_embed=people).args[1]) < 0.999


def test_an_embedding_made_the_original_s_way_is_compared_that_way():
    assert likeness(ONE, id_embed=embedding(ONE, channel_order=RGB)).args[1] == pytest.approx([1], abs=1e-6)


def test_a_judge_of_its_own_decides_and_the_conditioner_is_told_beside():
    judge = LoadFaceRecogniser.execute(JUDGE).args[0]
    output = likeness(ONE, OTHER, photos=image(ONE), recogniser=judge)
    assert output.args[1][0] == pytest.approx(1, abs=1e-6)
    assert "Likeness by judge" in output.args[4] and "w600k_r50" in output.args[4]
    first, second = output.ui[SCALE_KEY][0]["recognisers"]
    assert (first["name"], first["flatters"]) == ("judge", False)
    assert (second["name"], second["flatters"]) == ("w600k_r50", True)
    other = likeness(OTHER, photos=image(ONE)).args[1][0]
    assert output.ui[UI_KEY][1]["scores"][1]["best"] == pytest.approx(other, abs=1e-4)
    assert output.args[1][1] != pytest.approx(other, abs=1e-3)


def test_the_conditioner_loaded_as_a_judge_still_flatters(models):
    name = "models/buffalo_l/w600k_r50.onnx"
    judge = LoadFaceRecogniser.execute(name).args[0]
    (scale,) = likeness(ONE, photos=image(ONE), recogniser=judge).ui[SCALE_KEY]
    assert [one["flatters"] for one in scale["recognisers"]] == [True, True]


def test_a_judge_s_levels_come_from_the_person_s_own_photos():
    (scale,) = likeness(ONE, photos=image(ONE, OTHER, THIRD)).ui[SCALE_KEY]
    same, other = scale["recognisers"][0]["levels"]
    assert (same["kind"], same["pairs"]) == ("same", 3) and same["low"] < same["typical"] < same["high"]
    assert (other["kind"], other["pairs"], other["typical"]) == ("other", 0, 0.05)
    assert (same["source"], other["source"]) == ("", "ArcFace, 512 numbers")
    text = likeness(ONE, photos=image(ONE, OTHER, THIRD)).args[4]
    assert "measured on 3 pairs" in text
    assert "not measured: usual for networks such as ArcFace, 512 numbers" in text


def test_a_picture_without_a_face_counts_0_or_stops():
    output = likeness(ONE, NOBODY, id_embed=embedding(ONE))
    assert output.args[1] == pytest.approx([1, 0], abs=1e-6)
    assert "picture 2: no face, counted as 0" in output.args[4]
    assert output.ui[UI_KEY][1]["chosen"] is None and output.ui[UI_KEY][1]["scores"] == []
    with pytest.raises(NoFaceError, match="1 of 2 pictures show no face: 2"):
        likeness(ONE, NOBODY, id_embed=embedding(ONE), no_face="error")


def test_of_several_faces_the_largest_or_the_most_alike_is_compared():
    both = ONE.copy()
    both[:, :200] = draw(400, 400, (100, 200, 100), tint=25)[:, :200]
    both[:, 200:] = draw(400, 400, (300, 200, 150))[:, 200:]
    small = draw(400, 400, (200, 200, 150), tint=25)
    reference = embedding(small)
    largest, alike = (
        likeness(both, id_embed=reference, which_face=which) for which in ("largest", "most alike")
    )
    assert len(largest.ui[UI_KEY][0]["faces"]) == 2
    assert (largest.ui[UI_KEY][0]["chosen"], alike.ui[UI_KEY][0]["chosen"]) == (0, 1)
    assert alike.args[1][0] > largest.args[1][0]


def test_the_person_of_a_group_photo_is_chosen_as_in_id_embedding():
    group = draw(800, 400, (200, 200, 180), (600, 200, 120))
    group[:, 400:] = draw(800, 400, (600, 200, 120), tint=25)[:, 400:]
    for index in (0, 1):
        by_embedding = likeness(ONE, id_embed=embedding(group, face_index=index)).args[1]
        assert likeness(ONE, photos=image(group), face_index=index).args[1] == pytest.approx(
            by_embedding, abs=1e-6
        )
    with pytest.raises(NoFaceError, match="Face 2 was asked for, but the image .* of the person shows 2"):
        likeness(ONE, photos=image(group), face_index=2)
    with pytest.raises(NoFaceError, match=r"No face found in image 2 of 2 \(400x400\) of the person"):
        likeness(ONE, photos=image(ONE, NOBODY))


def test_the_pictures_can_come_best_first():
    plain = likeness(OTHER, ONE, THIRD, id_embed=embedding(ONE))
    ranked = likeness(OTHER, ONE, THIRD, id_embed=embedding(ONE), best_first=True)
    assert torch.equal(plain.args[0], image(OTHER, ONE, THIRD))
    assert torch.equal(ranked.args[0], image(ONE, THIRD, OTHER))
    assert ranked.args[1] == sorted(plain.args[1], reverse=True)
    assert [entry["score"] for entry in ranked.ui[UI_KEY]] == [round(score, 4) for score in ranked.args[1]]


def test_the_view_gets_boxes_scores_and_levels(tmp_path):
    output = likeness(*[ONE] * 17, id_embed=embedding(ONE))
    entries = output.ui[UI_KEY]
    assert len(entries) == 16 and entries[0]["total"] == 17
    (scale,) = output.ui[SCALE_KEY]
    assert scale["scores"] == [1] * 17
    left, top, right, bottom = entries[0]["faces"][entries[0]["chosen"]]["box"]
    assert 0 < left < 0.5 < right < 1 and 0 < top < 0.5 < bottom < 1
    assert (tmp_path / entries[0]["photo"]["subfolder"] / entries[0]["photo"]["filename"]).is_file()


def test_nobody_to_compare_with_is_named():
    with pytest.raises(ValueError, match="nobody to compare with"):
        likeness(ONE)
    with pytest.raises(ValueError, match="stands for nobody"):
        likeness(ONE, id_embed=embedding(NOBODY, no_face=ZERO_VECTOR))
    judge = LoadFaceRecogniser.execute(JUDGE).args[0]
    with pytest.raises(ValueError, match="A recogniser is connected, but no photos"):
        likeness(ONE, id_embed=embedding(ONE), recogniser=judge)
    with pytest.raises(ValueError, match="Expected an IMAGE of shape"):
        FaceLikeness.execute(image=torch.zeros(0, 8, 8, 3), id_embed=embedding(ONE))


def test_the_loader_lists_onnx_files_and_refuses_other_networks(models):
    schema = LoadFaceRecogniser.define_schema()
    files = schema.inputs[0].options
    assert files[0] == JUDGE == schema.inputs[0].default and "notes.txt" not in files
    detector = next(file for file in files if file.endswith("det_10g.onnx"))
    with pytest.raises(CheckpointError, match="another kind of network than a face recogniser"):
        LoadFaceRecogniser.execute(detector)
    with pytest.raises(MissingModelError, match="'gone.onnx' not found"):
        LoadFaceRecogniser.execute("gone.onnx")
    before = LoadFaceRecogniser.fingerprint_inputs(JUDGE)
    (models / "face_recognition" / JUDGE).touch()
    assert LoadFaceRecogniser.fingerprint_inputs(JUDGE) != before


# ---------------------------------------------------------------- Likeness Gate

EIGHT = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 2, 2, 3) / 8
SCORES = [0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4, 0.0]


def gate(*, image=(EIGHT,), scores=SCORES, keep="best", threshold=0.5, count=2, **more):
    return LikenessGate.execute(
        image=list(image), scores=scores, keep=[keep], threshold=[threshold], count=[count], **more
    ).args


def test_the_best_few_pass_the_best_first():
    (accepted,), (rejected,), scores, passed, held, *_, text = gate()
    assert torch.equal(accepted, EIGHT[[1, 5]]) and torch.equal(rejected, EIGHT[[0, 2, 3, 4, 6, 7]])
    assert (scores, passed, held) == ([0.9, 0.8], 2, 6)
    assert text.startswith("2 of 8 pictures passed.\naccepted: 2 (0.90), 6 (0.80)")


def test_a_threshold_lets_everything_pass_that_reaches_it():
    (accepted,), _, scores, passed, held, *_ = gate(keep="threshold", threshold=0.7, best_first=[False])
    assert torch.equal(accepted, EIGHT[[1, 3, 5]])
    assert (scores, passed, held) == ([0.9, 0.7, 0.8], 3, 5)


def test_latents_and_masks_of_the_accepted_go_along():
    latent = {
        "samples": torch.arange(8.0).view(8, 1, 1, 1),
        "noise_mask": torch.arange(8.0).view(8, 1, 1) / 8,
        "batch_index": list(range(10, 18)),
        "downscale_ratio_spacial": 8,
    }
    mask = torch.arange(8.0).view(8, 1, 1)
    output = gate(latent=[latent], mask=[mask])
    ((out,), (masks,)) = output[5:7]
    assert out["samples"].flatten().tolist() == [1, 5] and out["batch_index"] == [11, 15]
    assert out["noise_mask"].flatten().tolist() == [1 / 8, 5 / 8] and out["downscale_ratio_spacial"] == 8
    assert masks.flatten().tolist() == [1, 5]


def test_pictures_of_a_list_may_differ_in_size_and_stay_a_list():
    sizes = [torch.full((2, side, side, 3), side / 10) for side in (2, 3, 4)]
    accepted, rejected, *_ = gate(image=sizes, scores=[0.1, 0.9, 0.2, 0.3, 0.8, 0.7], count=3)
    assert [tuple(batch.shape[:2]) for batch in accepted] == [(1, 2), (2, 4)]
    assert [tuple(batch.shape[:2]) for batch in rejected] == [(1, 2), (2, 3)]


def test_of_a_list_all_outputs_come_in_one_order():
    """Pictures one by one or in batches, the latents all in one: row by row they belong together."""
    latent, mask = {"samples": torch.arange(8.0).view(8, 1, 1, 1)}, torch.arange(8.0).view(8, 1, 1)
    for image in (EIGHT.split(1), EIGHT.split(3), (EIGHT,)):
        accepted, _, scores, *_, latents, masks, _ = gate(image=image, count=4, latent=[latent], mask=[mask])
        assert scores == [0.9, 0.8, 0.7, 0.4]
        assert torch.equal(torch.cat(accepted), EIGHT[[1, 5, 3, 6]])
        assert torch.cat([one["samples"] for one in latents]).flatten().tolist() == [1, 5, 3, 6]
        assert torch.cat(masks).flatten().tolist() == [1, 5, 3, 6]


def test_what_is_not_there_is_not_handed_on():
    _, rejected, *_ = gate(count=8)
    assert isinstance(rejected[0], ExecutionBlocker) and rejected[0].message is None
    latent, mask = gate()[5:7]
    for (blocked,), name in ((latent, "latent"), (mask, "mask")):
        assert f"only if its input {name} is connected" in blocked.message


def test_nothing_that_passes_is_an_error_or_lets_all_pass():
    with pytest.raises(
        LikenessError, match=r"None of 8 pictures reaches the threshold 0.95; the best has 0.90"
    ):
        gate(keep="threshold", threshold=0.95)
    (accepted,), _, _, passed, held, *_ = gate(
        keep="threshold", threshold=0.95, nothing_passes=["let all pass"], best_first=[False]
    )
    assert torch.equal(accepted, EIGHT) and (passed, held) == (8, 0)


def test_numbers_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="3 scores came with 8 pictures"):
        gate(scores=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="4 masks came with 8 scores"):
        gate(mask=[torch.zeros(4, 2, 2)])
    with pytest.raises(ValueError, match="2 latents came with 8 scores"):
        gate(latent=[{"samples": torch.zeros(2, 4, 2, 2)}])
    with pytest.raises(ValueError, match="expected a number from -1.0 to 1.0, got nan"):
        gate(scores=[float("nan")] * 8)


def test_scores_of_face_likeness_drive_the_gate():
    pictures, scores, *_ = likeness(OTHER, ONE, THIRD, id_embed=embedding(ONE)).args
    (accepted,), *_ = gate(image=[pictures], scores=scores, count=1)
    assert torch.equal(accepted, image(ONE))
