"""The benchmark's groups on small models: every row they promise, with counts that can be known."""

from dataclasses import replace

import folder_paths
import pytest
import torch
from consistentid_pack.nodes.host import folders
from golden_host import GoldenCLIP, clip_vision, consistentid_model, small_unet
from golden_training import host_models
from sampling import POSITIVE, latents
from sampling import person as known_person

from benchmarks import device
from benchmarks.groups import epoch, lora, person, step, training
from benchmarks.job import Job
from benchmarks.model_call import ModelCall

JOB = Job("step", "sd15", "cpu", size=64, rounds=1, comfyui="")
LAYERS = 15  # cross-attention layers of the small UNet
NEGATIVE = POSITIVE


@pytest.fixture(scope="module")
def unet():
    return small_unet("sd15")


@pytest.fixture(scope="module")
def rows(unet, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(folder_paths, "models_dir", str(tmp_path_factory.mktemp("models")))
        patch.setattr(folder_paths, "folder_names_and_paths", {})
        folders.register()
        return step.measure_models(unet, consistentid_model("sd15"), JOB)


def test_a_call_of_a_run_can_be_repeated_and_gives_the_same(unet):
    call = ModelCall(unet, POSITIVE, NEGATIVE, latents())
    outputs = [call() for _ in range(2)]
    assert outputs[0].shape[0] == 2  # positive and negative
    assert torch.equal(*outputs)


def test_a_call_that_holds_half_a_step_is_refused(unet, monkeypatch):
    monkeypatch.setattr("comfy.model_management.get_free_memory", lambda *args: 0)
    with pytest.raises(RuntimeError, match="2 model calls instead of one"):
        ModelCall(unet, POSITIVE, NEGATIVE, latents())


def test_every_case_is_measured_beside_plain(rows):
    assert {*step.CASES, "plain", "id_branch"} <= rows.keys()
    assert all(rows[case]["value"] > 0 for case in step.CASES)
    assert 0 < rows["id_branch"]["value"] < 1


def test_a_person_costs_a_few_operations_in_each_layer_and_a_second_one_the_same_again(rows):
    plain, one, two = (rows[f"operations_{case}"]["value"] for case in ("plain", "patched", "two_people"))
    assert one - plain == two - one > 0
    assert (one - plain) <= 3 * LAYERS


def test_the_memory_of_a_person_is_small_and_seen(rows):
    assert 1 < rows["memory_patched"]["value"] <= rows["memory_two_people"]["value"] < 1.5


def test_on_a_graphics_card_launches_and_waits_take_the_place_of_the_time_of_the_branch(unet, monkeypatch):
    """With the card's own functions replaced: which rows there are, and what is handed to them."""
    asked = []
    monkeypatch.setattr(device, "finish", asked.append)
    monkeypatch.setattr(device, "operations", lambda work: 1)
    monkeypatch.setattr(device, "peak_bytes", lambda work, name: asked.append(name) or 0)
    monkeypatch.setattr(device, "launches_and_waits", lambda work: (len(work()), 0))
    rows = step.measure_models(unet, consistentid_model("sd15"), replace(JOB, device="cuda"))
    assert set(asked) == {"cuda"} and "id_branch" not in rows
    for case in ("plain", "patched", "two_people"):
        assert (rows[f"launches_{case}"]["value"], rows[f"waits_{case}"]["value"]) == (2, 0)


def test_the_lora_is_merged_by_both_loaders_alike(unet, monkeypatch):
    merged = []

    def key_values():
        return unet.model.diffusion_model.state_dict()[
            "middle_block.1.transformer_blocks.0.attn2.to_k.weight"
        ]

    timed = lora.measure_models.__globals__["interleave"]

    def look(cases, rounds):
        for case in cases.values():
            case()
            merged.append(key_values().clone())
        return timed(cases, rounds)

    plain = key_values().clone()
    monkeypatch.setattr(lora, "interleave", look)
    rows = lora.measure_models(unet, consistentid_model("sd15"), JOB)
    assert rows.keys() == {"hosts", "noise", "ours"}
    assert not torch.equal(merged[0], plain)
    assert all(torch.equal(one, merged[0]) for one in merged)


class KnownPerson(person.Workflow):
    """Without the face parser and InsightFace, whose networks are of full size only."""

    def parse(self, photo):
        pass

    def embed(self, photo):
        return known_person()


@pytest.fixture(scope="module")
def photo_rows(unet):
    workflow = KnownPerson(
        "sd15", unet, GoldenCLIP("sd15"), clip_vision(), consistentid_model("sd15"), parser=None
    )
    with torch.inference_mode():
        return person.measure_workflow(workflow, JOB)


def test_a_new_photo_is_seen_by_clip_once_and_a_changed_prompt_needs_no_clip(photo_rows):
    counts = [photo_rows[name]["value"] for name in ("cold_passes", "cold_pictures", "warm_passes")]
    assert counts == [1, 6, 0]  # the photo and its five parts


def test_the_parts_of_a_new_photo_add_up_to_the_whole(photo_rows):
    parts = [photo_rows[f"cold_{name}"] for name in (*person.PARTS, "rest")]
    assert sum(part["value"] for part in parts) == pytest.approx(photo_rows["cold"]["value"], abs=0.001)
    assert sum(part["share"] for part in parts) == pytest.approx(1, abs=0.001)
    worked = ("clip", "encoder", "text", "fuse", "projection", "lora")
    assert all(photo_rows[f"cold_{name}"]["value"] > 0 for name in worked)


# --- a step of training ------------------------------------------------------------------------

SMALL_NETWORKS = {
    "facial_encoder": {"width": 64, "depth": 1, "heads": 1, "hidden_dim": 64},
    "id_projection": {"depth": 1, "heads": 1, "hidden_dim": 64, "id_hidden_dim": 64},
}


@pytest.fixture(scope="module")
def training_rows():
    with torch.inference_mode(False):
        return training.measure_model(small_unet("sd15"), JOB, rank=4, sizes=SMALL_NETWORKS)


def test_a_step_of_training_is_measured_beside_a_plain_lora(training_rows):
    assert {"plain", "noise", *training.CASES} <= training_rows.keys()
    assert all(training_rows[case]["value"] > 0 for case in training.CASES)


def test_a_step_of_training_does_more_and_holds_more_than_that_of_a_plain_lora(training_rows):
    plain, ours = (training_rows[f"operations_{case}"]["value"] for case in ("plain", "training"))
    assert 1 < ours / plain < 4
    assert 1 < training_rows["flops_training"]["value"] < 10
    weights = sum(one.numel() * 4 for one in small_unet("sd15").model.diffusion_model.parameters())
    assert training_rows["memory_plain"]["value"] > weights
    assert training_rows["memory_training"]["value"] > 1


def test_both_steps_of_training_change_weights_and_leave_the_unet_as_it_was():
    with torch.inference_mode(False):
        unet = training._unet_alone(small_unet("sd15"), "sd15")
        batch = training._batch(unet, JOB)
        frozen = [one.clone() for one in unet.unet_module.parameters()]
        for step in (
            training._plain_step(unet, batch, 4),
            training.our_step(unet, batch, {"precision": "fp32", "rank": 4}, SMALL_NETWORKS),
        ):
            before = [one.detach().clone() for one in step.weights]
            for _ in range(2):  # with new weights half of a LoRA has no gradient in the first step
                step()
            assert any(not torch.equal(*pair) for pair in zip(before, step.weights, strict=True))
        assert all(map(torch.equal, frozen, unet.unet_module.parameters()))
        assert not any(module._forward_hooks for module in unet.unet_module.modules())


# --- an epoch, with and without a cache ----------------------------------------------------------


@pytest.fixture(scope="module")
def epoch_run():
    """The rows, and how often the VAE was asked."""
    with torch.inference_mode(False):
        frozen = host_models("sd15")
        asked, encode = [], frozen.encode_pictures
        frozen.encode_pictures = lambda pixels: asked.append(pixels.shape) or encode(pixels)
        return epoch.measure_encoders(frozen, JOB, rank=4, sizes=SMALL_NETWORKS), len(asked)


def test_an_epoch_from_the_cache_asks_no_encoder(epoch_run):
    rows, asked = epoch_run
    assert rows.keys() == {"without", "cached", "first_epoch", "later_epochs", "kept"}
    warmed_up = JOB.rounds + 1
    caches, without, filling, filled = 1 + warmed_up, warmed_up, warmed_up, 1
    assert asked == caches + without + filling + filled  # each cache asks once who the encoder is


def test_what_is_kept_of_a_portrait_is_at_least_its_features(epoch_run):
    rows, _ = epoch_run
    assert rows["kept"]["value"] > 6 * 257 * 1280 * 2
