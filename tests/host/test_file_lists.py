"""Model files from the nodes' side: lists with "auto" preselected, and how the files are read."""

from pathlib import Path

import comfy.utils
import folder_paths
import pytest
from consistentid_pack.consistentid_core.errors import AmbiguousModelError, CheckpointError, MissingModelError
from consistentid_pack.consistentid_core.files import weights_file
from consistentid_pack.consistentid_core.files.catalogue import FACE_PARSER
from consistentid_pack.nodes import NODES
from consistentid_pack.nodes.face_parser import FaceParserLoader
from consistentid_pack.nodes.host import folders, model_choice
from consistentid_pack.nodes.host.model_choice import AUTO
from consistentid_pack.nodes.model import LoadConsistentIDModel
from consistentid_pack.nodes.simple import ConsistentIDSimple
from golden_host import small_unet
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
    (FaceParserLoader, "model_name"),
    (ConsistentIDSimple, "face_parser"),
    (LoadConsistentIDModel, "model_name"),
    (ConsistentIDSimple, "model_name"),
]


@pytest.mark.parametrize(("node", "name"), INPUTS)
def test_auto_is_preselected_and_all_files_are_offered(models, node, name):
    assert (combo(node, name).options, combo(node, name).default) == ([AUTO], AUTO)
    for file in (ADAPTER, PARSER, "another.bin"):
        (models / file).touch()
    folder_paths.filename_list_cache.clear()
    found = combo(node, name)
    assert found.default == found.options[0] == AUTO
    assert set(found.options[1:]) == {ADAPTER, PARSER, "another.bin"}


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), RecursionError("too deep")])
@pytest.mark.parametrize("folder", [*folders.FACE_PARSING, folders.EMBEDDINGS])
def test_a_folder_that_cannot_be_listed_costs_its_files_only(models, monkeypatch, caplog, folder, error):
    """Such as one below it that may be listed but not entered."""
    (models / PARSER).touch()
    for name in (folders.EMBEDDINGS, folders.LLM, folders.DINO, *folders.FACE_RECOGNITION):
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


# ---------------------------------------------------------------- auto


@pytest.fixture
def files(models):
    """Adapters of both families and a parser, all under names that say something else."""
    for family in ("sd15", "sdxl"):
        write(models, flat(small_groups(family)), ".bin").rename(models / f"{family}_parsing.bin")
    bisenet.write(models / "consistentid.pth")
    return models


def refreshed():
    """What the host does by itself as soon as a folder's time has changed, which takes a moment in tests."""
    folder_paths.filename_list_cache.clear()


def test_auto_finds_the_file_by_what_it_holds(files):
    assert FaceParserLoader.execute(AUTO).args[0] is not None
    (files / "sdxl_parsing.bin").unlink()
    refreshed()
    assert LoadConsistentIDModel.execute(AUTO).args[0].family == "sd15"


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_connected_model_decides_between_families(files, family):
    model = small_unet(family)
    assert LoadConsistentIDModel.execute(AUTO, model).args[0].family == family
    other = {"sd15": "sdxl", "sdxl": "sd15"}[family]
    (files / f"{family}_parsing.bin").unlink()
    refreshed()
    with pytest.raises(MissingModelError, match=f"only .*{other}_parsing.bin"):
        LoadConsistentIDModel.execute(AUTO, model)


def test_without_a_model_two_families_are_named(files):
    with pytest.raises(AmbiguousModelError, match=r"sd15_parsing.bin \(SD1.5\), sdxl_parsing.bin \(SDXL\)"):
        LoadConsistentIDModel.execute(AUTO)


@pytest.mark.parametrize(
    ("node", "values"),
    [
        (LoadConsistentIDModel, {"model_name": AUTO, "model": None}),
        (ConsistentIDSimple, {"model_name": AUTO, "face_parser": AUTO, "weight": 1.0}),
    ],
)
def test_a_new_file_that_fits_changes_the_fingerprint_and_another_does_not(models, node, values):
    bisenet.write(models / "parser.pth")
    before = node.fingerprint_inputs(**values)
    (models / "other.bin").write_bytes(b"something")
    refreshed()
    assert node.fingerprint_inputs(**values) == before
    write(models, flat(small_groups()), ".bin").rename(models / "new.bin")
    refreshed()
    assert node.fingerprint_inputs(**values) != before


def test_extra_model_paths_are_looked_into(files, monkeypatch, tmp_path_factory):
    extra = tmp_path_factory.mktemp("extra")
    (files / "consistentid.pth").rename(extra / "anything.pth")
    refreshed()
    with pytest.raises(MissingModelError, match="auto found no BiSeNet face parser"):
        FaceParserLoader.execute(AUTO)
    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, "facexlib", ([str(files), str(extra)], {".bin", ".pth"})
    )
    refreshed()
    assert model_choice.find(AUTO, FACE_PARSER) == str(extra / "anything.pth")


def test_a_name_is_taken_as_before(files):
    assert LoadConsistentIDModel.execute("sdxl_parsing.bin").args[0].family == "sdxl"
    with pytest.raises(MissingModelError, match="Model file 'gone.bin' not found"):
        LoadConsistentIDModel.execute("gone.bin")
