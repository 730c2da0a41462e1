"""The nodes, from photo to latents, against the numbers of the original's own runs (``e2e_*``)."""

import comfy.samplers
import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.face_parser import NO_PARTS, FacePartsFromMap
from consistentid_pack.nodes.person.keys_values import features_of_person
from golden_host import GoldenCLIP, clip_vision, consistentid_model, small_unet
from golden_recipes import picture, tensor
from golden_set import DIRECTORY, manifest, tensors

CASES = [(family, case) for family in ("sd15", "sdxl") for case in manifest(f"e2e_{family}")["cases"]]


@pytest.fixture(scope="module", params=CASES, ids=lambda param: f"{param[0]}-{param[1]['name']}")
def run(request):
    with torch.inference_mode():
        return Run(*request.param)


class Run:
    """One golden case through Encode Facial Prompt, Apply ConsistentID and the host's sampler."""

    def __init__(self, family, case):
        self.family, self.case = family, case
        self.golden = {
            key.split("/", 1)[1]: value
            for key, value in tensors(f"e2e_{family}").items()
            if key.split("/")[0] == case["name"]
        }
        self.consistentid = consistentid_model(family)
        self.vision = clip_vision()
        self.unet = small_unet(family)
        self.face_parts = self.parts()
        self.clip = GoldenCLIP(family)
        encoded = EncodeFacialPrompt.execute(
            self.clip, self.consistentid, self.face_parts, case["prompt"], case["negative"] or "",
            case["caption"] or FAMILIES[family].default_caption, "original", self.merge_percent(), self.vision,
        )  # fmt: skip
        self.positive, self.negative = encoded.args
        self.ui = encoded.ui
        self.model = ApplyConsistentID.execute(
            self.unet, self.consistentid, self.embedding(), 1.0, 1.0, 0.0, 1.0, self.vision, face_parts=self.face_parts
        ).args[0]  # fmt: skip

    def parts(self):
        labels = np.load(DIRECTORY / "masks.npz")[f"{self.case['labels']}/labels"]
        if self.family == "sdxl":  # parsed at 1280 there; the golden map is enlarged by nearest neighbour
            index = np.arange(1280) * labels.shape[0] // 1280
            labels = labels[index][:, index]
        photo = torch.from_numpy(picture(self.case["image"]))[None] / 255.0
        label_map = torch.from_numpy(labels)[None] / 255.0
        return FacePartsFromMap.execute(photo, label_map=label_map, no_face=NO_PARTS).args[0]

    def embedding(self):
        if "normal(" not in self.case["face"]:  # no face found: zeros
            return IDEmbedding(torch.zeros(1, 512))
        face = tensor(self.case["face"])
        return IDEmbedding((face / face.norm())[None])

    def merge_percent(self):
        """The percent whose noise level lies between the last text step and the first fused one."""
        branches, steps = self.case["branch_per_step"], self.case["timesteps"]
        texts = branches.count("text")
        if texts in (0, len(branches)):
            return float(texts > 0)
        return 1.0 - (steps[texts - 1] + steps[texts]) / 2 / 999

    def sample(self):
        sigmas = torch.tensor(self.case["sigmas"])
        noise = tensor(self.case["latents"]) * self.case["init_noise_sigma"]
        guider = comfy.samplers.CFGGuider(self.model)
        guider.set_conds(self.positive, self.negative)
        guider.set_cfg(self.case["guidance"])
        # The sampler multiplies the noise by the first sigma.
        return guider.sample(
            noise / sigmas[0], torch.zeros_like(noise), comfy.samplers.ksampler("euler"), sigmas, disable_pbar=True
        ) * self.unet.model.latent_format.scale_factor  # fmt: skip


def entry(conditioning, branch):
    """The embeds of the text or the fused entry of a positive conditioning."""
    return conditioning[0 if branch == "text" else -1][0][0]


def test_final_latents_equal_the_original(run):
    latents = run.sample()
    golden = run.golden["final_latents"]
    assert ((latents - golden).abs().max() / golden.abs().max()).item() < 1e-3


def test_prompt_embeddings_equal_the_original(run):
    branches = {"text", "augmented"} & set(run.case["branch_per_step"])
    for branch in branches:
        torch.testing.assert_close(entry(run.positive, branch), run.golden[branch][:77], rtol=0, atol=2e-5)
    torch.testing.assert_close(run.negative[0][0][0], run.golden["null"][:77], rtol=0, atol=2e-5)


def test_id_tokens_equal_the_original(run):
    tokens = run.consistentid.id_projection.loaded()(
        run.embedding().vector,
        features_of_person(run.vision, None, run.face_parts),
        shortcut=run.family == "sdxl",
    )
    torch.testing.assert_close(tokens[0], run.golden["text"][77:], rtol=0, atol=2e-5)


def test_the_crops_are_fused_with_the_same_words(run):
    words = run.ui["consistentid_prompt"][0]["words"]
    pairs = [(word["position"], f"{word['word']}</w>", word["region"]) for word in words]
    crop_regions = {part.name: part.region for part in run.face_parts.photos[0].parts}
    assert pairs == [(p["position"], p["token"], crop_regions[p["crop"]]) for p in run.case["fused_pairs"]]


def test_clip_sees_photo_and_crops_in_one_pass_and_the_zero_image_once(run):
    assert sorted(run.vision.model.passes) == sorted([1 + len(run.case["crop_order"]), 1])


def test_a_changed_prompt_needs_no_clip_pass(run):
    passes = list(run.vision.model.passes)
    EncodeFacialPrompt.execute(
        run.clip, run.consistentid, run.face_parts, "another prompt", "",
        FAMILIES[run.family].default_caption, "original", 0.6, run.vision,
    )  # fmt: skip
    assert run.vision.model.passes == passes
