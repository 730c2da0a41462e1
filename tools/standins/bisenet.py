"""The face parser (BiSeNet, 19 classes) with random weights."""

import os
from pathlib import Path

import torch

from consistentid_core.faces.bisenet import BiSeNet

from .random_weights import GAIN, TensorPlan, part_path


def write(path: Path, *, seed: int = 0) -> None:
    """Write the released keys and shapes in float32 (53 MB): ``.safetensors``, else a pickle as released.

    What the parser then finds has nothing to do with the picture.
    """
    weights = {
        name: _plan(name, tuple(tensor.shape)).draw(name, seed)
        for name, tensor in BiSeNet(device="meta").state_dict().items()
    }
    path = Path(path)
    unfinished = part_path(path)
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(weights, unfinished, metadata={"format": "pt", "standin": "random weights"})
    else:
        torch.save(weights, unfinished)
    os.replace(unfinished, path)


def _plan(name: str, shape: tuple[int, ...]) -> TensorPlan:
    kind = name.rsplit(".", 1)[-1]
    if kind == "num_batches_tracked":
        return TensorPlan(shape, dtype=torch.int64)
    if len(shape) == 4:
        inputs, height, width = shape[1:]
        return TensorPlan(shape, GAIN * (inputs * height * width) ** -0.5, dtype=torch.float32)
    # Normalisation: close to doing nothing, whatever the running statistics of a real file are.
    is_scale = kind in ("weight", "running_var")
    return TensorPlan(shape, 0.05, mean=1.0 if is_scale else 0.0, dtype=torch.float32)
