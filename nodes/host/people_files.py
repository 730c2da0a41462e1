"""Serves what the interface shows of saved people: what their files hold, and the pictures in them."""

import asyncio
import os
from functools import lru_cache
from typing import Any

from aiohttp import web
from server import PromptServer

from ...consistentid_core.errors import CheckpointError, MissingModelError
from ...consistentid_core.identity.library import Summary, read_summary
from ...consistentid_core.identity.person_card import thumbnail_jpeg
from . import folders

PEOPLE = "/consistentid/people"
THUMBNAIL = "/consistentid/people/thumbnail"


def register() -> None:
    """Tell ComfyUI's server about both; called once when the pack is loaded. Without a server nothing happens."""
    server = getattr(PromptServer, "instance", None)
    if server is not None:
        server.routes.get(PEOPLE)(show_people)
        server.routes.get(THUMBNAIL)(show_thumbnail)


async def show_people(request: web.Request) -> web.Response:
    """A JSON list with an entry for each file; see :func:`people`."""
    return web.json_response(await asyncio.to_thread(people))


async def show_thumbnail(request: web.Request) -> web.Response:
    """The picture in the file that ``file`` names, as JPEG; 404 with the reason if there is none to show."""
    try:
        picture = await asyncio.to_thread(thumbnail, request.query.get("file", ""))
    except (CheckpointError, MissingModelError) as error:
        raise web.HTTPNotFound(text=str(error)) from None
    # A person's picture stays in no cache that others read.
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=picture, content_type="image/jpeg", headers=headers)


def people() -> list[dict[str, Any]]:
    """What each file in the list of Load ID Embedding holds.

    ``file``, as in the list; ``stamp``, which changes with the file; ``name``, ``caption``, ``photos``, ``has_parts``
    and ``has_thumbnail``; or ``problem``, why it cannot be used, in place of these. ``folder/*`` has ``files``, how
    many.
    """
    files = folders.list_embeddings()
    entries = []
    for file in files:
        if os.path.basename(file) == "*":
            count = sum(os.path.dirname(other) == os.path.dirname(file) for other in files) - 1
            entries.append({"file": file, "files": count})
        else:
            entries.append({"file": file, **_described(file)})
    return entries


def thumbnail(file: str) -> bytes:
    """The picture in a file; raises CheckpointError or MissingModelError if there is none to show."""
    if file not in folders.list_embeddings() or os.path.basename(file) == "*":
        raise MissingModelError("There is no such file in the list of Load ID Embedding.")
    return thumbnail_jpeg(_summary(*folders.file_stamp(file, folders.EMBEDDINGS)).card)


def _described(file: str) -> dict[str, Any]:
    try:
        stamp = folders.file_stamp(file, folders.EMBEDDINGS)
        summary = _summary(*stamp)
    except (CheckpointError, MissingModelError, OSError) as error:
        return {"problem": str(error)}
    return {
        "stamp": f"{stamp[1]:x}",
        "name": summary.card.name,
        "caption": summary.card.caption,
        "photos": summary.photos,
        "has_parts": summary.has_parts,
        "has_thumbnail": summary.card.thumbnail != "",
    }


@lru_cache(maxsize=2048)
def _summary(path: str, modified: int, size: int) -> Summary:
    """Of a file as it was at that time; a library is looked at more often than it changes."""
    return read_summary(path)
