"""A running ComfyUI server as the tests in tests/server use it."""

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from tools import workflow as workflows
from tools.base_directory import BaseDirectory
from tools.client import Client, Run
from tools.model_files import ModelFile
from tools.server import Server
from tools.workflow import Workflow

#: Of the pictures the tests make: small and short, but not so short that merging never happens.
SIZE, STEPS = 128, 4

#: What the server says about importing the pack: reported at the end, as no test should depend on a clock.
PACK_IMPORT_SECONDS = pytest.StashKey[str]()

#: Key of the full-size adapter, which does not fit the narrow base model.
WIDE_CONSISTENTID = "wide_consistentid"

#: A training set in the server's folder for data sets.
SET = "faces"

#: Keys of the models of the other family.
SDXL_CHECKPOINT, SDXL_CONSISTENTID = "sdxl_checkpoint", "sdxl_consistentid"


@dataclass(frozen=True)
class Host:
    """The running server, and what it was given."""

    server: Server
    client: Client
    base: BaseDirectory
    models: dict[str, ModelFile]

    def run(self, workflow: Workflow) -> Run:
        """Run a workflow that must succeed."""
        run = self.client.run(workflow)
        assert run.error is None, f"{run.error['node_type']}: {run.error['exception_message']}"
        return run

    def fail(self, workflow: Workflow) -> dict:
        """Run a workflow that must fail in a node; returns the server's message about it."""
        run = self.client.run(workflow)
        assert run.error is not None, "The workflow was expected to fail."
        return run.error

    def picture(self, file: dict) -> Image.Image:
        """A picture a node reported as {filename, subfolder, type, ...}."""
        place = {key: file[key] for key in ("filename", "subfolder", "type")}
        return Image.open(io.BytesIO(self.client.view(place)))

    def portraits(self, workflow: Workflow) -> list[np.ndarray]:
        """Run a workflow; the pixels of every picture it saves."""
        run = self.run(workflow)
        saved = workflows.nodes_of(workflow, "SaveImage")
        return [
            np.asarray(self.picture(file)) for node_id in saved for file in run.outputs[node_id]["images"]
        ]


def first(workflow: Workflow, class_type: str) -> str:
    """The id of the first node of a class."""
    return next(workflows.nodes_of(workflow, class_type))


def change(workflow: Workflow, class_type: str, **inputs: object) -> None:
    """Set inputs of the first node of a class."""
    workflow[first(workflow, class_type)]["inputs"].update(inputs)


def keep(workflow: Workflow, *class_types: str) -> Workflow:
    """The nodes of these classes alone."""
    return {node_id: node for node_id, node in workflow.items() if node["class_type"] in class_types}
