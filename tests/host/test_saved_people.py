"""Save and Load ID Embedding: files in ComfyUI's folders, and people who come back without photo and InsightFace."""

import gc
import os
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from consistentid_pack.consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_pack.consistentid_core.faces.face_parts import (
    FaceParts,
    FacePhoto,
    StoredPhoto,
    find_parts,
    with_regions,
)
from consistentid_pack.consistentid_core.faces.part_quality import part_quality
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.identity import embedding_file
from consistentid_pack.consistentid_core.identity.id_embedding import CONCAT, RGB, IDEmbedding
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.identity import SetIdentity
from consistentid_pack.nodes.mix import BestFaceParts, MixFaceParts
from consistentid_pack.nodes.person.clip_features import VIT_H, zero_image
from consistentid_pack.nodes.person.facial_features import region_vectors, zero_vector
from consistentid_pack.nodes.person.keys_values import features_of_person
from consistentid_pack.nodes.previews.parts import UI_KEY
from consistentid_pack.nodes.sampling.shown import IDENTITY_KEY
from consistentid_pack.nodes.saved_people import LoadEmbedding, SaveEmbedding
from golden_host import GoldenCLIP, clip_vision, consistentid_model, small_unet
from PIL import Image, ImageFilter
from portrait_asset import LABELS, PORTRAIT
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sampling import relative, sample


@pytest.fixture(autouse=True)
def comfyui(empty_folders):
    return empty_folders


@pytest.fixture
def vision():
    return clip_vision()


@pytest.fixture(scope="module")
def consistentid():
    return consistentid_model("sd15")


def embedding(seed=1, count=1, **fields):
    rows = torch.randn(count, 512, generator=torch.Generator().manual_seed(seed))
    return IDEmbedding(rows / rows.norm(dim=1, keepdim=True), **fields)


def face(image=PORTRAIT, regions=None):
    photo = FacePhoto(image, find_parts(LABELS), LABELS)
    return FaceParts((photo if regions is None else with_regions(photo, regions),))


def save(id_embed, prefix="anna", **inputs):
    return Path(SaveEmbedding.execute(id_embed, prefix, **inputs).args[0])


def name_of(path):
    return str(path.relative_to(folders.saved_embeddings()))


def load(path, **inputs):
    return LoadEmbedding.execute(name_of(path), **inputs).args[:2]


# ---------------------------------------------------------------- files


def test_people_are_saved_below_output_and_numbered(comfyui):
    paths = [save(embedding(), "anna/smile") for _ in range(2)]
    folder = comfyui / "output" / "consistentid" / "anna"
    assert paths == [folder / f"smile_0000{n}_.safetensors" for n in (1, 2)]


def test_numbers_go_on_after_the_highest(comfyui):
    save(embedding()).rename(comfyui / "output" / "consistentid" / "anna_00041_.safetensors")
    assert save(embedding()).name == "anna_00042_.safetensors"


def test_a_prefix_cannot_lead_out_of_the_output_folder():
    with pytest.raises(Exception, match="outside the output folder"):
        save(embedding(), "../../anna")


def test_a_file_that_was_moved_to_models_keeps_its_name_for_itself(comfyui):
    """A list shows a name once, so the second of that name could not be chosen."""
    in_models = comfyui / "models" / "consistentid" / "embeddings" / "anna" / "smile_00001_.safetensors"
    in_models.parent.mkdir(parents=True)
    save(embedding(), "anna/smile").rename(in_models)
    assert save(embedding(), "anna/smile").name == "smile_00002_.safetensors"


def test_a_name_too_long_for_the_disk_is_refused(comfyui):
    with pytest.raises(ValueError, match="cannot be saved as 'aaa.*another filename_prefix"):
        save(embedding(), "a" * 300)
    assert not list((comfyui / "output").rglob("*.*"))


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("../x", "it leads outside the output folder"),
        ("/etc/x", "it leads outside the output folder"),
        ("a\0b", "it contains control characters"),
        ("anna/b\nc", "it contains control characters"),
        ("anna\ud800", "it contains characters that no file name can have"),
        ("a" * 300 + "/b", "File name too long"),
    ],
)
def test_a_prefix_that_is_no_file_name_is_refused_in_words(comfyui, prefix, why):
    with pytest.raises(
        ValueError, match=f"cannot be used as filename_prefix: .*{why}.*such as 'anna/photo'"
    ) as error:
        save(embedding(), prefix)
    assert len(str(error.value)) < 500
    assert not list((comfyui / "output").rglob("*.*"))


