"""BiSeNet, the network that names the facial part each pixel belongs to.

Parameter names are those of the published 19-class checkpoint (``79999_iter.pth``, also
distributed as ``face_parsing.pth`` and ``parsing_bisenet.pth``), so that it loads as it is.
Source: SPEC 2.3.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import CheckpointError
from ..files.catalogue import FACE_PARSER as PARSER_FILE
from ..files.quoting import listed
from ..files.state_dict import FACE_PARSER, flatten, refuse_other_kind, require_usable
from ..files.weights_file import read_weights
from ..regions import CLASSES

#: Normalisation of the ImageNet-trained trunk.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)

_CHOOSE = f"{PARSER_FILE}, also called {' or '.join(PARSER_FILE.other_names)}"

#: Widths of the trunk's four stages.
_STAGES = (64, 128, 256, 512)
#: Width of the context branches and of the feature taken from the second stage.
_CONTEXT = 128


def parse_picture(model: "BiSeNet", picture: np.ndarray, size: int = 512, device: Any = None) -> np.ndarray:
    """The class of every pixel of a picture, at the parser's square size.

    picture: uint8 RGB (H, W, 3); its aspect ratio is not kept.
    device: where the model computes; the device of its weights if not given.
    Returns a label map, uint8 (size, size).
    """
    device = device or next(model.parameters()).device
    with torch.no_grad():
        logits = model(parser_pixels(picture, size).to(device))
    return logits.argmax(1)[0].to("cpu", torch.uint8).numpy()


def parser_pixels(picture: np.ndarray, size: int) -> Tensor:
    """A picture as the parser's input: uint8 RGB (H, W, 3) -> (1, 3, size, size) float32."""
    resized = Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(resized).astype(np.float32) / np.float32(255)
    normalised = (pixels - np.array(IMAGE_MEAN, np.float32)) / np.array(IMAGE_STD, np.float32)
    return torch.from_numpy(normalised).permute(2, 0, 1)[None].contiguous()  # HWC -> BCHW


def load_weights(path: str | Path, *, mapped: bool = True) -> dict[str, Tensor]:
    """Read a face-parsing checkpoint and check that it fits, without running pickled code.

    mapped: as of :func:`.read_weights`.
    Returns the complete state dict of :class:`BiSeNet` in float32.
    Raises MissingModelError if there is no such file, CheckpointError if it cannot be read, holds something
    else, or has values that nothing can be computed with.
    """
    return check_weights(read_weights(path, mapped=mapped), source=str(path))


def check_weights(state_dict: Any, *, source: str) -> dict[str, Tensor]:
    """:func:`match_weights`, in float32, with values that can be computed with.

    Raises CheckpointError as that does, and for unusable values.
    """
    weights = match_weights(state_dict, source=source)
    require_usable(source, weights, any_type=True)
    expected = BiSeNet(device="meta").state_dict()
    return {key: weights[key].to(value.dtype) for key, value in expected.items()}


def match_weights(state_dict: Any, *, source: str) -> dict[str, Tensor]:
    """Match a state dict with the network, by keys and shapes; what trainers put before all keys is accepted.

    Batch counters, which only training uses, may be missing.
    Returns the complete state dict of :class:`BiSeNet`, values as they are.
    Raises CheckpointError that says what else it is, or lists missing, unexpected and misshapen entries.
    """
    if not isinstance(state_dict, Mapping):
        raise CheckpointError(
            f"'{source}' holds a {type(state_dict).__name__} instead of named weights. Choose {_CHOOSE}."
        )
    found = flatten(state_dict, source)
    keys = list(found)
    expected = BiSeNet(device="meta").state_dict()
    for key, value in expected.items():
        if key.endswith("num_batches_tracked"):
            found.setdefault(key, torch.zeros(value.shape, dtype=value.dtype))
    problems = [
        *_listing("missing", [key for key in expected if key not in found]),
        *_listing("unexpected", [key for key in found if key not in expected]),
        *_listing("of another shape", list(_wrong_shapes(found, expected))),
    ]
    if problems:
        refuse_other_kind(source, keys, wanted=FACE_PARSER, choose=_CHOOSE)
        raise CheckpointError(
            f"'{source}' is not a face parser this pack can use: {'; '.join(problems)}. Expected is the "
            f"BiSeNet checkpoint with {len(CLASSES)} classes, {_CHOOSE}."
        )
    return {key: found[key] for key in expected}


