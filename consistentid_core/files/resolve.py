"""Find the files of the catalogue on a disk, by name."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import MissingModelError
from .catalogue import BUFFALO_L, DETECTOR, RECOGNISER, ModelFile


def named(file: ModelFile, folder: Path) -> Iterator[str]:
    """The paths, relative to one of its folders, under which a file or its safetensors conversion lies there.

    The released name comes first. What the files contain is not looked at.
    """
    for name in (file.name, *file.other_names):
        path = Path(file.subfolder, name)
        for candidate in dict.fromkeys((path, path.with_suffix(".safetensors"))):
            if (folder / candidate).is_file():
                yield str(candidate)


def candidate_folders(roots: Iterable[str | Path]) -> list[Path]:
    """Where ``buffalo_l`` may lie, best place first.

    roots: InsightFace folders, such as ``models/insightface``. The library's own folder in
    the user's home comes last. An archive unpacked into a folder of its own name lands one
    level deeper than it should, so that level is searched as well.
    """
    package = Path(BUFFALO_L.name).stem
    folders: dict[Path, None] = {}
    for root in (*map(Path, roots), Path.home() / ".insightface"):
        for folder in (root / "models" / package, root / package):
            folders[folder] = None
            folders[folder / package] = None
    return list(folders)


def find_face_models(roots: Iterable[str | Path]) -> tuple[Path, Path]:
    """The paths of the detector and the recogniser.

    Raises MissingModelError, saying which of the two is missing and every folder searched.
    """
    folders = candidate_folders(roots)
    missing = [DETECTOR, RECOGNISER]
    for folder in folders:
        absent = [file for file in (DETECTOR, RECOGNISER) if not (folder / file.name).is_file()]
        if not absent:
            return folder / DETECTOR.name, folder / RECOGNISER.name
        missing = min(missing, absent, key=len)
    raise MissingModelError(_missing_message(missing, folders))


def _missing_message(missing: list[ModelFile], folders: list[Path]) -> str:
    names = " and ".join(f"'{file.name}'" for file in missing)
    files = "; ".join(f"{file.name}: {file.size:,} bytes, sha256 {file.sha256}" for file in missing)
    searched = "\n".join(f"  {folder}" for folder in folders)
    return (
        f"InsightFace model {names} not found. Searched:\n{searched}\n"
        f"Download {BUFFALO_L.address} ({BUFFALO_L.size:,} bytes) and unpack it into {folders[0]}. Needed from it: "
        f"{files}. Or run in the pack's folder: python -m consistentid_core.files fetch "
        f"{' '.join(file.key for file in missing)}. InsightFace's models are licensed for {missing[0].licence}."
    )