def test_a_folder_that_may_not_be_written_to_is_named(comfyui, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    save(embedding())
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ValueError, match="cannot be saved as 'anna' in .*Permission denied. Choose another"):
        save(embedding())


def test_a_person_that_is_no_number_is_not_saved(comfyui):
    vector = embedding().vector.clone()
    vector[0, 5] = float("nan")
    with pytest.raises(ValueError, match="cannot be saved: id_embeds holds values that are not numbers"):
        save(IDEmbedding(vector))
    assert not list((comfyui / "output").rglob("*.*"))


@pytest.mark.parametrize("prefix", ["", ".", "/", "..", "   ", "anna/.."])
def test_an_empty_prefix_is_refused(prefix):
    with pytest.raises(ValueError, match="filename_prefix is empty"):
        save(embedding(), prefix)


def test_saved_files_and_those_in_models_are_offered(comfyui):
    in_models = comfyui / "models" / "consistentid" / "embeddings" / "bert.safetensors"
    in_models.parent.mkdir(parents=True)
    save(embedding()).rename(in_models)
    save(embedding())
    (comfyui / "output" / "consistentid" / "note.txt").touch()
    assert LoadEmbedding.define_schema().inputs[0].options == ["anna_00001_.safetensors", "bert.safetensors"]
    assert LoadEmbedding.execute("bert.safetensors").args[0].is_zero is False


def test_a_saved_person_is_no_consistentid_model(comfyui):
    in_models = comfyui / "models" / "consistentid" / "embeddings" / "bert.safetensors"
    in_models.parent.mkdir(parents=True)
    save(embedding()).rename(in_models)
    assert folders.list_weights(folders.CONSISTENTID) == []


def test_a_file_that_is_gone_is_reported_with_the_folders_searched():
    with pytest.raises(MissingModelError, match="gone.safetensors.*embeddings.*output"):
        LoadEmbedding.execute("gone.safetensors")


def test_a_replaced_file_is_read_again():
    path = save(embedding(1))
    before = LoadEmbedding.fingerprint_inputs(name_of(path))
    assert LoadEmbedding.fingerprint_inputs(name_of(path)) == before
    save(embedding(2, count=2)).replace(path)
    assert LoadEmbedding.fingerprint_inputs(name_of(path)) != before


def test_another_file_is_refused_by_name(comfyui):
    path = save(embedding())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="anna_00001_"):
        load(path)


def test_the_path_is_shown_on_the_node():
    output = SaveEmbedding.execute(embedding(), "anna")
    assert output.ui.as_dict() == {"text": (output.args[0],)}


# ---------------------------------------------------------------- what comes back


def test_the_id_embedding_comes_back():
    saved = embedding(3, count=2, channel_order=RGB, combine=CONCAT, photos=2, source="ab" * 16)
    loaded, _ = load(save(saved))
    assert torch.equal(loaded.vector, saved.vector)
    assert (loaded.channel_order, loaded.combine, loaded.photos, loaded.source) == (RGB, CONCAT, 2, "ab" * 16)


def test_without_saved_parts_the_second_output_says_why_it_is_empty():
    _, parts = load(save(embedding()))
    assert isinstance(parts, ExecutionBlocker)
    assert "holds no parts of the face" in parts.message and "Parse Face" in parts.message


def test_face_parts_without_clip_vision_are_refused():
    with pytest.raises(ValueError, match="face_parts is connected without clip_vision"):
        save(embedding(), face_parts=face())


def test_loaded_parts_can_be_saved_again_without_clip_vision(vision):
    _, parts = load(save(embedding(), face_parts=face(), clip_vision=vision))
    _, again = load(save(embedding(), face_parts=parts))
    for one, other in zip(again.photos, parts.photos, strict=True):
        assert torch.equal(one.features, other.features)


def test_names_regions_qualities_and_settings_of_the_parts_come_back(vision):
    mixed = MixFaceParts.execute(face(), nose_strength=1.5, pairing="by name").args[0]
    _, loaded = load(save(embedding(), face_parts=mixed, clip_vision=vision))
    (photo,), (original,) = loaded.photos, mixed.photos
    assert [(part.name, part.region) for part in photo.parts] == [(p.name, p.region) for p in original.parts]
    assert [part.quality for part in photo.parts] == [part_quality(original, part) for part in original.parts]
    assert (loaded.strength("nose"), loaded.pairing) == (1.5, "by name")


