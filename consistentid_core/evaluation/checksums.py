"""The names and sha256 of network files, which stand beside every score."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingModelError

#: Of a folder in transformers' layout, the file that holds the weights.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
#: A network whose name says this has weights without training; reports say so in large letters.
STAND_IN = "stand-in"


@dataclass(frozen=True)
class Network:
    """A network that judged.  role: what it is used as.  sha256: of its file."""

    role: str
    name: str
    sha256: str

    @property
    def is_stand_in(self) -> bool:
        return says_stand_in(self.name)


def says_stand_in(text: str) -> bool:
    """Whether a name or a path is that of a network without training."""
    return STAND_IN.replace("-", "") in text.lower().replace("-", "")


def sha256_of(path: Path) -> str:
    """64 hexadecimal digits; raises MissingModelError if there is no such file."""
    try:
        with path.open("rb") as file:
            return (
                hashlib.file_digest(file, "sha256").hexdigest()
                if hasattr(hashlib, "file_digest")
                else _read(file)
            )
    except OSError as error:
        raise MissingModelError(
            f"'{path}' cannot be read: {error.strerror}. Name a file that is there."
        ) from error


def _read(file: object) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):  # type: ignore[attr-defined]
        digest.update(block)
    return digest.hexdigest()


def weights_in(folder: Path, what: str) -> Path:
    """The weights of a model folder; raises MissingModelError if it has none."""
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise MissingModelError(
        f"No {what} in '{folder}': expected is config.json and {' or '.join(WEIGHTS)}. Put its files there, or leave "
        "the option out; what needs it is then listed as not computed."
    )
