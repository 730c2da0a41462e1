"""A batch of latents with a batch of photos, one each: every picture shows its own person."""

import numpy as np
import pytest
import torch
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts, FacePhoto, find_parts, one_each
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.identity.id_embedding import CONCAT, NORM_MEAN, ONE_EACH, IDEmbedding
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.face_parser import ONE_PERSON, FacePartsFromMap
from consistentid_pack.nodes.identity import SetIdentity
from consistentid_pack.nodes.mix import BestFaceParts, MixFaceParts
from consistentid_pack.nodes.person.clip_features import PICTURES_PER_PASS
from consistentid_pack.nodes.saved_people import LoadEmbedding, SaveEmbedding
from golden_host import GoldenCLIP, clip_vision, consistentid_model, small_unet
from portrait_asset import LABELS, PORTRAIT
from sampling import (
    SIGMAS,
    apply_embedding,
    latents,
    person,
    photo,
    random,
    relative,
    sample,
    small_sdxl,
    text,
    vision,
)


@pytest.fixture(scope="module")
def unet():
    return small_unet("sd15")


@pytest.fixture(autouse=True)
def own_folders(empty_folders):
    """Previews and files go nowhere else."""


PEOPLE = (0, 1, 2)


def embedding(*numbers, combine=ONE_EACH):
    return IDEmbedding(torch.cat([person(number).vector for number in numbers]), combine=combine)


def photos(*numbers):
    return torch.cat([photo(number) for number in numbers])


def batch(model, *numbers, **options):
    return apply_embedding(model, embedding(*numbers), image=photos(*numbers), **options)


def solo(model, number, **options):
    return apply_embedding(model, person(number), image=photo(number), **options)


# --- the ID tokens ---------------------------------------------------------------------------


def test_every_latent_shows_its_own_person(unet):
    together = sample(batch(unet, *PEOPLE), noise=latents(batch=3))
    for number, found in enumerate(together):
        assert relative(found[None], sample(solo(unet, number))) < 1e-5
    assert relative(together[0], together[1]) > 1e-3


def test_fewer_people_than_latents_come_in_turn(unet):
    together = sample(batch(unet, 0, 1), noise=latents(batch=5))
    for number, found in zip((0, 1, 0, 1, 0), together, strict=True):
        assert relative(found[None], sample(solo(unet, number))) < 1e-5


def test_different_noise_stays_with_its_latent(unet):
    noise = random(3, 4, 16, 16, seed=40)
    together = sample(batch(unet, *PEOPLE), noise=noise)
    for number in PEOPLE:
        alone = sample(solo(unet, number), noise=noise[number : number + 1])
        assert relative(together[number : number + 1], alone) < 1e-5


def test_more_people_than_latents_are_an_error(unet):
    with pytest.raises(
        ValueError, match="3 people, one per latent, but the batch has 2 latents.*batch size.* to 3"
    ):
        sample(batch(unet, *PEOPLE), noise=latents(batch=2))


def test_one_person_one_per_latent_is_one_person(unet):
    assert torch.equal(sample(batch(unet, 1)), sample(solo(unet, 1)))


def test_a_weight_a_range_and_a_mask_act_on_each(unet):
    mask = torch.zeros(3, 128, 128)
    for number in PEOPLE:
        mask[number, :, 32 * number : 32 * number + 64] = 1
    options = {"weight": 0.7, "start_percent": 0.05, "end_percent": 0.6}
    together = sample(batch(unet, *PEOPLE, mask=mask, **options), noise=latents(batch=3))
    for number, found in enumerate(together):
        alone = sample(solo(unet, number, mask=mask[number : number + 1], **options))
        assert relative(found[None], alone) < 1e-5


def test_a_conditioning_can_show_a_person_per_latent(unet):
    """With Set Identity on the positive, over a model that shows someone else."""
    positive = SetIdentity.execute(
        text(0), consistentid_model("sd15"), 1.0, vision(), id_embed=embedding(0, 1), image=photos(0, 1)
    ).args[0]
    together = sample(solo(unet, 2), positive, noise=latents(batch=2))
    for number, found in enumerate(together):
        assert relative(found[None], sample(solo(unet, number))) < 1e-5


@pytest.mark.parametrize("cond_batch", [1, 6])
def test_in_context_windows_every_frame_keeps_its_person(unet, cond_batch):
    people = (0, 1, 2, 3, 4, 5)
    positive = [[text(0)[0][0].repeat(cond_batch, 1, 1), {}]]
    patched = batch(unet, *people)
    windows = ContextWindowsManualNode.execute(
        patched, 4, 2, "standard_static", 1, False, "flat", 0, False
    ).args[0]
    noise = latents(batch=6)
    found, whole = (sample(model, positive, noise=noise, sigmas=SIGMAS[:2]) for model in (windows, patched))
    assert relative(found, whole) < 1e-5


