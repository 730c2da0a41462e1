"""Where a run of the training node keeps its states, and where its weights go for the loader."""

import csv
import math
import re
from pathlib import Path

import folder_paths

from ...consistentid_core.files.atomic import copy_whole
from ...consistentid_core.files.quoting import quoted
from ...consistentid_core.training.state import AVERAGE, WEIGHTS, SaveError, saved_states
from ..host import folders

#: Below ComfyUI's output folder. Not in output/consistentid, whose files are people.
RUNS = "consistentid_training"

#: What the names of the files of a run end in: the newest weights, their running average, the best.
_KINDS = ("", "_ema", "_best")

_NAME = re.compile(r"[^\\/:*?\"<>|\x00-\x1f.][^\\/:*?\"<>|\x00-\x1f]*(?<!\.)")
#: Devices of Windows, whatever follows a dot; refused everywhere, since runs and files move between systems.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d) *(?:\..*)?", re.IGNORECASE)
#: Characters of a name, and bytes: file systems take 255, with an ending.
_LONGEST, _MOST_BYTES = 100, 200


def run_folder(name: str) -> Path:
    """The folder of a run.

    Raises ValueError for a name that cannot be a file's, or if the loader has a file of that name from elsewhere.
    """
    if not _is_file_name(name.strip()):
        raise ValueError(
            f"'{quoted(name)}' cannot be used as output_name: it becomes the name of a file and of a folder. Use "
            "letters, digits, spaces, - and _, without slashes, and no name of a device such as con."
        )
    folder = Path(folder_paths.get_output_directory()) / RUNS / name.strip()
    names = [f"{name.strip()}{kind}{suffix}" for kind in _KINDS for suffix in (".safetensors", ".bin")]
    # In another of the loader's folders such a file would be loaded in place of the run's.
    taken = [path for path in map(_hiding, names) if path]
    if not saved_states(folder / "states"):
        taken += [path for path in map(_listed, names) if path.exists()]
    if taken:
        raise ValueError(
            f"'{taken[0]}' is there already and no run in '{folder.parent}' made it. Choose another output_name, or "
            "move the file."
        )
    return folder


def _is_file_name(name: str) -> bool:
    if not _NAME.fullmatch(name) or _DEVICE.fullmatch(name) or len(name) > _LONGEST:
        return False
    try:
        return len(name.encode()) <= _MOST_BYTES
    except UnicodeEncodeError:
        return False


def publish(name: str, state: Path) -> str:
    """Copy the weights of a saved state to where Load ConsistentID Model lists them; returns their name there.

    The running average goes beside them as ``<name>_ema``, and the weights that validated best as ``<name>_best``.
    Raises SaveError if they cannot be copied.
    """
    found = {path.stem: path for path in state.iterdir()}
    best = [path for folder in sorted(state.parent.glob("best-*")) for path in folder.glob(f"{WEIGHTS}.*")]
    sources = dict(zip(_KINDS, (found[WEIGHTS], found.get(AVERAGE), *best[-1:]), strict=False))
    for kind, source in sources.items():
        if source is None:
            continue
        path = _listed(f"{name.strip()}{kind}{source.suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            copy_whole(source, path)
        except OSError as error:
            raise SaveError(
                f"The trained weights could not be copied to '{path}': {error}. They are whole in '{source.parent}'; "
                f"copy '{source.name}' from there under a name of your own."
            ) from error
    return f"{name.strip()}{found[WEIGHTS].suffix}"


def losses_of(folder: Path) -> list[float]:
    """The loss of every step of a run that was written down, those before an interruption included."""
    with (folder / "steps.csv").open(newline="", encoding="utf-8") as file:
        values = [float(row["loss"]) for row in csv.DictReader(file)]
    return [value for value in values if math.isfinite(value)]


def _hiding(file: str) -> str | None:
    """The file of this name that the loader finds, if it is not the one in :func:`_listed`."""
    found, own = folder_paths.get_full_path(folders.CONSISTENTID, file), _listed(file)
    return None if found is None or (own.exists() and own.samefile(found)) else found


def _listed(file: str) -> Path:
    # Not the first of the loader's folders: with extra_model_paths.yaml that is one that other programs share.
    return Path(folder_paths.models_dir) / folders.CONSISTENTID / file
