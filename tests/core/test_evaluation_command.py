"""The command, from people to report and comparison, with networks from files: small ones of the true classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_data import WORKFLOW, metric, save, small_plan, write_people
from fake_server import FakeServer
from portrait_data import photo
from safetensors.torch import save_file

from consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_core.evaluation.__main__ import main
from consistentid_core.evaluation.clip import load_clip
from consistentid_core.evaluation.features import extractors_of
from consistentid_core.evaluation.inception import load_inception
from consistentid_core.evaluation.networks import Files, load_networks
from consistentid_core.evaluation.perceptual import load_perceptual
from consistentid_core.evaluation.plan import read_plan
from consistentid_core.evaluation.result import read_result
from consistentid_core.evaluation.run import picture_of
from tools import judges
from tools.standins import bisenet, insightface


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    """Stand-ins of everything but the Inception network, whose true size is no matter of seconds."""
    folder = tmp_path_factory.mktemp("stand-in")
    buffalo = folder / "insightface" / "models" / "buffalo_l"
    buffalo.mkdir(parents=True)
    insightface.write(buffalo)
    parser = folder / "face_parsing.safetensors"
    bisenet.write(parser, seed=2)
    tokenizer = folder / "tokenizer"
    write_tokenizer(tokenizer)
    return Files(
        insightface=folder / "insightface",
        recognisers=(judges.write_recogniser(folder),),
        face_parser=parser,
        dino=judges.write_dino(folder),
        clips=(judges.write_clip(folder, tokenizer),),
        lpips=judges.write_alexnet(folder),
    )


def write_tokenizer(folder: Path) -> None:
    """CLIP's form of a tokenizer, with single letters for words."""
    folder.mkdir()
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def options_of(files: Files) -> list[str]:
    return [
        *("--insightface", str(files.insightface)),
        *("--recogniser", *map(str, files.recognisers)),
        *("--face-parser", str(files.face_parser)),
        *("--dino", str(files.dino)),
        *("--clip", *map(str, files.clips)),
        *("--lpips", str(files.lpips)),
    ]


def run_all(folder, files, name="run", *extra):
    """From people to scores; the server's pictures are replaced by photos, so that there are faces in them.

    What networks said of the photos in the first run serves the second.
    """
    run = folder / name
    assert main(["plan", str(folder / "people"), str(run), "--workflow", str(WORKFLOW), "--protocol", "own",
                 "--prompts", str(folder / "prompts.txt"), *extra]) == 0  # fmt: skip
    with FakeServer() as server:
        assert main(["run", str(run), "--server", server.url]) == 0
    for number, job in enumerate(read_plan(run).jobs):
        drawn = picture_of(run, job)
        save(drawn, photo(number % 3))
        note = json.loads(drawn.with_suffix(".json").read_text())
        drawn.with_suffix(".json").write_text(json.dumps(note | {"bytes": drawn.stat().st_size}))
    if (known := folder / "run" / "features").is_dir():
        shutil.copytree(known, run / "features")
    assert main(["score", str(run), *options_of(files)]) == 0
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("runs")
    for number, name in enumerate(("anna", "ben")):
        save(folder / "people" / name / "0.png", photo(number))
        save(folder / "people" / name / "1.png", photo(number + 5))
    (folder / "prompts.txt").write_text("# hats\n{person} in a hat\n{person} in a cap\n")
    return run_all(folder, files), run_all(folder, files, "other", "--set", "steps=3")


def test_from_people_to_scores_with_networks_from_files(runs, files):
    result = read_result(runs[0])
    keys = {one["key"].split("/")[0] for one in result["metrics"]}
    assert keys >= {
        "detection_rate", "face_share", "top1", "rank", "face_sim", "face_sim_other", "copy_paste", "fgis",
        "fgis_coverage", "clip_t", "clip_i", "clip_before_after", "dino", "diversity", "seconds_warm",
    }  # fmt: skip
    assert metric(result, "detection_rate").found["mean"] == 1.0
    assert {one["metric"] for one in result["not_computed"]} == {
        "FID, KID",
        "ID-Conf",
        "right person among the first 10",
    }
    assert "stand-in-clip" in result["warnings"][0]
    assert len({one["sha256"] for one in result["networks"]}) == len(result["networks"]) == 7
    # A picture that is the reference itself scores 1 with any network.
    same = [
        one for one in result["pictures"] if one["person"] == "anna" and one["name"].endswith("hats_01_1")
    ]
    assert same[0]["values"]["face_sim/stand-in-recogniser"] == pytest.approx(1, abs=1e-5)
    assert same[0]["values"]["fgis/tight"] == pytest.approx(1, abs=1e-5)
    assert same[0]["values"]["dino/stand-in-dino"] == pytest.approx(1, abs=1e-5)