def _listing(what: str, keys: list[str]) -> Iterator[str]:
    if keys:
        yield f"{len(keys)} keys are {what} ({listed(keys)})"


def _wrong_shapes(found: Mapping[str, Any], expected: Mapping[str, Tensor]) -> Iterator[str]:
    for key, value in expected.items():
        if key in found and not (isinstance(found[key], Tensor) and found[key].shape == value.shape):
            shape = tuple(found[key].shape) if isinstance(found[key], Tensor) else type(found[key]).__name__
            yield f"{key}: {shape} instead of {tuple(value.shape)}"


class BiSeNet(nn.Module):
    """Picture (B, 3, H, W), normalised -> logits (B, 19, H, W). Use it in eval mode.

    H and W: multiples of 32 in this pack; other sizes work as well.
    The two auxiliary heads served training; :meth:`auxiliary` computes them.
    """

    def __init__(self, *, operations: ModuleType | Any = nn, device: Any = None, dtype: Any = None):
        super().__init__()
        layer = {"operations": operations, "device": device, "dtype": dtype}
        self.cp = _ContextPath(**layer)
        self.ffm = _FeatureFusion(2 * _CONTEXT, **layer)
        self.conv_out = _Head(2 * _CONTEXT, 256, **layer)
        self.conv_out16 = _Head(_CONTEXT, 64, **layer)
        self.conv_out32 = _Head(_CONTEXT, 64, **layer)

    def forward(self, pixels: Tensor) -> Tensor:
        detail, context8, _ = self.cp(pixels)
        return _resize_to(self.conv_out(self.ffm(detail, context8)), pixels)

    def auxiliary(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the heads on the two context branches, (B, 19, H, W) each."""
        _, context8, context16 = self.cp(pixels)
        return _resize_to(self.conv_out16(context8), pixels), _resize_to(self.conv_out32(context16), pixels)


def _resize_to(logits: Tensor, pixels: Tensor) -> Tensor:
    return F.interpolate(logits, size=pixels.shape[2:], mode="bilinear", align_corners=True)


def _global_average(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)


class _ConvBNReLU(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, *, operations: Any, device: Any, dtype: Any):
        super().__init__()
        self.conv = operations.Conv2d(
            inputs, outputs, kernel, padding=kernel // 2, bias=False, device=device, dtype=dtype
        )
        self.bn = operations.BatchNorm2d(outputs, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _BasicBlock(nn.Module):
    """The two-convolution residual block of ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, operations: Any, device: Any, dtype: Any):
        super().__init__()
        placed = {"device": device, "dtype": dtype}
        self.conv1 = operations.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False, **placed)
        self.bn1 = operations.BatchNorm2d(outputs, **placed)
        self.conv2 = operations.Conv2d(outputs, outputs, 3, padding=1, bias=False, **placed)
        self.bn2 = operations.BatchNorm2d(outputs, **placed)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                operations.Conv2d(inputs, outputs, 1, stride=stride, bias=False, **placed),
                operations.BatchNorm2d(outputs, **placed),
            )

    def forward(self, x: Tensor) -> Tensor:
        residual = F.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(shortcut + residual)


def _stage(inputs: int, outputs: int, stride: int, **layer: Any) -> nn.Sequential:
    return nn.Sequential(
        _BasicBlock(inputs, outputs, stride, **layer), _BasicBlock(outputs, outputs, 1, **layer)
    )


