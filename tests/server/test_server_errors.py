"""Bad input: the message names the node and the cause, and the server lives on."""

import pytest
from server_host import WIDE_CONSISTENTID, change, first

from tools.client import WorkflowRejected


@pytest.fixture(autouse=True)
def server_lives_on(host, plain_workflow):
    """After each of these tests the server still makes pictures."""
    yield
    assert host.server.is_running
    host.run(plain_workflow)


def rejected(host, workflow) -> dict:
    """The errors of a workflow the server must not accept: node class -> first error."""
    with pytest.raises(WorkflowRejected) as caught:
        host.client.run(workflow)
    errors = caught.value.body["node_errors"].values()
    return {error["class_type"]: error["errors"][0] for error in errors}


def test_a_model_file_that_is_not_there_is_rejected(host, workflow):
    change(workflow, "ConsistentIDModelLoader", model_name="gone.bin")
    error = rejected(host, workflow)["ConsistentIDModelLoader"]
    assert error["type"] == "value_not_in_list" and "gone.bin" in error["details"]


def test_a_weight_out_of_range_is_rejected(host, workflow):
    change(workflow, "ConsistentIDApply", weight=50.0)
    error = rejected(host, workflow)["ConsistentIDApply"]
    assert error["type"] == "value_bigger_than_max" and error["extra_info"]["input_name"] == "weight"


def test_a_missing_connection_is_rejected(host, workflow):
    del workflow[first(workflow, "ConsistentIDApply")]["inputs"]["id_embed"]
    error = rejected(host, workflow)["ConsistentIDApply"]
    assert error["type"] == "required_input_missing" and "id_embed" in error["details"]


def test_a_connection_of_the_wrong_type_is_rejected(host, workflow):
    photo = first(workflow, "LoadImage")
    change(workflow, "ConsistentIDFaceEncoder", face_parts=[photo, 0])
    error = rejected(host, workflow)["ConsistentIDFaceEncoder"]
    assert error["type"] == "return_type_mismatch" and "face_parts" in error["details"]


def test_the_errors_of_several_nodes_come_together(host, workflow):
    change(workflow, "ConsistentIDModelLoader", model_name="gone.bin")
    change(workflow, "ConsistentIDFaceParserLoader", model_name="gone.pth")
    assert set(rejected(host, workflow)) == {"ConsistentIDModelLoader", "ConsistentIDFaceParserLoader"}


@pytest.mark.parametrize(
    ("node", "inputs", "cause"),
    [
        ("ConsistentIDModelLoader", {"model_name": "truncated.bin"}, "truncated.bin"),
        ("ConsistentIDModelLoader", {"model_name": "not_a_model.bin"}, "not_a_model.bin"),
        ("ConsistentIDFaceParserLoader", {"model_name": "truncated.bin"}, "truncated.bin"),
        ("ConsistentIDFaceEncoder", {"prompt": "a <|facial|> man"}, "<|facial|>"),
    ],
)
def test_a_failing_node_says_what_is_wrong(host, workflow, node, inputs, cause):
    change(workflow, node, **inputs)
    error = host.fail(workflow)
    assert error["node_type"] == node
    assert cause in error["exception_message"]


def test_a_photo_without_a_face_is_named_with_what_was_tried(host, workflow):
    workflow["nobody"] = {"class_type": "LoadImage", "inputs": {"image": "nobody.png"}}
    change(workflow, "ConsistentIDEmbedding", image=["nobody", 0])
    error = host.fail(workflow)
    assert error["node_type"] == "ConsistentIDEmbedding"
    assert "No face found in the image (400x300)" in error["exception_message"]


@pytest.mark.parametrize(
    ("photo", "label_map", "cause"),
    [
        ("one_pixel.png", "astronaut_labels.png", "1x1 pixels"),
        ("astronaut.png", "only_background.png", "No part of a face"),
        ("astronaut.png", "astronaut.png", "coloured picture"),
    ],
)
def test_a_photo_or_map_that_cannot_be_used_is_named_with_the_cause(host, workflow, photo, label_map, cause):
    change(workflow, "LoadImage", image=photo)
    workflow["label_map"]["inputs"]["image"] = label_map
    del workflow["parsed_parts"]  # the face parser would complain about the photo too
    error = host.fail(workflow)
    assert error["node_type"] == "ConsistentIDFacePartsFromMap"
    assert cause in error["exception_message"]


def test_an_adapter_of_other_widths_is_refused_layer_by_layer(host, workflow):
    change(workflow, "ConsistentIDModelLoader", model_name=host.models[WIDE_CONSISTENTID].name)
    error = host.fail(workflow)
    assert error["node_type"] == "ConsistentIDApply"
    # The first level has the same width in both; the second has not.
    assert "layer 4 (input_blocks.4.1" in error["exception_message"]
    assert "layer 0 " not in error["exception_message"]
