"""Model files from the nodes' side: lists with the likely file preselected, and how the files are read."""

from pathlib import Path

import comfy.utils
import folder_paths
import pytest
from consistentid_pack.consistentid_core.errors import CheckpointError
from consistentid_pack.consistentid_core.files import weights_file
from consistentid_pack.nodes import NODES
from consistentid_pack.nodes.face_parser import FaceParserLoader
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.model import LoadConsistentIDModel
from consistentid_pack.nodes.simple import ConsistentIDSimple
from small_checkpoints import flat, small_groups, write

from tools.standins import bisenet

ADAPTER, PARSER = "ConsistentID-v1.bin", "79999_iter.pth"


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder for all files of the pack, as people keep them; ComfyUI's lists follow it at once."""
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    for name in folders.FACE_PARSING:
        monkeypatch.setitem(folder_paths.folder_names_and_paths, name, ([str(tmp_path)], {".bin", ".pth"}))
    return tmp_path


def combo(node, name):
    (found,) = (one for one in node.define_schema().inputs if one.id == name)
    return found


INPUTS = [
    (FaceParserLoader, "model_name", PARSER),
    (ConsistentIDSimple, "face_parser", PARSER),
    (LoadConsistentIDModel, "model_name", ADAPTER),
    (ConsistentIDSimple, "model_name", ADAPTER),
]


@pytest.mark.parametrize(("node", "name", "likely"), INPUTS)
def test_the_likely_file_is_preselected_and_all_are_offered(models, node, name, likely):
    for file in (ADAPTER, PARSER, "another.bin"):
        (models / file).touch()
    found = combo(node, name)
    assert found.default == likely
    assert set(found.options) == {ADAPTER, PARSER, "another.bin"}


@pytest.mark.parametrize(("node", "name", "likely"), INPUTS)
def test_what_is_known_to_be_something_else_is_not_preselected(models, node, name, likely):
    other = ADAPTER if likely == PARSER else PARSER
    for file in (other, "zzz.bin"):
        (models / file).touch()
    assert combo(node, name).default == "zzz.bin"


@pytest.mark.parametrize(("node", "name", "likely"), INPUTS)
def test_an_empty_list_preselects_nothing(models, node, name, likely):
    found = combo(node, name)
    assert (found.options, found.default) == ([], None)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), RecursionError("too deep")])
@pytest.mark.parametrize("folder", [*folders.FACE_PARSING, folders.EMBEDDINGS])
def test_a_folder_that_cannot_be_listed_costs_its_files_only(models, monkeypatch, caplog, folder, error):
    """Such as one below it that may be listed but not entered."""
    (models / PARSER).touch()
    for name in (folders.EMBEDDINGS, folders.LLM):
        monkeypatch.setitem(folder_paths.folder_names_and_paths, name, ([str(models)], {".safetensors"}))
    list_files = folder_paths.get_filename_list

    def broken(name):
        if name == folder:
            raise error
        return list_files(name)

    monkeypatch.setattr(folder_paths, "get_filename_list", broken)
    for node in NODES:
        node.define_schema()
    assert folders.list_weights(*folders.FACE_PARSING) == [PARSER]
    assert f"The files in '{folder}' cannot be listed" in caplog.text


@pytest.mark.parametrize("disabled", [False, True])
def test_weights_stay_mapped_only_where_the_host_maps_files(models, monkeypatch, disabled):
    """With ``--disable-mmap`` nothing of the file is needed after loading."""
    monkeypatch.setattr(comfy.utils, "DISABLE_MMAP", disabled)
    monkeypatch.setattr(weights_file, "SMALL_FILE", 0)
    path = write(models, flat(small_groups()), ".bin")
    model = LoadConsistentIDModel.execute(path.name).args[0]
    maps = Path("/proc/self/maps").read_text("utf-8")
    assert (str(path) in maps) is not disabled
    assert model.family == "sd15"


def test_the_wrong_file_is_named_before_anything_else(models):
    write(models, flat(small_groups()), ".bin").rename(models / ADAPTER)
    with pytest.raises(CheckpointError) as error:
        FaceParserLoader.execute(ADAPTER)
    assert str(error.value).startswith(
        f"'{models / ADAPTER}' is a ConsistentID file, not a face parser: choose "
    )
    bisenet.write(models / PARSER)
    with pytest.raises(CheckpointError) as error:
        LoadConsistentIDModel.execute(PARSER)
    assert str(error.value).startswith(
        f"'{models / PARSER}' is a face parser, not a ConsistentID file: choose "
    )