def test_photos_that_only_give_parts_are_saved_whole(vision):
    mixed = MixFaceParts.execute(face(regions=("face", "nose")), eyes=face(255 - PORTRAIT)).args[0]
    _, loaded = load(save(embedding(), face_parts=mixed, clip_vision=vision))
    assert loaded.id_weights == (1.0, 0.0)
    expected = features_of_person(vision, None, face(255 - PORTRAIT))[0]
    torch.testing.assert_close(loaded.photos[1].features, expected, rtol=1e-3, atol=1e-3)


def test_the_vision_model_named_in_a_file_is_the_one_the_nodes_ask_for():
    assert " ".join(map(str, VIT_H.values())) == embedding_file.CLIP_VISION


# ---------------------------------------------------------------- a person without a photo


@pytest.fixture
def loaded(vision):
    """The face read back from a file, and a CLIP vision model that has not seen anything since."""
    _, parts = load(save(embedding(), face_parts=face(), clip_vision=vision))
    return parts, clip_vision()


def error(found, expected):
    """How far found is from expected, as a share of its length, in the worst row."""
    return ((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max().item()


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_half_precision_moves_the_id_tokens_by_less_than_a_ten_thousandth(loaded, family):
    parts, vision = loaded
    model = consistentid_model(family)
    exact, stored = (
        model.id_projection.loaded()(
            embedding().vector, features_of_person(vision, None, one), shortcut=family == "sdxl"
        )
        for one in (face(), parts)
    )
    assert 0 < error(stored, exact) < 1e-4


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_half_precision_moves_the_vectors_of_the_parts_by_less_than_a_thousandth(loaded, family):
    parts, vision = loaded
    exact, stored = (region_vectors(consistentid_model(family), vision, one)[0] for one in (face(), parts))
    assert exact.keys() == stored.keys() and len(exact) == 5
    for region, vector in exact.items():
        assert error(stored[region], vector) < 1e-3


def test_no_photo_goes_through_clip_again(loaded, consistentid):
    parts, vision = loaded
    encode(vision, consistentid, parts)
    apply(vision, consistentid, parts)
    assert vision.model.passes == [1]  # the zero image


def encode(vision, consistentid, parts):
    return EncodeFacialPrompt.execute(
        GoldenCLIP(consistentid.family), consistentid, parts, "a portrait", "",
        FAMILIES[consistentid.family].default_caption, "original", 0.6, vision,
    )  # fmt: skip


def apply(vision, consistentid, parts, **inputs):
    return ApplyConsistentID.execute(
        small_unet(consistentid.family), consistentid, embedding(), 1.0, 1.0, 0.0, 1.0, vision, face_parts=parts,
        **inputs,
    ).args[0]  # fmt: skip


def test_the_prompt_is_encoded_as_with_the_photo(loaded, consistentid):
    parts, vision = loaded
    for ours, theirs in zip(
        encode(vision, consistentid, parts).args, encode(vision, consistentid, face()).args, strict=True
    ):
        for (embeds, _), (expected, _) in zip(ours, theirs, strict=True):
            assert error(embeds, expected) < 1e-3


def test_stored_photos_have_no_crops_to_show(loaded, consistentid):
    parts, vision = loaded
    ui = encode(vision, consistentid, parts).ui
    assert ui["consistentid_crops"] == []
    assert [word["word"] for word in ui["consistentid_prompt"][0]["words"]] == [
        "face",
        "ears",
        "eyes",
        "nose",
        "mouth",
    ]


def test_set_identity_takes_a_loaded_person(loaded, consistentid):
    parts, vision = loaded
    conditioning = [[torch.zeros(1, 77, 768), {}]]
    found = SetIdentity.execute(
        conditioning, consistentid, 1.0, vision, id_embed=embedding(), face_parts=parts
    )
    assert len(found.args[0]) == 1


def test_loaded_parts_mix_with_a_photo_s(loaded, consistentid):
    parts, vision = loaded
    output = MixFaceParts.execute(face(255 - PORTRAIT), eyes=parts)
    (mixed,) = region_vectors(consistentid, vision, output.args[0])
    torch.testing.assert_close(
        mixed["eyes"], region_vectors(consistentid, vision, parts)[0]["eyes"], rtol=0, atol=1e-5
    )
    (entry,) = output.ui[UI_KEY]
    assert {part["region"]: part["source"] is None for part in entry["parts"]}["eyes"]


def test_the_best_of_a_loaded_face_and_its_blurred_photo_are_the_loaded_parts(loaded):
    parts, _ = loaded
    blurred = np.asarray(Image.fromarray(PORTRAIT).filter(ImageFilter.GaussianBlur(3)))
    best = BestFaceParts.execute(face(blurred), face_parts_2=parts).args[0]
    assert [isinstance(photo, StoredPhoto) and len(photo.parts) for photo in best.photos] == [False, 5]


# ---------------------------------------------------------------- and without CLIP vision


PHOTO = torch.rand(1, 64, 48, 3, generator=torch.Generator().manual_seed(8))
CONDITIONING = [[torch.zeros(1, 77, 768), {}]]


def as_saved_before(path):
    """The same file as the first version of the pack wrote it: without the zero image."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({key: one for key, one in load_file(path).items() if key != "zero_image"}, path, metadata)
    return path


@pytest.fixture
def loaded_from_old_file(vision):
    path = as_saved_before(save(embedding(), face_parts=face(), clip_vision=vision))
    return load(path)[1]


def test_the_zero_image_is_saved_to_half_precision(loaded):
    parts, vision = loaded
    assert torch.equal(parts.zero_image.features, zero_image(vision).features.half().float())


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_prompt_is_encoded_as_with_clip_vision(loaded, family):
    parts, vision = loaded
    model = consistentid_model(family)
    for ours, theirs in zip(encode(None, model, parts).args, encode(vision, model, parts).args, strict=True):
        for (embeds, _), (expected, _) in zip(ours, theirs, strict=True):
            assert error(embeds, expected) < 1e-3


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_nobody_has_the_keys_and_values_as_with_clip_vision(loaded, family):
    parts, vision = loaded
    stored, exact = (
        consistentid_model(family).no_identity_keys_values(zero_image(one, parts)) for one in (None, vision)
    )
    for index, pair in exact.items():
        for found, expected in zip(stored[index], pair, strict=True):
            assert 0 < error(found, expected) < 1e-4


def test_the_picture_is_the_one_with_clip_vision(loaded, consistentid):
    parts, vision = loaded
    without, with_vision = (sample(apply(one, consistentid, parts)) for one in (None, vision))
    assert 0 < relative(without, with_vision) < 1e-4


def test_set_identity_needs_no_clip_vision_for_a_loaded_person(loaded, consistentid):
    parts, vision = loaded
    without, with_vision = (
        SetIdentity.execute(CONDITIONING, consistentid, 1.0, one, id_embed=embedding(), face_parts=parts).args[0]
        for one in (None, vision)
    )  # fmt: skip
    stored, exact = (conditioning[0][1][IDENTITY_KEY].keys_values for conditioning in (without, with_vision))
    assert all(torch.equal(stored[index][0], exact[index][0]) for index in exact)


def test_set_identity_needs_no_clip_vision_for_nobody(consistentid):
    (entry,) = SetIdentity.execute(CONDITIONING, consistentid, 1.0).args[0]
    assert entry[1][IDENTITY_KEY].keys_values is None


def test_what_is_made_of_a_loaded_person_is_made_once(loaded, consistentid):
    parts, vision = loaded
    nothing = zero_image(None, parts)
    mixed = MixFaceParts.execute(parts, nose_strength=1.5).args[0]
    assert zero_image(None, mixed) is nothing
    for make in (consistentid.no_identity_keys_values, lambda one: zero_vector(consistentid, one)):
        assert make(nothing) is make(nothing)
    assert region_vectors(consistentid, None, parts) is region_vectors(consistentid, vision, parts)


def test_nothing_is_kept_of_a_loaded_person_who_is_no_longer_used(vision, consistentid):
    parts = load(save(embedding(), face_parts=face(), clip_vision=vision))[1]
    encode(None, consistentid, parts)
    apply(None, consistentid, parts)
    kept = [weakref.ref(one) for one in (parts, parts.zero_image, parts.photos[0])]
    del parts
    gc.collect()
    assert [one() for one in kept] == [None] * 3


def test_a_photo_still_needs_clip_vision(loaded, consistentid):
    stored, _ = loaded
    mixed = MixFaceParts.execute(stored, eyes=face(255 - PORTRAIT)).args[0]
    for parts in (face(), mixed):
        for node in (encode, apply):
            with pytest.raises(
                ValueError, match="not connected, but face_parts brings a photo.*Load CLIP Vision"
            ):
                node(None, consistentid, parts)
    with pytest.raises(ValueError, match="not connected, but image brings a photo.*Load CLIP Vision"):
        apply(None, consistentid, stored, image=PHOTO)
    with pytest.raises(ValueError, match="not connected, but image brings a photo"):
        SetIdentity.execute(CONDITIONING, consistentid, 1.0, id_embed=embedding(), image=PHOTO)


def test_without_photo_and_clip_vision_the_photo_is_asked_for(consistentid):
    with pytest.raises(ValueError, match="There is no photo of the person"):
        apply(None, consistentid, None)


def test_beside_a_photo_the_zero_image_is_that_of_the_connected_model(loaded, consistentid):
    stored, vision = loaded
    mixed = MixFaceParts.execute(stored, eyes=face(255 - PORTRAIT)).args[0]
    apply(vision, consistentid, mixed)
    assert vision.model.passes == [1, 1]  # the eyes of the photo, the zero image
    assert zero_image(vision, mixed) is zero_image(vision) is not stored.zero_image
    saved = load(save(embedding(), face_parts=mixed, clip_vision=vision))[1]
    encode(None, consistentid, saved)


def test_a_file_saved_before_needs_clip_vision_and_says_so(loaded_from_old_file, consistentid):
    for node in (encode, apply):
        with pytest.raises(ValueError, match="file of this person lacks.*to Save ID Embedding once"):
            node(None, consistentid, loaded_from_old_file)
        node(clip_vision(), consistentid, loaded_from_old_file)
    # The ID tokens alone are in the file.
    SetIdentity.execute(
        CONDITIONING, consistentid, 1.0, id_embed=embedding(), face_parts=loaded_from_old_file
    )


def test_saving_a_person_of_an_old_file_with_clip_vision_completes_the_file(
    loaded_from_old_file, consistentid
):
    fresh = clip_vision()
    _, parts = load(save(embedding(), face_parts=loaded_from_old_file, clip_vision=fresh))
    assert fresh.model.passes == [1]  # the zero image
    (photo,), (before,) = parts.photos, loaded_from_old_file.photos
    for one, other in zip((photo, *photo.parts), (before, *before.parts), strict=True):
        assert torch.equal(one.features, other.features)
    assert [part.quality for part in photo.parts] == [part.quality for part in before.parts]
    apply(None, consistentid, parts)


# ---------------------------------------------------------------- a folder of people


def test_a_folder_with_several_files_is_offered_as_a_whole():
    save(embedding(1), "anna/a")
    save(embedding(2), "anna/b")
    save(embedding(3), "bert/a")
    options = LoadEmbedding.define_schema().inputs[0].options
    assert options[-1] == str(Path("anna", "*")) and not any("bert" in one and "*" in one for one in options)


def test_all_files_of_a_folder_are_combined(vision):
    people = [embedding(seed) for seed in (1, 2)]
    for person in people:
        save(person, "anna/a", face_parts=face(regions=("nose", "eyes")), clip_vision=vision)
    name = str(Path("anna", "*"))
    combined, parts, _ = LoadEmbedding.execute(name).args
    vectors = torch.cat([person.vector for person in people])
    torch.testing.assert_close(combined.vector, torch.nn.functional.normalize(vectors.mean(0, keepdim=True)))
    assert len(parts.photos) == 2 and parts.regions() == ("eyes", "nose")
    concatenated, _, _ = LoadEmbedding.execute(name, combine=CONCAT).args
    assert torch.equal(concatenated.vector, vectors)


@pytest.mark.parametrize("old", [(), ("a",), ("a", "b")], ids=["none old", "one old", "all old"])
def test_one_file_with_the_zero_image_is_enough_for_a_folder(vision, consistentid, old):
    for name in ("a", "b"):
        path = save(embedding(), f"anna/{name}", face_parts=face(), clip_vision=vision)
        if name in old:
            as_saved_before(path)
    _, parts, _ = LoadEmbedding.execute(str(Path("anna", "*"))).args
    if len(old) < 2:
        encode(None, consistentid, parts)
        apply(None, consistentid, parts)
    else:
        with pytest.raises(ValueError, match="lacks the features of the zero image"):
            apply(None, consistentid, parts)


def test_a_folder_in_which_a_file_lacks_parts_says_how_many(vision):
    save(embedding(1), "anna/a", face_parts=face(), clip_vision=vision)
    save(embedding(2), "anna/b")
    save(embedding(3), "anna/c")
    _, parts, _ = LoadEmbedding.execute(str(Path("anna", "*"))).args
    assert "2 of its files were saved without face_parts" in parts.message


def test_a_folder_s_fingerprint_follows_its_files():
    save(embedding(1), "anna/a")
    path = save(embedding(2), "anna/b")
    name = str(Path("anna", "*"))
    before = LoadEmbedding.fingerprint_inputs(name)
    path.unlink()
    save(embedding(1), "anna/d")
    assert LoadEmbedding.fingerprint_inputs(name) != before


def test_a_folder_that_is_gone_is_reported():
    with pytest.raises(MissingModelError, match="nobody"):
        LoadEmbedding.execute(str(Path("nobody", "*")))
