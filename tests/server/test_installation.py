"""The pack as the server sees it after start."""

import re

import pytest

from tools.base_directory import PACK_NAME

#: Ids of the nodes; released ids never change.
NODE_IDS = (
    "ConsistentIDModelLoader",
    "ConsistentIDFaceParserLoader",
    "ConsistentIDFaceParser",
    "ConsistentIDFacePartsFromMap",
    "ConsistentIDCaptionerLoader",
    "ConsistentIDFaceCaptioner",
    "ConsistentIDEmbedding",
    "ConsistentIDFaceEncoder",
    "ConsistentIDApply",
    "ConsistentIDSimple",
)


@pytest.fixture(scope="session")
def object_info(host) -> dict:
    return host.client.get("/object_info")


def test_the_server_imports_the_pack(host, record_testsuite_property):
    log = host.server.read_log()
    (imported,) = re.findall(rf"([\d.]+) seconds(.*): .*[/\\]{PACK_NAME}\n", log)
    seconds, remark = imported
    record_testsuite_property("pack_import_seconds", seconds)
    assert remark == ""


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_node_of_the_pack_is_offered_with_help(object_info, node_id):
    node = object_info[node_id]
    assert node["python_module"] == f"custom_nodes.{PACK_NAME}"
    assert node["description"]
    inputs = {**node["input"].get("required", {}), **node["input"].get("optional", {})}
    assert [
        name for name, (_, *options) in inputs.items() if not options or not options[0].get("tooltip")
    ] == []
    assert len(node["output_tooltips"]) == len(node["output"])
    assert all(node["output_tooltips"])


def test_every_node_of_the_pack_has_the_pack_s_prefix(object_info):
    own = [name for name, node in object_info.items() if node["python_module"] == f"custom_nodes.{PACK_NAME}"]
    assert [name for name in own if not name.startswith("ConsistentID")] == []


@pytest.mark.parametrize(
    ("node_id", "name", "key"),
    [
        ("ConsistentIDModelLoader", "model_name", "consistentid"),
        ("ConsistentIDFaceParserLoader", "model_name", "face_parser"),
        ("ConsistentIDCaptionerLoader", "model_name", "captioner"),
        ("ConsistentIDSimple", "model_name", "consistentid"),
        ("ConsistentIDSimple", "face_parser", "face_parser"),
    ],
)
def test_a_model_file_is_listed(object_info, host, node_id, name, key):
    _, options = object_info[node_id]["input"]["required"][name]
    assert host.models[key].name in options["options"]