def test_the_report_and_the_comparison_are_written(runs, tmp_path, capsys):
    assert main(["report", str(runs[0]), "--output", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.html",
        "metrics.csv",
        "pictures.csv",
        "scores.json",
    }
    assert main(["compare", *map(str, runs), "--output", str(tmp_path / "both.json")]) == 0
    said = capsys.readouterr().out
    assert "4 pairs of pictures with the same person, prompt and seed" in said
    assert json.loads((tmp_path / "both.json").read_text())["settings"] == {"steps": [None, 3]}


def test_options_stand_in_a_file_and_paths_may_have_spaces(runs, files, tmp_path, capsys):
    options = tmp_path / "my networks.txt"
    folder = tmp_path / "with space"
    folder.symlink_to(files.insightface)
    options.write_text(f"# faces\n--insightface {folder}\n\n--recogniser {files.recognisers[0]}\n")
    assert main(["score", str(runs[0]), f"@{options}", "--output", str(tmp_path / "scores.json")]) == 0
    assert "not computed: CLIP-T, CLIP-I: weights not given (--clip)" in capsys.readouterr().err
    assert metric(read_result(tmp_path), "face_sim/stand-in-recogniser").found["n"] == 4


def test_a_run_with_something_missing_says_so_by_its_exit_code(tmp_path, capsys):
    from consistentid_core.evaluation.plan import write_plan

    write_plan(tmp_path / "run", small_plan(tmp_path / "people"))
    with FakeServer(fails=lambda workflow: True) as server:
        assert main(["run", str(tmp_path / "run"), "--server", server.url]) == 2
    assert "No face found." in capsys.readouterr().out


def test_bad_photos_end_a_plan_unless_they_may_be_left_out(tmp_path, capsys):
    write_people(tmp_path / "people")
    (tmp_path / "people" / "anna" / "1.png").write_bytes(b"half")
    command = ["plan", str(tmp_path / "people"), str(tmp_path / "run"), "--workflow", str(WORKFLOW)]
    assert main(command) == 1
    assert "anna/1.png" in capsys.readouterr().err
    assert main([*command, "--skip-unusable"]) == 0
    assert "these are 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "{folder}/missing", "{folder}/run", "--workflow", str(WORKFLOW)], "is no folder"),
        (["plan", "{folder}/people", "{folder}/run", "--workflow", "{folder}/none.json"], "cannot be read"),
        (
            ["plan", "{folder}/people", "{folder}/run", "--workflow", str(WORKFLOW), "--set", "steps"],
            "steps=20",
        ),
        (
            ["plan", "{folder}/people", "{folder}/run", "--workflow", str(WORKFLOW), "--pictures", "0"],
            "1 or more",
        ),
        (
            ["plan", "{folder}/people", "{folder}/run", "--workflow", str(WORKFLOW), "--protocol", "own"],
            "--prompts",
        ),
        (["run", "{folder}"], "Make a plan first"),
        (["run", "{folder}", "--server", "ftp://x"], "Make a plan first"),
        (["score", "{folder}/people"], "neither a run"),
        (["report", "{folder}"], "Score the pictures first"),
        (["compare", "{folder}", "{folder}"], "Score the pictures first"),
    ],
)
def test_mistakes_end_in_one_sentence(tmp_path, capsys, arguments, words):
    write_people(tmp_path / "people")
    assert main([one.format(folder=tmp_path) for one in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and words in error and "Traceback" not in error


# ---------------------------------------------------------------- networks


def test_clip_reads_pictures_and_texts_into_one_space(files):
    clip = load_clip(files.clips[0])
    pictures = clip.encode_prepared([clip.prepare(photo(0)), clip.prepare(photo(1))])
    texts = clip.encode_texts(["a hat", "a hat", "b"])
    assert pictures.shape == (2, 32) and texts.shape == (3, 32)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([pictures, texts]), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(texts[0], texts[1], atol=1e-6)
    assert clip.is_cut_off("a " * 200) and not clip.is_cut_off("a hat")


def test_many_prompts_are_read_a_few_at_once(files, monkeypatch):
    clip = load_clip(files.clips[0])
    sizes, read = [], clip._model.text_model.forward
    monkeypatch.setattr(
        clip._model.text_model,
        "forward",
        lambda **given: sizes.append(len(given["input_ids"])) or read(**given),
    )
    texts = [f"a hat {'!' * (number % 7)}" for number in range(150)]
    found = clip.encode_texts(texts)
    assert len(found) == 150 and max(sizes) <= 64
    np.testing.assert_allclose(found[[3, 149]], clip.encode_texts([texts[3], texts[149]]), atol=1e-5)
    assert clip.encode_texts([]).shape == (0, 32)


def test_a_judge_trained_on_bgr_gets_bgr_and_is_kept_apart(files):
    """AdaFace: fed with RGB it would judge all the same, and wrongly."""
    (path,) = files.recognisers
    rgb, bgr = (load_networks(one) for one in (Files(recognisers=(path,)), Files(bgr_recognisers=(path,))))
    faces = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    np.testing.assert_allclose(
        bgr.recognisers[0].embed(faces[..., ::-1]), rgb.recognisers[0].embed(faces), atol=1e-6
    )
    keys = []
    for networks in (rgb, bgr):
        networks.detect = lambda picture: []
        keys.append(extractors_of(networks)[f"recogniser/{networks.recognisers[0].name}"].key)
    assert keys[0] != keys[1]


def test_lpips_is_torchmetrics_own(files):
    from torchmetrics.functional.image.lpips import _LPIPS

    perceptual = load_perceptual(files.lpips)
    a, b = (np.random.default_rng(seed).integers(0, 256, (128, 128, 3), np.uint8) for seed in (0, 1))
    distances = perceptual.distances([(a, a), (a, b)])
    assert distances[0] == 0 and distances[1] > 0
    reference = _LPIPS(net="alex", pnet_rand=True)
    weights = torch.load(files.lpips)
    for name, value in reference.net.named_parameters():
        value.data.copy_(weights["features." + name.split(".", 1)[1]])
    pixels = [torch.from_numpy(one).permute(2, 0, 1)[None].float() / 127.5 - 1 for one in (a, b)]
    assert distances[1] == pytest.approx(float(reference(*pixels)), rel=1e-5)


@pytest.mark.parametrize("load", [load_inception, load_perceptual])
def test_a_file_that_would_run_code_is_refused(tmp_path, load):
    import pickle

    class Trap:
        def __reduce__(self):
            return print, ("run",)

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        load(path)


@pytest.mark.parametrize("load", [load_inception, load_perceptual])
def test_another_network_is_named_with_what_is_expected(tmp_path, load):
    save_file({"layer.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="Expected is"):
        load(tmp_path / "other.pth")
    with pytest.raises(MissingModelError):
        load(tmp_path / "missing.pth")


def test_a_folder_that_is_no_clip_is_named(tmp_path, files):
    with pytest.raises(MissingModelError, match="No CLIP model in"):
        load_clip(tmp_path)
    with pytest.raises(CheckpointError, match="CLIP"):
        load_clip(files.dino)


def test_networks_of_one_file_judge_once_and_those_of_one_name_are_told_apart(files, tmp_path):
    twin = tmp_path / "a" / files.recognisers[0].name
    twin.parent.mkdir()
    twin.write_bytes(files.recognisers[0].read_bytes())
    other = tmp_path / "b"
    other.mkdir()
    networks = load_networks(
        Files(recognisers=(*files.recognisers, twin, judges.write_recogniser(other, seed=9)))
    )
    names = [one.name for one in networks.recognisers]
    assert len(names) == len(set(names)) == 2
