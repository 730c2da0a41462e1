"""``auto`` in the loaders: the file that fits, found by content in all folders the host knows."""

from pathlib import Path

import folder_paths

from ...consistentid_core.errors import MissingModelError
from ...consistentid_core.families import Family, family_of_adapter
from ...consistentid_core.files.catalogue import ModelFile
from ...consistentid_core.finding import Candidate, choose, family_of, fitting
from ...consistentid_core.networks.unet_layers import attention_layers
from . import folders

#: The first choice of every loader.
AUTO = "auto"


def find(choice: str, *wanted: ModelFile) -> str:
    """The full path of a file that was chosen by name, or of the one of the ``wanted`` that ``auto`` finds.

    Raises MissingModelError or AmbiguousModelError if that is none or several, saying what there is.
    """
    names = wanted[0].folders
    if choice != AUTO:
        return folders.find_weights(choice, *names)
    return str(choose(_candidates(names), _searched(names), *wanted).path)


def stamps(choice: str, *wanted: ModelFile) -> list[tuple[str, int, int]]:
    """Change when :func:`find` would give another file, or the file is another; for ``fingerprint_inputs``."""
    names = wanted[0].folders
    if choice != AUTO:
        return [folders.file_stamp(choice, *names)]
    return [folders.stamp(str(one.path)) for one in fitting(_candidates(names), *wanted)]


def families(*wanted: ModelFile) -> set[Family]:
    """The families of the adapters that ``auto`` has to choose from."""
    return {family_of(file) for file in wanted if fitting(_candidates(file.folders), file)}


def found(file: ModelFile) -> list[str]:
    """The full paths of all files that hold this one, in the host's folders for it."""
    return [str(one.path) for one in fitting(_candidates(file.folders), file)]


def family_of_model(model) -> Family | None:
    """The family of the host's MODEL, if ConsistentID exists for it."""
    config = model.model.model_config.unet_config
    if "transformer_depth" not in config:
        return None
    return family_of_adapter(config.get("context_dim"), len(attention_layers(config)))


def _candidates(names: tuple[str, ...]) -> list[Candidate]:
    """Every file a loader lists, each once, in the list's order."""
    candidates = []
    for file in folders.list_weights(*names):
        try:
            candidates.append(Candidate(file, Path(folders.find_weights(file, *names))))
        except MissingModelError:  # deleted since the list was made
            continue
    return candidates


def _searched(names: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(path for name in names for path in folder_paths.get_folder_paths(name)))
