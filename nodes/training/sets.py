"""The training sets that ComfyUI knows: built ones in its folders for data sets, and the pack's example."""

import logging
import os
from pathlib import Path

import folder_paths

from ...consistentid_core.data.build import build_here, open_store, plan
from ...consistentid_core.data.folder_store import FolderStore
from ...consistentid_core.data.progress import Progress
from ...consistentid_core.data.records import JSON
from ...consistentid_core.data.shard_store import INDEX
from ...consistentid_core.data.steps import Settings, check_settings
from ...consistentid_core.errors import MissingModelError
from ...consistentid_core.files.catalogue import FACE_PARSER
from ..host import folders, model_choice

logger = logging.getLogger(__name__)

#: Three portraits that come with the pack; the set is built from them when it is first used.
EXAMPLE = "example (3 portraits)"
_PHOTOS = Path(__file__).resolve().parents[2] / "docs" / "training_example"
#: Below the first folder for data sets.
_BUILT_EXAMPLE = "consistentid_example"

#: ComfyUI's key of these folders, from 0.24 on.
_KEY = "datasets"
#: Levels below such a folder that are looked through: a set may have tens of thousands of files.
_DEPTH = 3


def list_sets() -> list[str]:
    """The sets by their paths below ComfyUI's folders for data sets, and the example."""
    found: dict[str, None] = {}
    for root in _roots():
        for folder in _sets_below(root, _DEPTH):
            found[folder.relative_to(root).as_posix()] = None
    return [*sorted(name for name in found if name != _BUILT_EXAMPLE), EXAMPLE]


def find_set(name: str, path: str = "") -> Path:
    """The folder of a set.

    path: of a set that lies elsewhere, which counts instead of the name; may be empty.
    Raises MissingModelError if it is not there; for the example, if it cannot be built.
    """
    if path.strip():
        return Path(path.strip()).expanduser()
    if name == EXAMPLE:
        return _build_example(_roots()[0] / _BUILT_EXAMPLE)
    # What comes over a link is not checked against the list.
    if not {"..", Path(name).anchor} & {*Path(name).parts}:
        for root in _roots():
            if _is_set(root / name):
                return root / name
    raise MissingModelError(
        f"The training set '{name}' is not there. Looked in: {', '.join(map(str, _roots()))}. Press R to refresh the "
        "list; how a set is built from photos is in docs/data.md."
    )


def set_stamp(name: str, path: str = "") -> tuple[str, int]:
    """Changes when portraits are added to a set; for ``fingerprint_inputs``."""
    if name == EXAMPLE and not path.strip():
        return EXAMPLE, 0
    folder = find_set(name, path)
    counted = [one for one in (folder / INDEX, folder / JSON, folder) if one.exists()]
    return str(folder), counted[0].stat().st_mtime_ns if counted else 0


def _roots() -> list[Path]:
    if _KEY in folder_paths.folder_names_and_paths:
        return [Path(root) for root in folder_paths.get_folder_paths(_KEY)]
    return [Path(folder_paths.base_path) / _KEY]


def _is_set(folder: Path) -> bool:
    return (folder / INDEX).is_file() or (folder / JSON).is_dir()


def _sets_below(folder: Path, depth: int) -> list[Path]:
    """A schema that raises loses its node, so a folder that cannot be read is only told of."""
    try:
        inner = [Path(one.path) for one in os.scandir(folder) if one.is_dir()] if folder.is_dir() else []
    except OSError as error:
        logger.warning("The training sets in '%s' cannot be listed: %s", folder, error)
        return []
    sets = [one for one in inner if _is_set(one)]
    others = [one for one in inner if one not in sets] if depth > 1 else []
    return [*sets, *(found for one in others for found in _sets_below(one, depth - 1))]


def _build_example(root: Path) -> Path:
    """Build what is missing of the example set."""
    photos = _PHOTOS / "photos"
    store = open_store(root, FolderStore.kind)
    todo = plan(photos, store)
    if todo.pending:
        settings = Settings(
            face_parser=model_choice.find(model_choice.AUTO, FACE_PARSER),
            insightface=tuple(folder_paths.get_folder_paths(folders.INSIGHTFACE)),
            captions=f"file:{_PHOTOS / 'captions.json'}",
        )
        check_settings(settings)
        build_here(todo.pending, store, settings, Progress("Building the example set", len(todo.pending)))
    store.finish()
    return root
