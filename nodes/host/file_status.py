"""Tells the interface which of the files ConsistentID (simple) needs are there, before and after a run.

Nothing is read but the headers of files nobody has looked into yet, and no connection is opened.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import folder_paths
from aiohttp import web
from server import PromptServer

from ...consistentid_core.errors import AmbiguousModelError, MissingModelError
from ...consistentid_core.files.catalogue import CLIP_VISION, DETECTOR, FACE_PARSER, RECOGNISER, ModelFile
from ...consistentid_core.files.resolve import candidate_folders
from ...consistentid_core.finding import adapters_of, content_of
from ...consistentid_core.identity.providers import packages_to_install
from . import folders, model_choice

#: Asked with the node's choices: ``?model_name=auto&face_parser=auto``.
ADDRESS = "/consistentid/files"

#: What a line says of a file.
FOUND, MISSING, SEVERAL, OTHER = "found", "missing", "several", "other"


def register() -> None:
    """Answer the interface; called once when the pack is loaded. Without a server nothing happens."""
    server = getattr(PromptServer, "instance", None)
    if server is not None:
        server.routes.get(ADDRESS)(show)


async def show(request: web.Request) -> web.Response:
    """The lines for the choices in the query, which are ``auto`` if they are left out."""
    choices = (request.query.get(name, model_choice.AUTO) for name in ("model_name", "face_parser"))
    return web.json_response({"files": await asyncio.to_thread(lines, *choices)})


def lines(model_name: str, face_parser: str) -> list[dict[str, Any]]:
    """A line for each file and for the packages that read the recogniser.

    Each has ``key``, ``what``, ``state`` and ``where`` (the full path if it was found, else ""). With a file that is
    missing come ``name``, ``size`` (bytes or None), ``address``, ``place`` (the folder, as ``models/…``) and
    ``licence``; with several the error that names them, with another one what it is, as ``note``.
    """
    adapters = adapters_of(None)
    if model_name == model_choice.AUTO:
        # Of whatever family there is something: which one is needed, only the model knows.
        listed = [line for file in adapters if (line := _chosen(model_name, file))["state"] != MISSING]
        listed = listed or [_missing(file) for file in adapters]
    else:
        listed = [_chosen(model_name, *adapters)]
    return [
        *listed,
        _chosen(face_parser, FACE_PARSER),
        *_of_recognition(),
        _packages(),
        _of_any_name(CLIP_VISION),
    ]


def _chosen(choice: str, *wanted: ModelFile) -> dict[str, Any]:
    """The line of a file that a widget names, or that ``auto`` finds."""
    try:
        path = model_choice.find(choice, *wanted)
    except MissingModelError:
        return _missing(wanted[0]) | ({} if choice == model_choice.AUTO else {"note": choice})
    except AmbiguousModelError as error:
        return _line(wanted[0], SEVERAL) | {"note": str(error)}
    content = content_of(Path(path))
    if content.file not in wanted:
        return _line(wanted[0], OTHER, path) | {"note": content.kind}
    return _line(content.file, FOUND, path)


def _of_any_name(file: ModelFile) -> dict[str, Any]:
    """The line of a file that a node of the host loads, whichever of those that fit is chosen there."""
    found = model_choice.found(file)
    return _line(file, FOUND, found[0]) if found else _missing(file)


def _of_recognition() -> list[dict[str, Any]]:
    """The lines of detector and recogniser, which must be in one folder."""
    files = (DETECTOR, RECOGNISER)
    places = candidate_folders(folder_paths.get_folder_paths(folders.INSIGHTFACE))
    there = {place: [file for file in files if (place / file.name).is_file()] for place in places}
    best = max(places, key=lambda place: len(there[place]))
    return [
        _line(file, FOUND, str(best / file.name)) if file in there[best] else _missing(file) for file in files
    ]


def _packages() -> dict[str, Any]:
    line = {"key": "packages", "what": "packages for face recognition", "where": ""}
    arguments = packages_to_install()
    if not arguments:
        return line | {"state": FOUND}
    return line | {"state": MISSING, "note": f'"{sys.executable}" -m pip install {arguments}'}


def _line(file: ModelFile, state: str, where: str = "") -> dict[str, Any]:
    return {"key": file.key, "what": file.what, "state": state, "where": where}


def _missing(file: ModelFile) -> dict[str, Any]:
    archive = file.archive
    return _line(file, MISSING) | {
        "name": file.name,
        "size": archive.size if archive else file.size,
        "address": file.address,
        "place": f"models/{file.place}",
        "licence": file.licence,
    }
