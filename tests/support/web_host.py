"""A running ComfyUI server and a browser on it as the tests in tests/web use them."""

import json
import os
import subprocess
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools import browser as browser_tools
from tools import frontend, paths
from tools.base_directory import BaseDirectory
from tools.browser import Browser
from tools.client import Client
from tools.environment import Environment
from tools.model_files import ModelFile
from tools.server import Server

ASSETS = paths.WORKFLOWS / "assets"

#: Class ids of the astronaut's label map.
EARS = (7, 8)
HAIR = 17

_SCENARIO_SECONDS = 900


@dataclass(frozen=True)
class Interface:
    """A way to show nodes: a renderer ("classic" or "nodes2") of the host's front end or of the newest one."""

    renderer: str
    is_newest: bool = False

    def __str__(self) -> str:
        return f"{self.renderer}-{frontend.VERSION}" if self.is_newest else self.renderer


CLASSIC, NODES2 = Interface("classic"), Interface("nodes2")
NEWEST = Interface("nodes2", is_newest=True)
INTERFACES = (CLASSIC, NODES2, NEWEST)


class Host:
    """One base directory, and at a time one server and one browser on it, on loopback."""

    def __init__(
        self, environment: Environment, base: BaseDirectory, browser: Browser, models: dict[str, ModelFile]
    ) -> None:
        self._environment = environment
        self._base = base
        self._browser = browser
        self._models = models
        self._running = ExitStack()
        self._is_newest: bool | None = None

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def play(self, scenario: str, interface: Interface, *, locale: str = "en") -> dict[str, Any]:
        """Play a scenario of tests/web/browser; returns what it found."""
        if self._is_newest != interface.is_newest:
            self._start(interface.is_newest)
        pictures = os.environ.get("SCREENSHOTS")
        return self._player.play(
            scenario,
            {
                "url": self._server.url,
                "renderer": interface.renderer,
                "locale": locale,
                "screenshots": pictures and str(Path(pictures).resolve()),
                "models": {key: model.name for key, model in self._models.items()},
            },
        )

    @property
    def output(self) -> Path:
        """The server's output folder."""
        return self._base.output

    def size(self, file: dict[str, str]) -> int:
        """The bytes of a file a node reported."""
        place = {key: file[key] for key in ("filename", "subfolder", "type")}
        return len(Client(self._server.url).view(place))

    def _start(self, is_newest: bool) -> None:
        self._running.close()
        arguments = ["--cpu", "--cache-lru", "100"]
        if is_newest:
            arguments += ["--front-end-root", str(frontend.prepare(self._environment.python))]
        server = Server(self._environment, self._base, log=paths.LOGS / "web-server.log", arguments=arguments)
        self._server = self._running.enter_context(server)
        self._player = self._running.enter_context(_Player(self._browser))
        self._is_newest = is_newest


class _Player:
    """The Node.js process that plays scenarios, one after the other, in one browser."""

    def __init__(self, browser: Browser) -> None:
        self._command = [browser.node, "browser/main.mjs", browser.chromium]

    def __enter__(self) -> "_Player":
        self._process = subprocess.Popen(
            self._command,
            cwd=browser_tools.FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()  # the end of its input is the end of its work

    def play(self, scenario: str, options: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        watch = threading.Timer(_SCENARIO_SECONDS, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps({"scenario": scenario, "options": options}) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "The browser has gone."}')
        finally:
            watch.cancel()
        if "error" in answer:
            pytest.fail(
                f"{scenario} in {options['renderer']} came to no end:\n{answer['error']}", pytrace=False
            )
        return answer["found"]
