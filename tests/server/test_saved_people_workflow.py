"""A person is saved in one workflow and drawn in another, without photo, face recognition and CLIP vision."""

from pathlib import Path

import numpy as np
import pytest
from server_host import change, first, keep

from tools.client import WorkflowRejected

#: What a loaded person makes superfluous.
OF_THE_PHOTO = (
    "LoadImage",
    "PreviewImage",
    "ConsistentIDFaceParserLoader",
    "ConsistentIDFaceParser",
    "ConsistentIDFacePartsFromMap",
    "ConsistentIDFaceCaptioner",
    "ConsistentIDEmbedding",
    "CLIPVisionLoader",
)


@pytest.fixture
def save(host, workflow):
    """Save the person of the portrait workflow; returns the name of the file as Load ID Embedding lists it."""

    def run(**inputs):
        saving = keep(workflow, *OF_THE_PHOTO)
        saving["save"] = {
            "class_type": "ConsistentIDSaveEmbedding",
            "inputs": {
                "id_embed": [first(workflow, "ConsistentIDEmbedding"), 0],
                "filename_prefix": "test",
                **inputs,
            },
        }
        (path,) = host.run(saving).outputs["save"]["text"]
        return Path(path).name

    return run


def with_loaded(workflow, name):
    """The portrait workflow with a loaded person in place of the photo."""
    workflow[first(workflow, "ConsistentIDApply")]["inputs"].pop("image", None)
    for node in ("ConsistentIDApply", "ConsistentIDFaceEncoder"):
        workflow[first(workflow, node)]["inputs"].pop("clip_vision")
    change(workflow, "ConsistentIDApply", id_embed=["person", 0], face_parts=["person", 1])
    change(workflow, "ConsistentIDFaceEncoder", face_parts=["person", 1])
    if isinstance(workflow[first(workflow, "ConsistentIDFaceEncoder")]["inputs"]["caption"], list):
        change(
            workflow, "ConsistentIDFaceEncoder", caption="One face, two ears, two eyes, one nose, one mouth."
        )
    loaded = {key: node for key, node in workflow.items() if node["class_type"] not in OF_THE_PHOTO}
    loaded["person"] = {
        "class_type": "ConsistentIDLoadEmbedding",
        "inputs": {"name": name, "combine": "norm mean"},
    }
    return loaded


def test_a_person_from_a_file_is_drawn_as_from_the_photo(host, workflow, save):
    encoder = workflow[first(workflow, "ConsistentIDFaceEncoder")]["inputs"]
    encoder["caption"] = "One face, two ears, two eyes, one nose, one mouth."
    parts = encoder["face_parts"]
    name = save(face_parts=parts, clip_vision=[first(workflow, "CLIPVisionLoader"), 0])
    # The same picture for CLIP as in the file.
    workflow[first(workflow, "ConsistentIDApply")]["inputs"].pop("image", None)
    change(workflow, "ConsistentIDApply", face_parts=parts)
    (from_photo,) = host.portraits(workflow)
    (from_file,) = host.portraits(with_loaded(workflow, name))
    difference = np.abs(from_photo.astype(int) - from_file.astype(int))
    assert difference.mean() < 0.5 and difference.max() <= 8


def test_a_photo_without_clip_vision_says_what_to_connect(host, workflow):
    for node in ("ConsistentIDApply", "ConsistentIDFaceEncoder"):
        workflow[first(workflow, node)]["inputs"].pop("clip_vision")
    error = host.fail(workflow)
    assert error["node_type"] in ("ConsistentIDApply", "ConsistentIDFaceEncoder")
    assert "clip_vision is not connected, but" in error["exception_message"]


def test_a_file_without_parts_says_so_where_they_are_needed(host, workflow, save):
    error = host.fail(with_loaded(workflow, save()))
    assert error["node_type"] in ("ConsistentIDApply", "ConsistentIDFaceEncoder")
    assert "holds no parts of the face" in error["exception_message"]


def test_a_file_that_is_not_there_is_rejected(host, workflow):
    with pytest.raises(WorkflowRejected, match="gone.safetensors"):
        host.client.run(with_loaded(workflow, "gone.safetensors"))
