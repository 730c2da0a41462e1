"""A running ComfyUI server and its interface as the tests in tests/web use them."""

from dataclasses import dataclass

from tools import paths
from tools.base_directory import BaseDirectory
from tools.client import Client
from tools.model_files import ModelFile
from tools.server import Server

ASSETS = paths.WORKFLOWS / "assets"
SCREENSHOTS = paths.OUTPUT / "screenshots"

#: The classic canvas and "Nodes 2.0".
RENDERERS = ("classic", "nodes2")

#: Class ids of the astronaut's label map.
EARS = (7, 8)
HAIR = 17


@dataclass(frozen=True)
class Host:
    """The running server, and what it was given."""

    server: Server
    client: Client
    base: BaseDirectory
    models: dict[str, ModelFile]

    def size(self, file: dict[str, str]) -> int:
        """The bytes of a file a node reported."""
        return len(self.client.view({key: file[key] for key in ("filename", "subfolder", "type")}))