@pytest.mark.parametrize(
    "numbers, pictures, message",
    [
        ((0, 1), (0,), "ID embedding is of 2 people, the photos are of one person"),
        ((0, 1), (0, 1, 2), "ID embedding is of 2 people, the photos are of 3 people"),
    ],
)
def test_vectors_and_photos_that_do_not_pair_up_are_an_error(unet, numbers, pictures, message):
    with pytest.raises(ValueError, match=message):
        apply_embedding(unet, embedding(*numbers), image=photos(*pictures))


# --- the parts of the face -------------------------------------------------------------------

#: Of the second the nose is hidden, so its text carries one part less.
FACES = (
    FaceParts((FacePhoto(PORTRAIT, find_parts(LABELS)),)),
    FaceParts((FacePhoto(255 - PORTRAIT, find_parts(np.where(LABELS == 10, 0, LABELS).astype(np.uint8))),)),
    FaceParts(
        (
            FacePhoto(
                np.ascontiguousarray(PORTRAIT[:, ::-1]), find_parts(np.ascontiguousarray(LABELS[:, ::-1]))
            ),
        )
    ),
)


def encode(family, face_parts, *, mode="original", clip=None, clip_vision_=None):
    return EncodeFacialPrompt.execute(
        clip or GoldenCLIP(family), consistentid_model(family), face_parts,
        "a person in a garden", "blurry", FAMILIES[family].default_caption, mode, 0.6,
        clip_vision=clip_vision_ or clip_vision(),
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["original", "clean"])
@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_each_row_of_the_conditioning_is_that_of_its_person(family, mode):
    together = encode(family, one_each(FACES), mode=mode)
    for number, face in enumerate(FACES):
        alone = encode(family, face, mode=mode)
        for several, single in zip(together.args, alone.args, strict=True):
            assert len(several) == len(single)
            for (rows, options), (row, own) in zip(several, single, strict=True):
                assert len(rows) == 3
                repeated = row.repeat(1, rows.shape[1] // row.shape[1], 1)
                torch.testing.assert_close(rows[number : number + 1], repeated, rtol=0, atol=1e-5)
                pooled = options["pooled_output"]
                if family == "sdxl":
                    assert torch.equal(pooled[number : number + 1], own["pooled_output"])
                assert {**options, "pooled_output": None} == {**own, "pooled_output": None}


def test_texts_of_several_lengths_are_repeated_to_a_common_one():
    """As ComfyUI does where it puts them into one batch: attention reads the same from a repeated text."""
    long = FaceParts(FACES[0].photos, {"nose": 0.5})
    together = encode("sd15", one_each((long, FACES[1])), mode="clean").args[0]
    assert {rows.shape[1] % 77 for rows, _ in together} == {0}


def test_a_text_several_people_share_is_encoded_once():
    clip = GoldenCLIP("sd15")
    encode("sd15", one_each((FACES[0], FACES[2])), clip=clip)
    alone = GoldenCLIP("sd15")
    encode("sd15", FACES[0], clip=alone)
    assert len(clip.encoded) == len(alone.encoded)


def test_all_people_go_through_clip_vision_in_one_pass(unet):
    seen = clip_vision()
    people = one_each(FACES)
    encode("sd15", people, clip_vision_=seen)
    apply_embedding(unet, embedding(*PEOPLE), face_parts=people, clip_vision=seen)
    crops = sum(len(face.photos[0].parts) for face in FACES)
    assert sorted(seen.model.passes) == [1, len(FACES) + crops]  # and the zero image


def test_a_prompt_without_facial_words_costs_no_pass_of_the_photos():
    seen = clip_vision()
    EncodeFacialPrompt.execute(
        GoldenCLIP("sd15"),
        consistentid_model("sd15"),
        FACES[0],
        "a garden",
        "",
        "flowers",
        "clean",
        0.6,
        seen,
    )
    assert seen.model.passes == [1]  # the zero image


def test_a_large_batch_is_encoded_once_and_in_passes_that_fit(unet):
    """Nine people with six pictures each are more than are kept for their own sake."""
    seen, numbers = clip_vision(), range(9)
    people = one_each(
        [
            FaceParts((FacePhoto(np.roll(PORTRAIT, number, axis=2) // (number + 1), find_parts(LABELS)),))
            for number in numbers
        ]
    )
    for _ in range(2):
        encode("sd15", people, clip_vision_=seen)
        apply_embedding(unet, embedding(*numbers), face_parts=people, clip_vision=seen)
    assert sorted(seen.model.passes) == [
        1,
        9 * 6 - PICTURES_PER_PASS,
        PICTURES_PER_PASS,
    ]  # and the zero image


def test_prompt_and_identity_of_a_batch_sample_as_of_each_alone(unet):
    people = one_each(FACES)

    def run(face_parts, id_embed, count):
        positive, negative = encode("sd15", face_parts).args
        model = apply_embedding(unet, id_embed, face_parts=face_parts)
        return sample(model, positive, negative, noise=latents(batch=count))

    together = run(people, embedding(*PEOPLE), 3)
    for number, face in enumerate(FACES):
        assert relative(together[number : number + 1], run(face, person(number), 1)) < 1e-5


def test_on_sdxl_every_latent_has_the_texts_of_its_own_person():
    """With two encoders and a pooled text; the second person shows no nose, so its text differs."""
    unet = small_sdxl()
    together = sample(unet, *encode("sdxl", one_each(FACES[:2]), mode="clean").args, noise=latents(batch=2))
    for found, face in zip(together, FACES, strict=False):
        assert relative(found[None], sample(unet, *encode("sdxl", face, mode="clean").args)) < 1e-5
    assert relative(together[0], together[1]) > 1e-4


def test_the_view_of_the_prompt_says_whose_it_is():
    notes = encode("sd15", one_each(FACES)).ui["consistentid_prompt"][0]["notes"]
    assert any("first of 3 people" in note for note in notes)


# --- the nodes that make and take such a batch -----------------------------------------------


def parse(batch, count=2):
    image = torch.tensor(PORTRAIT).float()[None].repeat(count, 1, 1, 1) / 255
    labels = torch.tensor(LABELS).float()[None] / 255
    return FacePartsFromMap.execute(image, label_map=labels, batch=batch).args[0]


def test_the_parser_nodes_say_whether_photos_are_of_one_person():
    assert len(parse(ONE_PERSON).people) == 1 and len(parse(ONE_PERSON).photos) == 2
    assert [len(member.photos) for member in parse(ONE_EACH).people] == [1, 1]
    assert len(parse(ONE_EACH).photos) == 2


def test_a_single_photo_is_one_person_either_way():
    assert parse(ONE_EACH, count=1).members == ()


@pytest.mark.parametrize("combine, one_person", [(ONE_EACH, True), (NORM_MEAN, False), (CONCAT, False)])
def test_the_two_choices_must_agree(unet, combine, one_person):
    faces = parse(ONE_PERSON if one_person else ONE_EACH)
    vectors = embedding(0, 1, combine=combine)
    with pytest.raises(
        ValueError, match="choose 'one per latent' both in ID Embedding and for the face parts"
    ):
        apply_embedding(unet, vectors, face_parts=faces)


@pytest.mark.parametrize("node", [MixFaceParts, BestFaceParts])
def test_one_face_cannot_be_put_together_from_a_batch_of_people(node):
    with pytest.raises(ValueError, match="face parts are of 3 people, one per latent"):
        node.execute(one_each(FACES))


def test_a_file_holds_one_person():
    with pytest.raises(ValueError, match="of 2 people, one per latent, but a file holds one"):
        SaveEmbedding.execute(embedding(0, 1), "crowd")
    with pytest.raises(ValueError, match="of 3 people, one per latent"):
        SaveEmbedding.execute(person(0), "crowd", face_parts=one_each(FACES), clip_vision=clip_vision())


def test_a_folder_of_people_can_be_loaded_as_a_batch(unet):
    """And needs no CLIP vision then."""
    for number, face in enumerate(FACES):
        SaveEmbedding.execute(person(number), "crowd/one", face_parts=face, clip_vision=vision())
    id_embed, people, _ = LoadEmbedding.execute("crowd/*", combine=ONE_EACH).args
    assert id_embed.people == len(people.people) == 3
    patched = ApplyConsistentID.execute(
        unet, consistentid_model("sd15"), id_embed, 1.0, 0.0, 0.0, 1.0, face_parts=people
    ).args[0]
    together = sample(patched, noise=latents(batch=3))
    for number, face in enumerate(FACES):
        alone = sample(apply_embedding(unet, person(number), face_parts=face))
        assert (
            relative(together[number : number + 1], alone) < 1e-3
        )  # the file holds features in half precision


def test_people_that_do_not_pair_up_are_reported_before_clip_vision_runs(unet):
    seen = clip_vision()
    with pytest.raises(ValueError, match="of 2 people, the photos are of 3 people"):
        apply_embedding(unet, embedding(0, 1), image=photos(0, 1, 2), clip_vision=seen)
    assert seen.model.passes == []
