"""Mix Face Parts and Best Face Parts, as Encode Facial Prompt and Apply ConsistentID see their results."""

from pathlib import Path

import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.errors import NoFaceError, PromptError
from consistentid_pack.consistentid_core.faces.clip_pixels import clip_pixel_values
from consistentid_pack.consistentid_core.faces.face_parts import (
    FaceParts,
    FacePhoto,
    find_parts,
    with_regions,
)
from consistentid_pack.consistentid_core.faces.pictures import crops
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.regions import REGION_NAMES
from consistentid_pack.consistentid_core.text.pairing import BY_NAME, BY_RANK
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.mix import BestFaceParts, MixFaceParts
from consistentid_pack.nodes.person.clip_features import encode_pixels
from consistentid_pack.nodes.person.facial_features import region_vectors
from consistentid_pack.nodes.person.keys_values import features_of_person
from consistentid_pack.nodes.previews.parts import UI_KEY
from golden_host import GoldenCLIP, clip_vision, consistentid_model
from PIL import Image, ImageFilter
from portrait_asset import LABELS, PORTRAIT

pytestmark = pytest.mark.usefixtures("temp_folder")

#: The words of the default caption in text order, and what the original fuses into each.
WORDS = ("face", "ears", "eyes", "nose", "mouth")
ATOL = 1e-5
BY_RANK_REGIONS = ("face", "eyes", "ears", "nose", "mouth")


@pytest.fixture(scope="module")
def consistentid():
    return consistentid_model("sd15")


@pytest.fixture(scope="module")
def clip():
    return GoldenCLIP("sd15")


@pytest.fixture
def vision():
    return clip_vision()


def photo(image=PORTRAIT, labels=LABELS, regions=REGION_NAMES):
    return with_regions(FacePhoto(image, find_parts(labels), labels), regions)


