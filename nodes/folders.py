"""Where the pack's model files live under ComfyUI's ``models`` folder.

Folders that other packs or ``extra_model_paths.yaml`` registered under the same
name are kept: these calls only add a place to look.
"""

import os

import folder_paths

from ..consistentid_core.errors import MissingModelError

CONSISTENTID = "consistentid"
INSIGHTFACE = "insightface"
LLM = "LLM"

#: BiSeNet weights are shared with other packs, so their folders are searched too.
FACE_PARSING = (CONSISTENTID, "facexlib", "face_parsing")

_WEIGHT_EXTENSIONS = {".safetensors", ".bin", ".pt", ".pth", ".ckpt"}


def register() -> None:
    """Tell ComfyUI about our model folders; called once when the pack is loaded."""
    for name in (*FACE_PARSING, INSIGHTFACE, LLM):
        folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))
        # A folder type made by add_model_folder_path lists every file unless it is told which.
        paths, extensions = folder_paths.folder_names_and_paths[name]
        if name in FACE_PARSING:
            # A new set: other packs register lists, or the very set that ComfyUI uses itself.
            folder_paths.folder_names_and_paths[name] = (paths, {*extensions, *_WEIGHT_EXTENSIONS})


def list_weights(*names: str) -> list[str]:
    """The weight files in the named folders, each once, in the order of the folders."""
    files: dict[str, None] = {}
    for name in names:
        for file in folder_paths.get_filename_list(name):
            if os.path.splitext(file)[1].lower() in _WEIGHT_EXTENSIONS:
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


def file_stamp(file: str, *names: str) -> tuple[str, int, int]:
    """Changes when another file takes the place of this one; for ``fingerprint_inputs``."""
    path = find_weights(file, *names)
    status = os.stat(path)
    return path, status.st_mtime_ns, status.st_size