class _ResNet18(nn.Module):
    """The trunk: features at 1/8 (128 channels), 1/16 (256) and 1/32 (512)."""

    def __init__(self, *, operations: Any, device: Any, dtype: Any):
        super().__init__()
        layer = {"operations": operations, "device": device, "dtype": dtype}
        first, second, third, fourth = _STAGES
        self.conv1 = operations.Conv2d(
            3, first, 7, stride=2, padding=3, bias=False, device=device, dtype=dtype
        )
        self.bn1 = operations.BatchNorm2d(first, device=device, dtype=dtype)
        self.layer1 = _stage(first, first, 1, **layer)
        self.layer2 = _stage(first, second, 2, **layer)
        self.layer3 = _stage(second, third, 2, **layer)
        self.layer4 = _stage(third, fourth, 2, **layer)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer1(F.max_pool2d(x, 3, stride=2, padding=1))
        feature8 = self.layer2(x)
        feature16 = self.layer3(feature8)
        return feature8, feature16, self.layer4(feature16)


class _AttentionRefinement(nn.Module):
    """A 3x3 convolution whose channels are gated by their own global averages."""

    def __init__(self, inputs: int, outputs: int, *, operations: Any, device: Any, dtype: Any):
        super().__init__()
        self.conv = _ConvBNReLU(inputs, outputs, 3, operations=operations, device=device, dtype=dtype)
        self.conv_atten = operations.Conv2d(outputs, outputs, 1, bias=False, device=device, dtype=dtype)
        self.bn_atten = operations.BatchNorm2d(outputs, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        feature = self.conv(x)
        gate = torch.sigmoid(self.bn_atten(self.conv_atten(_global_average(feature))))
        return feature * gate


class _ContextPath(nn.Module):
    """The trunk and its two context branches, each 128 channels wide.

    Returns the 1/8 feature of the trunk, the finer branch (from 1/16, brought to 1/8)
    and the coarser one (from 1/32, brought to 1/16).
    """

    def __init__(self, *, operations: Any, device: Any, dtype: Any):
        super().__init__()
        layer = {"operations": operations, "device": device, "dtype": dtype}
        self.resnet = _ResNet18(**layer)
        self.arm16 = _AttentionRefinement(_STAGES[2], _CONTEXT, **layer)
        self.arm32 = _AttentionRefinement(_STAGES[3], _CONTEXT, **layer)
        self.conv_head32 = _ConvBNReLU(_CONTEXT, _CONTEXT, 3, **layer)
        self.conv_head16 = _ConvBNReLU(_CONTEXT, _CONTEXT, 3, **layer)
        self.conv_avg = _ConvBNReLU(_STAGES[3], _CONTEXT, 1, **layer)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        feature8, feature16, feature32 = self.resnet(pixels)
        whole = self.conv_avg(_global_average(feature32))
        coarse = self.arm32(feature32) + whole
        coarse = self.conv_head32(F.interpolate(coarse, size=feature16.shape[2:], mode="nearest"))
        fine = self.arm16(feature16) + coarse
        fine = self.conv_head16(F.interpolate(fine, size=feature8.shape[2:], mode="nearest"))
        return feature8, fine, coarse


class _FeatureFusion(nn.Module):
    """Joins detail and context; a squeeze gate then strengthens channels."""

    def __init__(self, width: int, *, operations: Any, device: Any, dtype: Any):
        super().__init__()
        placed = {"device": device, "dtype": dtype}
        self.convblk = _ConvBNReLU(width, width, 1, operations=operations, **placed)
        self.conv1 = operations.Conv2d(width, width // 4, 1, bias=False, **placed)
        self.conv2 = operations.Conv2d(width // 4, width, 1, bias=False, **placed)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        feature = self.convblk(torch.cat((detail, context), dim=1))
        gate = torch.sigmoid(self.conv2(F.relu(self.conv1(_global_average(feature)))))
        return feature * gate + feature


class _Head(nn.Module):
    def __init__(self, inputs: int, width: int, *, operations: Any, device: Any, dtype: Any):
        super().__init__()
        self.conv = _ConvBNReLU(inputs, width, 3, operations=operations, device=device, dtype=dtype)
        self.conv_out = operations.Conv2d(width, len(CLASSES), 1, bias=False, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))