#: Three people: the portrait, its mirror image and its negative, at different sizes.
A = FaceParts((photo(),))
B = FaceParts((photo(np.ascontiguousarray(PORTRAIT[::2, ::-2]), np.ascontiguousarray(LABELS[:, ::-1])),))
C = FaceParts((photo(255 - PORTRAIT, regions=("nose", "mouth")), photo(PORTRAIT // 2, regions=("nose",))))


def mix(face_parts, **inputs):
    return MixFaceParts.execute(face_parts, **inputs).args[0]


class Encoded:
    """A prompt encoded with some parts: rows of its positive and negative, by word."""

    def __init__(
        self,
        clip,
        vision,
        consistentid,
        face_parts,
        mode="original",
        caption=FAMILIES["sd15"].default_caption,
    ):
        output = EncodeFacialPrompt.execute(
            clip, consistentid, face_parts, "a portrait", "bad", caption, mode, 0.6, vision
        )
        self.conditioning = output.args
        self.words = output.ui["consistentid_prompt"][0]["words"]

    def rows(self, branch, entry=-1):
        embeds = self.conditioning[("positive", "negative").index(branch)][entry][0][0]
        return {word["word"]: embeds[word["position"]] for word in self.words}

    @property
    def pairs(self):
        return {word["word"]: word["region"] for word in self.words}


@pytest.fixture
def encode(clip, vision, consistentid):
    return lambda face_parts, **options: Encoded(clip, vision, consistentid, face_parts, **options)


@pytest.fixture
def fused_by_hand(consistentid, vision):
    """A plain row fused with a region of some photos."""

    def fused(plain, face_parts, region):
        vector = region_vectors(consistentid, vision, face_parts)[0][region]
        return consistentid.facial_encoder.loaded().fuse(plain[None], vector[None])[0]

    return fused


def equal(one, other):
    """Whether two pairs of conditionings are the same bit for bit, ranges included."""
    for ours, theirs in zip(one.conditioning, other.conditioning, strict=True):
        if len(ours) != len(theirs):
            return False
        for (embeds, options), (expected, other_options) in zip(ours, theirs, strict=True):
            if not torch.equal(embeds, expected) or options != other_options:
                return False
    return True


# ---------------------------------------------------------------- parts from several photos


@pytest.mark.parametrize("mode", ["original", "clean"])
def test_without_choices_the_prompt_is_encoded_to_the_very_same_bits(encode, mode):
    defaults = {i.id: i.default for i in MixFaceParts.define_schema().inputs if hasattr(i, "default")}
    assert equal(encode(mix(A, **defaults), mode=mode), encode(A, mode=mode))


def test_each_word_carries_the_part_of_the_chosen_photo(encode, fused_by_hand):
    mixed = encode(mix(A, eyes=B, nose=C), mode="clean")
    for word, source in {"face": A, "ears": A, "mouth": A, "eyes": B, "nose": C}.items():
        found = mixed.rows("positive")[word]
        plain = mixed.rows("positive", entry=0)[word]
        torch.testing.assert_close(found, fused_by_hand(plain, source, word), rtol=0, atol=ATOL)
        if source is not A:
            assert (found - fused_by_hand(plain, A, word)).abs().max() > 5 * ATOL


def test_several_photos_of_a_part_are_averaged_before_the_facial_encoder(consistentid, vision):
    # nose, mouth, nose
    features = encode_pixels(vision, clip_pixel_values(picture for _, picture in crops(C)))
    encoder = consistentid.facial_encoder.loaded()
    expected = encoder.encode_parts(features[[0, 2]].mean(0, keepdim=True))[0]
    (found,) = region_vectors(consistentid, vision, mix(A, nose=C))
    torch.testing.assert_close(found["nose"], expected)


def test_a_region_the_photo_lacks_is_an_error_that_names_what_it_has():
    with pytest.raises(
        NoFaceError, match="None of the 2 photos connected to 'eyes' shows eyes, only: nose, mouth"
    ):
        mix(A, eyes=C)


def test_clip_sees_no_photo_that_gives_parts_only(encode, vision):
    encode(mix(A, eyes=B))
    assert sorted(vision.model.passes) == [
        1,
        6,
    ]  # photo A with its four parts and the eyes of B; the zero image


def test_mixing_again_needs_no_clip_pass(encode, vision):
    encode(mix(A, eyes=B))
    passes = list(vision.model.passes)
    encode(mix(A, eyes=B, eyes_strength=0.5))
    assert vision.model.passes == passes


# ---------------------------------------------------------------- strength


@pytest.mark.parametrize("strength", [0.5, 1.5, 2.0])
@pytest.mark.parametrize("branch", ["positive", "negative"])
def test_a_strength_moves_the_row_on_the_line_from_plain_to_fused(encode, branch, strength):
    plain = encode(mix(A, nose_strength=0.0)).rows(branch)["nose"]
    fused = encode(A).rows(branch)["nose"]
    found = encode(mix(A, nose_strength=strength)).rows(branch)["nose"]
    torch.testing.assert_close(found, plain + strength * (fused - plain))


def test_a_strength_of_zero_leaves_the_words_own_row(encode):
    encoded = encode(mix(A, nose_strength=0.0))
    assert torch.equal(encoded.rows("positive")["nose"], encoded.rows("positive", entry=0)["nose"])
    other = encode(mix(A, nose_strength=0.0))
    assert not torch.equal(other.rows("positive")["eyes"], other.rows("positive", entry=0)["eyes"])


def test_a_strength_of_zero_is_as_if_the_part_were_switched_off(encode):
    # In this order the absence of the mouth moves no other clause.
    caption = "One face, two ears, two eyes, one nose, one mouth."
    nobodys_mouth = FaceParts((photo(regions=REGION_NAMES[:-1]),))
    off = encode(nobodys_mouth, mode="clean", caption=caption).conditioning
    zero = encode(mix(A, mouth_strength=0.0), mode="clean", caption=caption).conditioning
    for ours, theirs in zip(zero, off, strict=True):
        for (embeds, options), (expected, other_options) in zip(ours, theirs, strict=True):
            torch.testing.assert_close(embeds, expected, rtol=0, atol=ATOL)
            assert options == other_options


def test_other_parts_keep_their_bits(encode):
    rows, expected = (encode(parts).rows("positive") for parts in (mix(A, nose_strength=0.3), A))
    for word in ("face", "ears", "eyes", "mouth"):
        assert torch.equal(rows[word], expected[word])


def test_a_strength_belongs_to_the_part_and_not_to_the_word_in_the_original_mode(encode):
    """The word "ears" carries the eyes there."""
    rows, expected = (encode(parts).rows("positive") for parts in (mix(A, eyes_strength=0.3), A))
    assert not torch.equal(rows["ears"], expected["ears"])
    assert torch.equal(rows["eyes"], expected["eyes"])


def test_the_weight_of_a_word_acts_on_the_moved_row(encode, clip):
    caption = "The person has one face and (one nose:1.5)."
    weighted, plain = (
        encode(mix(A, nose_strength=0.5), mode="clean", caption=text).rows("positive")["nose"]
        for text in (caption, caption.replace("(", "").replace(":1.5)", ""))
    )
    position = next(
        word["position"] for word in encode(A, mode="clean", caption=caption).words if word["word"] == "nose"
    )
    empty = clip.encode_from_tokens_scheduled(clip.tokenize(""))[0][0][0, position]
    torch.testing.assert_close(weighted, (plain - empty) * 1.5 + empty)


# ---------------------------------------------------------------- pairing


@pytest.mark.parametrize("mode", ["original", "clean"])
def test_by_name_every_word_carries_its_own_part(encode, mode):
    assert encode(mix(A, pairing=BY_NAME), mode=mode).pairs == dict(zip(WORDS, WORDS, strict=True))


@pytest.mark.parametrize("mode", ["original", "clean"])
def test_by_rank_eyes_and_ears_change_places_in_either_mode(encode, mode):
    assert encode(mix(A, pairing=BY_RANK), mode=mode).pairs == dict(zip(WORDS, BY_RANK_REGIONS, strict=True))


def test_by_name_fuses_the_named_crops_into_the_original_text(encode, fused_by_hand):
    named, swapped = encode(mix(A, pairing=BY_NAME)), encode(A)
    for word, other in {"ears": "eyes", "eyes": "ears"}.items():
        plain = named.rows("positive", entry=0)[word]
        for encoded, region in ((named, word), (swapped, other)):
            expected = fused_by_hand(plain, A, region)
            torch.testing.assert_close(encoded.rows("positive")[word], expected, rtol=0, atol=ATOL)
        assert (fused_by_hand(plain, A, word) - fused_by_hand(plain, A, other)).abs().max() > 5 * ATOL


def test_a_word_marked_by_hand_that_names_no_part_stops_pairing_by_name(clip, vision, consistentid):
    with pytest.raises(PromptError, match="'man' is marked.*pair by rank"):
        EncodeFacialPrompt.execute(
            clip, consistentid, mix(FaceParts((photo(regions=("nose",)),)), pairing=BY_NAME),
            "a man <|facial|>", "", "one nose.", "original", 0.6, vision,
        )  # fmt: skip


# ---------------------------------------------------------------- whose ID tokens


def whole(vision, *people):
    return torch.cat([features_of_person(vision, None, one) for one in people])


def test_the_id_tokens_are_from_the_base_by_default(vision):
    assert torch.equal(features_of_person(vision, None, mix(A, eyes=B)), whole(vision, A))


def test_id_weights_blend_the_features_of_the_photos(vision):
    mixed = mix(A, eyes=B, nose=C, id_from_base=0.5, id_from_eyes=0.3, id_from_nose=0.2)
    expected = torch.einsum("n,nrc->rc", torch.tensor([0.5, 0.3, 0.2]), whole(vision, A, B, C))
    torch.testing.assert_close(features_of_person(vision, None, mixed)[0], expected)


def test_the_id_tokens_may_be_from_another_photo_alone(vision):
    mixed = mix(A, eyes=B, id_from_base=0.0, id_from_eyes=1.0)
    assert torch.equal(features_of_person(vision, None, mixed), whole(vision, B))


def test_photos_of_equal_weight_are_averaged_as_without_weights(vision):
    both = FaceParts((*A.photos, *C.photos))
    equal_weights = FaceParts(both.photos, id_weights=(0.2, 0.2, 0.2))
    assert torch.equal(
        features_of_person(vision, None, equal_weights), features_of_person(vision, None, both)
    )


def test_an_id_weight_without_its_photo_is_refused():
    with pytest.raises(ValueError, match="photo of 'mouth', but none is connected.*id_from_mouth"):
        mix(A, eyes=B, id_from_mouth=0.5)


# ---------------------------------------------------------------- what is shown


def shown(output):
    return output.ui[UI_KEY]


def test_every_photo_is_shown_with_the_parts_taken_from_it():
    entries = shown(MixFaceParts.execute(A, eyes=B))
    present = [[part["region"] for part in entry["parts"] if part["present"]] for entry in entries]
    assert present == [["face", "ears", "nose", "mouth"], ["eyes"]]


def test_each_part_shows_a_close_up_of_where_it_is_from(temp_folder):
    entries = shown(MixFaceParts.execute(A, eyes=B, nose=C, eyes_strength=0.5))
    for entry in entries:
        parts = {part["region"]: part for part in entry["parts"]}
        assert {region: part["source_index"] for region, part in parts.items()} == {
            "face": 0, "eyes": 1, "ears": 0, "nose": 2, "mouth": 0,
        }  # fmt: skip
        assert [parts["eyes"]["strength"], parts["nose"]["strength"]] == [0.5, 1.0]
        for part in parts.values():
            picture = Image.open(Path(temp_folder, part["source"]["subfolder"], part["source"]["filename"]))
            assert picture.width == picture.height <= 96


def test_the_close_up_shows_the_part_itself(temp_folder):
    nose = next(part for part in A.photos[0].parts if part.region == "nose")
    painted = PORTRAIT.copy()
    painted[nose.mask > 0] = (0, 255, 0)
    (entry,) = shown(MixFaceParts.execute(FaceParts((photo(painted),))))
    files = {part["region"]: part["source"] for part in entry["parts"]}
    greenness = {}
    for region, file in files.items():
        pixels = np.asarray(Image.open(Path(temp_folder, file["subfolder"], file["filename"]))).astype(int)
        greenness[region] = (pixels[..., 1] - pixels[..., 0]).mean()
    assert max(greenness, key=greenness.get) == "nose" and greenness["nose"] > 30


def test_a_part_that_no_photo_shows_has_no_close_up():
    (entry,) = shown(MixFaceParts.execute(FaceParts((photo(regions=("nose",)),))))
    sources = {part["region"]: part["source"] for part in entry["parts"]}
    assert sources["eyes"] is None and sources["nose"] is not None


# ---------------------------------------------------------------- the best of several photos


def blurred(radius):
    return photo(np.asarray(Image.fromarray(PORTRAIT).filter(ImageFilter.GaussianBlur(radius))))


def test_the_sharpest_photo_gives_the_parts_wherever_it_is_connected():
    sharp, batch = FaceParts((photo(),)), FaceParts((blurred(2), blurred(4)))
    for inputs in (
        {"face_parts": sharp, "face_parts_2": batch},
        {"face_parts": batch, "face_parts_3": sharp},
    ):
        best = BestFaceParts.execute(**inputs).args[0]
        assert [one.image is PORTRAIT for one, _ in best.parts()] == [True] * 5
        assert len(best.photos) == 3


def test_the_node_shows_which_photo_each_part_is_from():
    entries = shown(BestFaceParts.execute(FaceParts((blurred(2),)), face_parts_2=A))
    assert {part["source_index"] for part in entries[0]["parts"]} == {1}


def test_inputs_are_pooled_in_the_order_of_their_sockets():
    best = BestFaceParts.execute(A, keep=64, face_parts_3=C, face_parts_2=B).args[0]
    assert best.photos == (*A.photos, *B.photos, *C.photos)
