"""The portraits of a set by number, whatever form it has."""

from pathlib import Path

from ..errors import MissingModelError
from .folder_store import FolderPortraits
from .records import JSON
from .shard_store import INDEX, ShardPortraits


def open_portraits(root: str | Path) -> FolderPortraits | ShardPortraits:
    """A set in folders (ours or the original's) or in shards.

    Raises MissingModelError if the folder is none, CheckpointError if its index is damaged.
    """
    root = Path(root)
    if (root / INDEX).is_file():
        return ShardPortraits(root)
    if (root / JSON).is_dir():
        return FolderPortraits(root)
    raise MissingModelError(
        f"'{root}' holds no training data: neither {INDEX} (shards) nor {JSON} (folders). Build it first: "
        "python -m consistentid_core.data build PHOTOS SET"
    )
