"""The interface in a real browser on a real server; the scenarios are in tests/web/browser.

One server for the whole session, on loopback, with stand-ins as models. A scenario is played once
per renderer; each test then looks at one thing it found.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw
from PIL import Image
from web_host import ASSETS, EARS, HAIR, SCREENSHOTS, Host

from tools import browser as browser_tools
from tools import paths
from tools.base_directory import base_directory
from tools.browser import Browser
from tools.client import Client
from tools.environment import Environment
from tools.model_files import by_folder_type, resolve
from tools.server import Server
from tools.standins import catalogue

_SCENARIO_SECONDS = 900


@pytest.fixture(scope="session")
def browser() -> Browser:
    return browser_tools.prepare()


@pytest.fixture(scope="session")
def host():
    environment = Environment(Path(sys.executable), Path(os.environ.get("COMFYUI_PATH") or paths.COMFYUI))
    models = resolve(catalogue.NARROW, folders=[])
    arguments = ["--cpu", "--cache-lru", "100"]
    with base_directory(by_folder_type(models.values())) as base:
        _make_pictures(base.input)
        with Server(environment, base, log=paths.LOGS / "web-server.log", arguments=arguments) as server:
            yield Host(server, Client(server.url), base, models)


@pytest.fixture(scope="session")
def play(browser, host) -> Callable[..., dict]:
    """Plays a scenario of tests/web/browser; returns what it found."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def play(scenario: str, renderer: str, *, palette: str = "dark", locale: str = "en") -> dict:
        options = {
            "url": host.server.url,
            "chromium": browser.chromium,
            "renderer": renderer,
            "palette": palette,
            "locale": locale,
            "screenshots": str(SCREENSHOTS),
            "models": {key: model.name for key, model in host.models.items()},
        }
        command = [browser.node, "browser/main.mjs", scenario, json.dumps(options)]
        done = subprocess.run(
            command,
            cwd=browser_tools.FOLDER,
            capture_output=True,
            encoding="utf-8",
            timeout=_SCENARIO_SECONDS,
        )
        if done.returncode != 0:
            pytest.fail(f"{scenario} in {renderer} came to no end:\n{done.stderr.strip()}", pytrace=False)
        return json.loads(done.stdout.splitlines()[-1])

    return play


def _make_pictures(folder: Path) -> None:
    photo, label_map = Image.open(ASSETS / "astronaut.png"), Image.open(ASSETS / "astronaut_labels.png")
    photo.save(folder / "astronaut.png")
    label_map.save(folder / "astronaut_labels.png")
    labels = np.array(label_map)
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    label_map.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored_labels.png")
    Image.fromarray(np.where(np.isin(labels, EARS), HAIR, labels).astype(np.uint8)).save(
        folder / "no_ears.png"
    )
    Image.fromarray(np.zeros_like(labels)).save(folder / "only_background.png")
    Image.fromarray(draw(600, 400, (150, 200, 100), (430, 200, 160))).save(folder / "two_faces.png")
