"""The learning experiment in process against the pinned ComfyUI, whose UNet it trains on."""

import os
import sys

import pytest

from benchmarks.learning import HOST_ARGUMENTS
from tools import host, paths


@pytest.fixture(scope="session", autouse=True)
def comfyui():
    arguments = sys.argv
    host.start_host(os.environ.get("COMFYUI_PATH") or str(paths.COMFYUI), HOST_ARGUMENTS)
    sys.argv = arguments
