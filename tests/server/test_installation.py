"""The pack as the server sees it after start: unpacked from the archive that users get."""

import re
import urllib.error
import urllib.parse
import urllib.request

import pytest
from node_ids import NODE_IDS
from server_host import PACK_IMPORT_SECONDS


@pytest.fixture(scope="session")
def object_info(host) -> dict:
    return host.client.get("/object_info")


def test_the_server_imports_the_pack(host, pytestconfig):
    log = host.server.read_log()
    (imported,) = re.findall(rf"([\d.]+) seconds(.*): .*[/\\]{re.escape(host.base.pack.name)}\n", log)
    seconds, remark = imported
    pytestconfig.stash[PACK_IMPORT_SECONDS] = seconds
    assert remark == ""


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_a_node_is_offered_as_one_of_the_pack_s(object_info, host, node_id):
    assert object_info[node_id]["python_module"] == f"custom_nodes.{host.base.pack.name}"


def test_every_node_of_the_pack_has_the_pack_s_prefix(object_info, host):
    module = f"custom_nodes.{host.base.pack.name}"
    own = [name for name, node in object_info.items() if node["python_module"] == module]
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


def test_everything_for_the_interface_is_served(host):
    web = host.base.pack / "web"
    files = sorted(path for path in web.rglob("*") if path.is_file())
    assert [path for path in files if path.suffix == ".js"] != []
    for path in files:
        place = f"extensions/{host.base.pack.name}/{path.relative_to(web).as_posix()}"
        with urllib.request.urlopen(f"{host.server.url}/{urllib.parse.quote(place)}") as answer:
            assert answer.read() == path.read_bytes()


@pytest.mark.parametrize("file", ["%2e%2e/pyproject.toml", "js/%2e%2e/%2e%2e/__init__.py", "js", "gone.js"])
def test_nothing_else_of_the_pack_is_served(host, file):
    address = f"{host.server.url}/extensions/{urllib.parse.quote(host.base.pack.name)}/{file}"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(address)


def test_the_texts_of_the_interface_are_offered_in_every_language(host):
    languages = sorted(folder.name for folder in (host.base.pack / "locales").iterdir())
    offered = host.client.get("/i18n")
    for language in languages:
        assert set(NODE_IDS) <= set(offered[language]["nodeDefs"])
    assert "en" in languages
