"""Inputs that several nodes have in common; each node says in its tooltip what its own does."""

from comfy_api.latest import io

from ...consistentid_core.files.catalogue import ModelFile
from . import folders
from .model_choice import AUTO


def strength(name: str, tooltip: str, *, optional: bool = False) -> io.Float.Input:
    """A factor, 1 as in the original; negative ones turn away from what it scales."""
    return io.Float.Input(name, default=1.0, min=-1.0, max=3.0, step=0.05, tooltip=tooltip, optional=optional)


def percent(name: str, default: float, tooltip: str, *, optional: bool = False) -> io.Float.Input:
    """A place in sampling: 0 is the first step, 1 the end."""
    return io.Float.Input(
        name, default=default, min=0.0, max=1.0, step=0.01, tooltip=tooltip, optional=optional
    )


class FileChoice(io.Combo.Input):
    """A choice of a file. The list changes while the server runs, so whoever opens the file says if it is gone."""


def weights_file(name: str, *wanted: ModelFile, tooltip: str) -> FileChoice:
    """``auto``, or a file in the folders of the ``wanted`` ones; the list shows all files.

    What is chosen is for :func:`.model_choice.find`.
    """
    files = folders.list_weights(*wanted[0].folders)
    return FileChoice(name, options=[AUTO, *files], default=AUTO, tooltip=tooltip)
