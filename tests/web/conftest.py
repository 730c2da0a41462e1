"""The interface in a real browser on a real server; the scenarios are in tests/web/browser.

One server and one browser for each front end, with stand-ins as models. A scenario is played once per
interface; each test then looks at one thing it found. SCREENSHOTS=folder keeps pictures of what was seen.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw
from PIL import Image
from web_host import ASSETS, EARS, HAIR, INTERFACES, Host, Interface

from tools import browser as browser_tools
from tools import paths
from tools.base_directory import base_directory
from tools.browser import Browser
from tools.environment import Environment
from tools.model_files import by_folder_type, resolve
from tools.standins import catalogue


@pytest.fixture(scope="session")
def browser() -> Browser:
    return browser_tools.prepare()


@pytest.fixture(scope="session", params=INTERFACES, ids=str)
def interface(request) -> Interface:
    """Of the session, so that all scenarios of one interface follow each other."""
    return request.param


@pytest.fixture(scope="session")
def host(browser) -> Iterator[Host]:
    environment = Environment(Path(sys.executable), Path(os.environ.get("COMFYUI_PATH") or paths.COMFYUI))
    models = resolve(catalogue.NARROW, folders=[])
    with base_directory(by_folder_type(models.values())) as base:
        _make_pictures(base.input)
        with Host(environment, base, browser, models) as host:
            yield host


@pytest.fixture(scope="session")
def play(host) -> Callable[..., dict]:
    """Plays a scenario of tests/web/browser; returns what it found."""
    return host.play


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
