"""The golden data: numbers the original implementation produced.

``CONSISTENTID_GOLDEN_DIR`` names another folder of the same layout (other salt,
other cases); the same tests must pass there, so they are driven by its manifests.
"""

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
from golden import synthetic
from safetensors.torch import load_file

#: Manifests that describe the released files, not one golden set.
REFERENCE = Path(__file__).parents[1] / "golden"
DIRECTORY = Path(os.environ.get("CONSISTENTID_GOLDEN_DIR") or REFERENCE)


@cache
def manifest(name: str):
    """``<name>.json`` of the golden set."""
    return json.loads((DIRECTORY / f"{name}.json").read_text("utf-8"))


@cache
def tensors(name: str):
    """``<name>.safetensors`` of the golden set, key -> tensor."""
    return load_file(DIRECTORY / f"{name}.safetensors")


@cache
def reference(name: str):
    """A manifest of the released files: ``checkpoint_*`` or ``layers_*``."""
    return json.loads((REFERENCE / f"{name}.json").read_text("utf-8"))


SALT: str = manifest("selfcheck")["salt"]


def normal(key: str, shape, std: float = 1.0):
    """The set's float32 normal tensor for ``key``."""
    import torch

    return torch.from_numpy(synthetic.normal(key, shape, std, SALT))


def state_dict(shapes, prefix: str):
    """The set's synthetic weights for a {key: shape} mapping."""
    import torch

    return {k: torch.from_numpy(np.asarray(v)) for k, v in synthetic.state_dict(shapes, prefix, SALT).items()}


def image(key: str, height: int, width: int):
    """The set's uint8 RGB test picture (H, W, 3)."""
    return synthetic.image(key, height, width, salt=SALT)
