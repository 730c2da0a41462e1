"""Serve the interface's files from a folder whose name has spaces or letters beyond ASCII.

ComfyUI serves ``/extensions/<folder>/`` through aiohttp's static route, which (3.11 to 3.14 at least)
compares the prefix as quoted in a URL with the unquoted path of a request, and so never finds them.
"""

import re
import urllib.parse
from pathlib import Path

from aiohttp import web

#: Not resolved: ComfyUI knows a linked folder by the name of the link.
_PACK = Path(__file__).parents[1]
_WEB = (_PACK / "web").resolve()


def serve() -> None:
    """Add a route for the web files if the name of the pack's folder differs from its form in a URL."""
    if urllib.parse.quote(_PACK.name) == _PACK.name:
        return
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is not None:  # a script can load packs without running a server
        # A placeholder with a pattern is compared with the unquoted path.
        server.routes.get(f"/extensions/{{pack:{re.escape(_PACK.name)}}}/{{file:.+}}")(_answer)


async def _answer(request: web.Request) -> web.FileResponse:
    file = (_WEB / request.match_info["file"]).resolve()
    if not (file.is_relative_to(_WEB) and file.is_file()):
        raise web.HTTPNotFound
    return web.FileResponse(file)
