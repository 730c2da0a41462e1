"""The two InsightFace model files of ``buffalo_l``: what they are and where they lie.

ConsistentID's ID projection was trained on this very recogniser; another one speaks of
another space of faces and cannot replace it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingModelError

PACKAGE = "buffalo_l"
ARCHIVE_URL = "https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip"
ARCHIVE_BYTES = 288_621_354


@dataclass(frozen=True)
class ModelFile:
    """A released file: name, size in bytes and checksum."""

    name: str
    size: int
    sha256: str


DETECTOR = ModelFile(
    "det_10g.onnx", 16_923_827, "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"
)
RECOGNISER = ModelFile(
    "w600k_r50.onnx", 174_383_860, "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"
)


def candidate_folders(roots: Iterable[str | Path]) -> list[Path]:
    """Where ``buffalo_l`` may lie, best place first.

    roots: InsightFace folders, such as ``models/insightface``. The library's own folder in
    the user's home comes last. An archive unpacked into a folder of its own name lands one
    level deeper than it should, so that level is searched as well.
    """
    folders: dict[Path, None] = {}
    for root in (*map(Path, roots), Path.home() / ".insightface"):
        for folder in (root / "models" / PACKAGE, root / PACKAGE):
            folders[folder] = None
            folders[folder / PACKAGE] = None
    return list(folders)


def find_model_files(roots: Iterable[str | Path]) -> tuple[Path, Path]:
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
        f"Download {ARCHIVE_URL} ({ARCHIVE_BYTES:,} bytes) and unpack it into {folders[0]}. Needed from it: "
        f"{files}. InsightFace's models are licensed for non-commercial research only."
    )
