"""Files the pack serves itself: found under a folder name with spaces, and nothing else, whatever is asked for."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from consistentid_pack.nodes.host import help_page, web_files
from server import PromptServer
from yarl import URL

PACK = "Gesichter für später"


@pytest.fixture
def routes(tmp_path, monkeypatch):
    """What a pack in a folder of that name registers with a server."""
    pack = tmp_path / PACK
    (pack / "web" / "js").mkdir(parents=True)
    (pack / "web" / "js" / "parts.js").write_text("// parts", "utf-8")
    (pack / "secret.txt").write_text("secret", "utf-8")

    class Server:
        routes = web.RouteTableDef()

    monkeypatch.setattr(web_files, "_PACK", pack)
    monkeypatch.setattr(PromptServer, "instance", Server(), raising=False)
    web_files.serve()
    help_page.register()
    return Server.routes


def ask(routes, *paths):
    """Status and text of each path."""

    async def answers():
        app = web.Application()
        app.add_routes(routes)
        async with TestClient(TestServer(app)) as client:
            found = []
            for path in paths:
                async with client.get(path) as response:
                    found.append((response.status, await response.text()))
            return found

    return asyncio.run(answers())


def test_a_file_of_the_interface_is_served(routes):
    assert ask(routes, f"/extensions/{PACK}/js/parts.js") == [(200, "// parts")]


@pytest.mark.parametrize(
    "file",
    [
        "js/gone.js",
        "js",
        "js/parts.js%00",
        "%00",
        "a" * 300,
        "a/" * 3000,
        "%2e%2e/secret.txt",
        "js/parts.js/x",
    ],
)
def test_everything_else_is_not_found(routes, file):
    (answer,) = ask(routes, URL(f"/extensions/{quote(PACK)}/{file}", encoded=True))
    assert answer[0] == 404


def test_a_pack_without_its_page_says_not_found(routes, monkeypatch):
    assert ask(routes, help_page.ADDRESS)[0][0] == 200
    monkeypatch.setattr(help_page, "_PAGE", Path("gone.md"))
    assert ask(routes, help_page.ADDRESS)[0][0] == 404
