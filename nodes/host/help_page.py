"""Serves the troubleshooting page, because the help pages link to it and the host serves only ``web/``."""

from pathlib import Path

from aiohttp import web
from server import PromptServer

#: Help pages link to it relatively, so that it is found behind a proxy with a path of its own.
ADDRESS = "/consistentid/troubleshooting"

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"


def register() -> None:
    """Tell ComfyUI's server about the page; called once when the pack is loaded. Without a server nothing happens."""
    server = getattr(PromptServer, "instance", None)
    if server is not None:
        server.routes.get(ADDRESS)(show)


async def show(request: web.Request) -> web.Response:
    """The page as plain text, which a browser shows instead of saving."""
    if not _PAGE.is_file():
        raise web.HTTPNotFound
    return web.Response(text=_PAGE.read_text("utf-8"), content_type="text/plain", charset="utf-8")
