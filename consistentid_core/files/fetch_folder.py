"""Fetch a model of many files from the hub, on command only; the hub's own library resumes and checks them."""

import json
import sys
from pathlib import Path

from ..errors import DownloadError, MissingDependencyError
from .fetch import HUB

#: The files of a model repository that are needed; a second copy of the weights is not.
NEEDED = ("*.json", "*.jinja", "*.safetensors", "tokenizer.model")


def is_whole(folder: Path) -> bool:
    """Whether all of a model lies in a folder: its settings, which come first, and all its weights."""
    if not (folder / "config.json").is_file():
        return False
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    try:
        weights = json.loads(index.read_text("utf-8"))["weight_map"].values()
        return all((folder / name).is_file() for name in weights)
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return False


def fetch_folder(address: str, target: Path) -> None:
    """Fetch a hub repository to a folder.

    address: its page on the hub.
    Raises DownloadError if it cannot be fetched, MissingDependencyError without huggingface_hub.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError(
            f"Fetching a folder needs the package huggingface_hub: {error}. Install it into the Python that runs this: "
            f'"{sys.executable}" -m pip install huggingface_hub'
        ) from error
    hub_id = address.removeprefix(f"{HUB}/")
    try:
        snapshot_download(hub_id, allow_patterns=list(NEEDED), local_dir=target)
    except (OSError, ValueError) as error:  # what the library's own errors derive from
        raise DownloadError(
            f"'{hub_id}' could not be fetched from the hub: {error} Look at the connection, and run the command again."
        ) from error
