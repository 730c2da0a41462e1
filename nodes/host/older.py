"""What the older versions of ComfyUI that the pack runs on lack; the newer ones' own is used where there is one.

Nothing else in the pack knows versions. A guard goes when ``requires-comfyui`` in pyproject.toml has passed it.
"""

from dataclasses import fields
from typing import Any

import comfy.model_management
import comfy.ops
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

#: For ``io.Schema``: a run that takes the node from the cache shows its previews again. From 0.19 on; before, the
#: interface remembers what it last showed, and an unknown keyword would lose the whole pack.
SHOWN_ON_CACHED_RUNS: dict[str, Any] = (
    {"has_intermediate_output": True}
    if "has_intermediate_output" in {field.name for field in fields(io.Schema)}
    else {}
)


class _BatchNorm2d(torch.nn.BatchNorm2d, comfy.ops.CastWeightBiasOp):
    """Follows its input's device and dtype, as the layers of ``comfy.ops.manual_cast`` do."""

    comfy_cast_weights = True

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        weight, bias = comfy.ops.cast_bias_weight(self, pixels)
        mean, variance = self.running_mean.to(pixels), self.running_var.to(pixels)
        return torch.nn.functional.batch_norm(pixels, mean, variance, weight, bias, eps=self.eps)


class _CastingLayers(comfy.ops.manual_cast):
    BatchNorm2d = _BatchNorm2d


#: ``comfy.ops.manual_cast``, complete: BatchNorm2d came with 0.24.
casting_layers: type = (
    comfy.ops.manual_cast if hasattr(comfy.ops.manual_cast, "BatchNorm2d") else _CastingLayers
)


def unload(patcher: ModelPatcher) -> None:
    """Move a model and its clones off their device at once; one call of the host's from 0.24 on."""
    host = comfy.model_management
    if hasattr(host, "unload_model_and_clones"):
        host.unload_model_and_clones(patcher)
        return
    others = [
        loaded
        for loaded in host.current_loaded_models
        if loaded.model is None or not patcher.is_clone(loaded.model)
    ]
    host.free_memory(1e30, patcher.load_device, keep_loaded=others)
