"""A face cut out of a picture, made anew and pasted back with the host's own nodes, through the queue API."""

import numpy as np
import pytest
from drawn_faces import draw
from PIL import Image
from server_host import SIZE, STEPS, change, first

from tools import workflow as workflows

#: Two people; the one on the right is to be replaced.
GROUP = draw(800, 600, (200, 300, 90), (600, 300, 110))
RIGHT_ONE = {"order": "left_to_right", "face_index": 1, "smallest": 0}


@pytest.fixture
def group(host):
    Image.fromarray(GROUP).save(host.base.input / "group.png")
    return "group.png"


@pytest.fixture
def twin(host):
    def load(name):
        twin = workflows.load(f"{name}_api.json")
        workflows.use_models(twin, host.models)
        workflows.set_inputs(twin, "KSampler", steps=STEPS)
        # The parser's stand-in sees no face in a drawing.
        workflows.set_inputs(twin, "ConsistentIDFaceParser", no_face="no parts (original)")
        return twin

    return load


def require_only_the_right_face_changed(picture):
    changed = (picture != GROUP).any(axis=-1)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    side = 117 * 2.2  # the face is a little higher than wide, and has a margin
    assert abs((columns[0] + columns[-1]) / 2 - 600) < 12 and abs((rows[0] + rows[-1]) / 2 - 300) < 12
    assert 0.8 * side < columns[-1] - columns[0] < 1.2 * side
    # Towards the edge of the cut-out the photo comes back little by little.
    difference = np.abs(picture.astype(int) - GROUP).max(axis=-1)
    assert difference[rows[0] : rows[0] + 4].max() < 0.3 * difference.max()


def test_a_face_is_replaced_in_a_group_picture_and_nothing_else(host, twin, group):
    workflow = twin("consistentid_paste_back")
    (destination,) = (
        node["inputs"]["destination"][0]
        for node in workflow.values()
        if node["class_type"] == "ImageCompositeMasked"
    )
    workflow[destination]["inputs"]["image"] = group
    (crop,) = (node for node in workflow.values() if node["inputs"].get("image") == [destination, 0])
    crop["inputs"].update(RIGHT_ONE)
    # Without parts there is no mask to paint in: all of the cut-out is made anew.
    latent = workflow[first(workflow, "KSampler")]["inputs"]
    latent["latent_image"] = [first(workflow, "VAEEncode"), 0]
    (picture,) = host.portraits(workflow)
    require_only_the_right_face_changed(picture)


def test_a_second_pass_changes_the_small_face_alone(host, twin, group):
    workflow = twin("consistentid_second_pass")
    change(workflow, "EmptyLatentImage", width=SIZE, height=SIZE)
    # Random weights draw no face: the first pass is the group picture.
    workflow["group"] = {"class_type": "LoadImage", "inputs": {"image": group}}
    change(workflow, "ConsistentIDCropFace", image=["group", 0], **RIGHT_ONE)
    change(workflow, "ImageCompositeMasked", destination=["group", 0])
    (picture,) = host.portraits(workflow)
    require_only_the_right_face_changed(picture)


def test_a_face_that_is_not_there_is_reported_at_the_node(host, twin, group):
    workflow = twin("consistentid_second_pass")
    change(workflow, "EmptyLatentImage", width=SIZE, height=SIZE)
    workflow["group"] = {"class_type": "LoadImage", "inputs": {"image": group}}
    change(workflow, "ConsistentIDCropFace", image=["group", 0], face_index=2)
    change(workflow, "ImageCompositeMasked", destination=["group", 0])
    error = host.fail(workflow)
    assert error["node_type"] == "ConsistentIDCropFace"
    assert "Face 2 was asked for, but the image (800x600) shows 2" in error["exception_message"]
