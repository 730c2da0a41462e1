"""Serve the interface's files and the workflows from a folder whose name has spaces or letters beyond ASCII.

ComfyUI serves ``/extensions/<folder>/`` and ``/workflow_templates/<folder>/`` through aiohttp's static route,
which (3.11 to 3.14 at least) compares the prefix as quoted in a URL with the unquoted path of a request, and
so never finds them.
"""

import re
from functools import partial
from pathlib import Path

from aiohttp import web

#: Not resolved: ComfyUI knows a linked folder by the name of the link.
_PACK = Path(__file__).parents[2]
_SAME_IN_A_URL = r"[A-Za-z0-9._~-]+"
#: Where ComfyUI serves files of the pack -> the pack's folder.
_SERVED = {"extensions": "web", "workflow_templates": "workflows"}


def serve() -> None:
    """Add routes for these files if the name of the pack's folder differs from its form in a URL."""
    if re.fullmatch(_SAME_IN_A_URL, _PACK.name):
        return
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is not None:  # a script can load packs without running a server
        for place, folder in _SERVED.items():
            # A placeholder with a pattern is compared with the unquoted path.
            address = f"/{place}/{{pack:{re.escape(_PACK.name)}}}/{{file:.+}}"
            server.routes.get(address)(partial(_answer, (_PACK / folder).resolve()))


async def _answer(folder: Path, request: web.Request) -> web.FileResponse:
    try:
        file = (folder / request.match_info["file"]).resolve()
        is_ours = file.is_relative_to(folder) and file.is_file()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ):  # no name at all: too long, a circle of links, a NUL character
        is_ours = False
    if not is_ours:
        raise web.HTTPNotFound
    return web.FileResponse(file)
