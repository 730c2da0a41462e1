"""Where the pack's model files live under ComfyUI's ``models`` folder.

Folders that other packs or ``extra_model_paths.yaml`` registered under the same
name are kept: these calls only add a place to look.
"""

import logging
import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import comfy.utils
import folder_paths

from ...consistentid_core.errors import MissingModelError
from ...consistentid_core.files import catalogue

logger = logging.getLogger(__name__)

(CONSISTENTID,) = catalogue.CONSISTENTID_SD15.folders
(INSIGHTFACE,) = catalogue.RECOGNISER.folders
(LLM,) = catalogue.CAPTIONER.folders
(DINO,) = catalogue.DINO.folders
#: Recognisers that judge pictures have a folder of their own; InsightFace's may do it too.
FACE_RECOGNITION = catalogue.JUDGE.folders

#: People saved as files: below ``models/consistentid``, and where Save ID Embedding puts them.
EMBEDDINGS = "consistentid_embeddings"
_EMBEDDINGS_FOLDER = "embeddings"

#: BiSeNet weights are shared with other packs, so their folders are searched too.
FACE_PARSING = catalogue.FACE_PARSER.folders

_WEIGHT_EXTENSIONS = {".safetensors", ".bin", ".pt", ".pth", ".ckpt"}
ONNX = {".onnx"}


def register() -> None:
    """Tell ComfyUI about our model folders; called once when the pack is loaded."""
    for name in dict.fromkeys((*FACE_PARSING, *FACE_RECOGNITION, INSIGHTFACE, LLM, DINO)):
        folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))
        # A folder type made by add_model_folder_path lists every file unless it is told which.
        paths, extensions = folder_paths.folder_names_and_paths[name]
        if name in FACE_PARSING:
            # A new set: other packs register lists, or the very set that ComfyUI uses itself.
            folder_paths.folder_names_and_paths[name] = (paths, {*extensions, *_WEIGHT_EXTENSIONS})

    folder_paths.add_model_folder_path(
        EMBEDDINGS, os.path.join(folder_paths.models_dir, CONSISTENTID, _EMBEDDINGS_FOLDER)
    )
    folder_paths.add_model_folder_path(EMBEDDINGS, saved_embeddings())
    paths, _ = folder_paths.folder_names_and_paths[EMBEDDINGS]
    folder_paths.folder_names_and_paths[EMBEDDINGS] = (paths, {".safetensors"})


def saved_embeddings() -> str:
    """Where people are saved: a folder in ComfyUI's output folder."""
    return os.path.join(folder_paths.get_output_directory(), CONSISTENTID)


def _files_in(name: str) -> list[str]:
    """ComfyUI's list of the files in the folders of a type, or none and a warning if it cannot be made.

    A schema that raises loses its node, and a link in a circle or a folder without permission is enough for that.
    """
    try:
        return folder_paths.get_filename_list(name)
    except (OSError, RecursionError) as error:  # the latter from os.walk before Python 3.12
        logger.warning("The files in '%s' cannot be listed: %s", name, error)
        return []


def list_embeddings() -> list[str]:
    """The files with saved people, then ``<folder>/*`` for every subfolder with several."""
    files = _files_in(EMBEDDINGS)
    folders = Counter(map(os.path.dirname, files))
    return files + [
        os.path.join(folder, "*") for folder, count in sorted(folders.items()) if folder and count > 1
    ]


def has_embedding(name: str) -> bool:
    """Whether a saved person of this name is in any of the folders."""
    return any(
        os.path.isfile(os.path.join(folder, name)) for folder in folder_paths.get_folder_paths(EMBEDDINGS)
    )


def find_embeddings(name: str) -> list[str]:
    """The full paths of what :func:`list_embeddings` calls ``name``: of one file, or of all in a folder.

    Raises MissingModelError, naming every folder searched, if there is none.
    """
    if os.path.basename(name) == "*":
        folder = os.path.dirname(name)
        files = [file for file in _files_in(EMBEDDINGS) if os.path.dirname(file) == folder]
        if files:
            return [find_weights(file, EMBEDDINGS) for file in files]
    return [find_weights(name, EMBEDDINGS)]


def list_weights(*names: str, extensions: Collection[str] = _WEIGHT_EXTENSIONS) -> list[str]:
    """The weight files in the named folders, each once, in the order of the folders.

    extensions: in lower case, with the dot.
    """
    files: dict[str, None] = {}
    for name in names:
        for file in _files_in(name):
            is_person = name == CONSISTENTID and file.startswith(_EMBEDDINGS_FOLDER + os.sep)
            if os.path.splitext(file)[1].lower() in extensions and not is_person:
                files[file] = None
    return list(files)


def find_weights(file: str, *names: str) -> str:
    """The full path of a file from :func:`list_weights`.

    Raises MissingModelError, naming every folder searched, if it is gone.
    """
    for name in names:
        path = folder_paths.get_full_path(name, file)
        if path is not None:
            return path
    searched = [path for name in names for path in folder_paths.get_folder_paths(name)]
    raise MissingModelError(
        f"Model file '{file}' not found. Looked in: {', '.join(searched)}. "
        "Put the file into one of these folders and refresh the node list (press R)."
    )


def find_model_folder(name: str, kind: str) -> Path | None:
    """The full path of a model's folder below the folders of a kind; None if it has no ``config.json`` there."""
    found = (Path(root) / name for root in folder_paths.get_folder_paths(kind))
    return next((path for path in found if (path / "config.json").is_file()), None)


def maps_files() -> bool:
    """Whether weights may stay mapped from their files: ``--disable-mmap`` says no, for slow or unsteady drives."""
    return not comfy.utils.DISABLE_MMAP


def file_stamp(file: str, *names: str) -> tuple[str, int, int]:
    """Changes when another file takes the place of this one; for ``fingerprint_inputs``."""
    return stamp(find_weights(file, *names))


def stamp(path: str) -> tuple[str, int, int]:
    """:func:`file_stamp` of a full path."""
    status = os.stat(path)
    return path, status.st_mtime_ns, status.st_size
