"""Take model files out of the zip file they are released in."""

import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

from ..errors import DownloadError
from .catalogue import ModelFile


def unpack(packed: Path, files: Sequence[ModelFile]) -> Iterator[tuple[ModelFile, bytes]]:
    """The contents of the wanted files of an archive, in whatever folder of it they are.

    No more than the published size is unpacked of each.
    Raises DownloadError for an archive that cannot be read, lacks a file, or has another in its place.
    """
    try:
        with zipfile.ZipFile(packed) as archive:
            entries = {PurePosixPath(entry.filename).name: entry for entry in archive.infolist()}
            for file in files:
                if file.name not in entries:
                    raise DownloadError(f"'{packed}' has no {file.name}. Delete it, and fetch it again.")
                with archive.open(entries[file.name]) as member:
                    data = member.read(-1 if file.size is None else file.size + 1)
                if file.size not in (None, len(data)) or file.sha256 not in (None, sha256(data).hexdigest()):
                    raise DownloadError(
                        f"{file.name} in '{packed}' is another file than was published. Delete the archive, and fetch "
                        "it again."
                    )
                yield file, data
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DownloadError(
            f"'{packed}' is no readable zip file: {error}. Delete it, and fetch it again."
        ) from error
