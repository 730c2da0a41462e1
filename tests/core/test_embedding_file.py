"""People in files: everything comes back, nothing half-written, and every wrong file is named."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_core.faces.face_parts import FaceParts, FacePhoto, StoredPart, StoredPhoto, ZeroImage
from consistentid_core.files.atomic import write_numbered
from consistentid_core.identity.embedding_file import EXTENSION, Person, read_person, to_bytes
from consistentid_core.identity.id_embedding import CONCAT, RGB, IDEmbedding
from consistentid_core.text.pairing import BY_NAME

PARTS = [("Left_Eye", "eyes"), ("Lips", "mouth")]


def features(seed):
    return torch.randn(257, 1280, generator=torch.Generator().manual_seed(seed))


def vectors(count=1):
    rows = torch.randn(count, 512, generator=torch.Generator().manual_seed(9))
    return rows / rows.norm(dim=1, keepdim=True)


def face(photos=2, zero_image=None):
    return FaceParts(
        tuple(
            StoredPhoto(
                features(10 * i),
                tuple(StoredPart(*names, features(10 * i + k), 1.5 * k) for k, names in enumerate(PARTS, 1)),
                zero_image,
            )
            for i in range(photos)
        ),
        {"eyes": 1.25},
        BY_NAME,
        (1.0, 0.5)[:photos],
    )


PERSON = Person(
    IDEmbedding(vectors(2), RGB, photos=2, combine=CONCAT, source="0f" * 16),
    face(zero_image=ZeroImage(features(99))),
)


@pytest.fixture
def path(tmp_path):
    return write_numbered(to_bytes(PERSON), tmp_path, "anna", EXTENSION)


@pytest.fixture
def forge(tmp_path, path):
    """Another file: forge(tensors, key=value) with changed tensors and header; a value of None is left out."""

    def write(tensors=None, **changes):
        with safe_open(path, framework="pt") as file:
            metadata = {**file.metadata(), **changes}
        kept = {key: value for key, value in metadata.items() if value is not None}
        changed = {
            key: value for key, value in {**load_file(path), **(tensors or {})}.items() if value is not None
        }
        save_file(changed, tmp_path / "forged.safetensors", kept)
        return tmp_path / "forged.safetensors"

    return write


# ---------------------------------------------------------------- writing and reading


def test_the_id_embedding_comes_back_bit_for_bit(path):
    loaded = read_person(path).embedding
    assert torch.equal(loaded.vector, PERSON.embedding.vector)
    for field in ("channel_order", "recogniser", "photos", "combine", "source"):
        assert getattr(loaded, field) == getattr(PERSON.embedding, field)


def test_the_face_comes_back_with_its_settings(path):
    loaded, saved = read_person(path).face_parts, PERSON.face_parts
    assert (loaded.strengths, loaded.pairing, loaded.id_weights) == ({"eyes": 1.25}, BY_NAME, (1.0, 0.5))
    for photo, original in zip(loaded.photos, saved.photos, strict=True):
        assert [(p.name, p.region, p.quality) for p in photo.parts] == [
            (p.name, p.region, p.quality) for p in original.parts
        ]


def test_features_come_back_to_half_precision(path):
    for photo, original in zip(read_person(path).face_parts.photos, PERSON.face_parts.photos, strict=True):
        for one, other in zip((photo, *photo.parts), (original, *original.parts), strict=True):
            assert one.features.dtype == torch.float32
            assert torch.equal(one.features, other.features.half().float())


def test_the_zero_image_comes_back_once_for_all_photos(path):
    loaded = read_person(path).face_parts
    (zero_image,) = {photo.zero_image for photo in loaded.photos}
    assert zero_image is loaded.zero_image
    assert torch.equal(zero_image.features, features(99).half().float())
    assert load_file(path)["zero_image"].dtype == torch.float16


def test_a_file_without_the_zero_image_is_read_and_written_as_it_is(forge, tmp_path):
    loaded = read_person(forge({"zero_image": None}))
    assert loaded.face_parts.zero_image is None
    assert "zero_image" not in load_file(write_numbered(to_bytes(loaded), tmp_path, "anna", EXTENSION))


def test_features_too_large_for_half_precision_keep_full_precision(tmp_path):
    large = features(5) * 1e5
    photo = StoredPhoto(large, (StoredPart("Nose", "nose", features(6)),))
    (loaded,) = read_person(
        write_numbered(to_bytes(Person(PERSON.embedding, FaceParts((photo,)))), tmp_path, "anna", EXTENSION)
    ).face_parts.photos
    assert torch.equal(loaded.features, large)


def test_a_loaded_person_saved_again_has_the_same_contents(path, tmp_path):
    again = write_numbered(to_bytes(read_person(path)), tmp_path, "anna", EXTENSION)
    before, after = load_file(path), load_file(again)
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    with safe_open(path, framework="pt") as one, safe_open(again, framework="pt") as other:
        assert one.metadata() == other.metadata()


def test_an_id_embedding_alone_makes_a_file_of_a_few_kilobytes(tmp_path):
    path = write_numbered(to_bytes(Person(IDEmbedding(vectors()))), tmp_path, "anna", EXTENSION)
    assert read_person(path).face_parts is None
    assert path.stat().st_size < 4000


def test_the_file_can_be_read_with_safetensors_alone(path):
    tensors = load_file(path)
    assert tensors["id_embeds"].shape == (2, 512) and tensors["id_embeds"].dtype == torch.float32
    assert tensors["photo.1.mouth"].shape == (257, 1280) and tensors["photo.1.mouth"].dtype == torch.float16
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    assert (header["format"], header["version"], header["kind"]) == ("consistentid_embedding", "1", "person")
    assert json.loads(header["face_parts"])["photos"][0][0] == {
        "name": "Left_Eye", "region": "eyes", "quality": 1.5,
    }  # fmt: skip


def test_photos_with_pictures_cannot_be_written():
    picture = FacePhoto(torch.zeros(8, 8, 3, dtype=torch.uint8).numpy(), ())
    with pytest.raises(ValueError, match="Only stored photos"):
        to_bytes(Person(PERSON.embedding, FaceParts((picture,))))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["id_embeds", "photo.1", "photo.0.mouth", "zero_image"])
def test_a_person_with_values_that_are_not_numbers_cannot_be_saved(value, key):
    person = Person(IDEmbedding(vectors(2), combine=CONCAT), face(zero_image=ZeroImage(features(99))))
    one, other = person.face_parts.photos
    tensors = {
        "id_embeds": person.embedding.vector,
        "photo.1": other.features,
        "photo.0.mouth": one.parts[1].features,
        "zero_image": person.face_parts.zero_image.features,
    }
    tensors[key][1, 7] = value
    with pytest.raises(ValueError, match=f"cannot be saved: {key} holds values that are not numbers"):
        to_bytes(person)


# ---------------------------------------------------------------- files that are something else


def refused(path, text):
    with pytest.raises(CheckpointError, match=text) as error:
        read_person(path)
    assert path.name in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingModelError, match="nobody"):
        read_person(tmp_path / "nobody.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(path, "empty file|cut short")


def test_a_file_of_another_program_is_refused(forge):
    refused(forge(format=None), "no file of Save ID Embedding: its header says 'nothing about its format'")
    refused(forge(format="pt"), "its header says 'pt'")


@pytest.mark.parametrize("version", ["2", "0", "", "1.0"])
def test_another_version_is_refused(forge, version):
    refused(forge(version=version), f"version '{version}'.*reads version 1. Update the pack")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": "style"}, "the kind 'style'; ConsistentID needs person"),
        (
            {"recogniser": "glintr100.onnx"},
            "the recogniser 'glintr100.onnx'; ConsistentID needs w600k_r50.onnx",
        ),
        ({"recogniser": None}, "the recogniser 'None'"),
        ({"channel_order": "GRB"}, "the channel order 'GRB'; ConsistentID needs BGR or RGB"),
        ({"combine": "sum"}, "the combine method 'sum'"),
        ({"clip_vision": "1024 24 14"}, "the CLIP vision model '1024 24 14'; ConsistentID needs 1280 32 14"),
    ],
)
def test_what_the_file_was_made_with_is_checked(forge, change, text):
    refused(forge(**change), text)


def described(quality=1.0, times=1, **changes):
    """The description of a face of two photos, with changes; without any it is read."""
    part = {"name": "Left_Eye", "region": "eyes", "quality": quality}
    lips = {"name": "Lips", "region": "mouth", "quality": 1.0}
    description = {
        "photos": [[part] * times + [lips]] * 2,
        "strengths": {},
        "pairing": "by name",
        "id_weights": None,
    }
    return json.dumps(description | changes)


def test_a_description_of_the_tensors_in_the_file_is_read(forge):
    assert len(read_person(forge(face_parts=described())).face_parts.photos) == 2


def test_a_long_text_in_a_header_makes_no_long_message(forge):
    for change in ({"format": "x" * 10**6}, {"combine": "x" * 10**6}, {"photos": "x" * 10**6}):
        with pytest.raises(CheckpointError) as error:
            read_person(forge(**change))
        assert len(str(error.value)) < 1000


def test_a_file_that_may_not_be_read_is_no_damaged_one(path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    refused(path, "cannot be opened: Permission denied")


@pytest.mark.parametrize(
    ("tensors", "change"),
    [
        ({"id_embeds": None}, {}),
        ({"id_embeds": torch.zeros(1, 511)}, {}),
        ({"id_embeds": torch.zeros(40, 512)}, {}),
        ({"id_embeds": torch.full((1, 512), float("nan"))}, {}),
        ({"id_embeds": torch.zeros(1, 512, dtype=torch.float16)}, {}),
        ({"photo.0": None}, {}),
        ({"photo.0.eyes": torch.zeros(50, 1280)}, {}),
        ({"photo.1": torch.full((257, 1280), float("inf"))}, {}),
        ({"zero_image": torch.zeros(1, 257, 1280)}, {}),
        ({"zero_image": torch.full((257, 1280), float("nan"))}, {}),
        ({"id_embeds": torch.zeros(1, 512).to(torch.float8_e4m3fn)}, {}),
        ({"id_embeds": torch.full((1, 512), 0.05)}, {}),
        ({"photo.2": torch.zeros(257, 1280)}, {}),
        ({"photo.0": torch.zeros(257, 1280, dtype=torch.int64)}, {}),
        ({"photo.0.eyes": torch.zeros(257, 1280, dtype=torch.float64)}, {}),
        ({}, {"photos": "many"}),
        ({}, {"photos": "-1"}),
        ({}, {"photos": "1_000"}),
        ({}, {"photos": "9" * 400}),
        ({}, {"face_parts": described(quality=10**400)}),
        ({}, {"face_parts": described(quality=float("nan"))}),
        ({}, {"face_parts": described(quality=-1)}),
        ({}, {"face_parts": described(quality="1.5")}),
        ({}, {"face_parts": described(quality=True)}),
        ({}, {"face_parts": described(quality=None)}),
        ({}, {"face_parts": described(times=2)}),
        ({}, {"face_parts": described(strengths={"eyes": 10**400})}),
        ({}, {"face_parts": described(strengths={"eyes": "1"})}),
        ({}, {"face_parts": described(id_weights=[10**400, 1])}),
        ({}, {"face_parts": described(id_weights="11")}),
        ({}, {"face_parts": "[" * 100_000}),
        ({}, {"face_parts": "{"}),
        ({}, {"face_parts": "[]"}),
        ({}, {"face_parts": '{"photos": [], "strengths": {}, "pairing": "by name", "id_weights": null}'}),
        ({}, {"face_parts": '{"photos": [[]], "strengths": {}, "pairing": "?", "id_weights": null}'}),
        ({}, {"face_parts": '{"photos": [[]], "strengths": {}, "pairing": "by name", "id_weights": [0]}'}),
        ({}, {"face_parts": '{"photos": [[]], "strengths": {}, "pairing": "by name", "id_weights": [NaN]}'}),
        (
            {},
            {
                "face_parts": '{"photos": [[]], "strengths": {"eyes": 3}, "pairing": "by name", "id_weights": null}'
            },
        ),
        (
            {},
            {
                "face_parts": '{"photos": [[]], "strengths": {"eyes": NaN}, "pairing": "by name", "id_weights": null}'
            },
        ),
        ({}, {"face_parts": '{"photos": [[{"name": "Nose", "region": "eyes", "quality": 0}]]}'}),
    ],
)
def test_contents_that_do_not_fit_the_header_are_refused(forge, tensors, change):
    refused(forge(tensors, **change), "do not fit its header.*Make the file again")


@pytest.mark.parametrize("extension", [".bin", ".pt", ".ipadpt", ".png"])
def test_only_safetensors_files_are_opened(tmp_path, extension):
    path = tmp_path / f"anna{extension}"
    path.write_bytes(b"anything")
    refused(path, "those end in .safetensors")


def test_a_pickle_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    path = tmp_path / "anna.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    refused(path, "pickle")
    assert not (tmp_path / "exploded").exists()
