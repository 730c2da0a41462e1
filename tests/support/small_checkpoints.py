"""ConsistentID checkpoints with few and narrow layers, in every container a file may have."""

from collections.abc import Callable

import torch
from safetensors.torch import save_file

from consistentid_core.networks.checkpoint import expected_shapes

#: Attention layers per family (SPEC 1.1).
LAYER_COUNT = {"sd15": 32, "sdxl": 140}

WIDTH = 8
RANK = 2
NUM_TOKENS = 3
CROSS_ATTENTION_DIM = 12

Groups = dict[str, dict[str, torch.Tensor]]


def small_shapes(family: str = "sd15") -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a checkpoint whose every size differs from the released one."""
    return expected_shapes(
        CROSS_ATTENTION_DIM,
        # Two widths in turn, as layers of one UNet differ too.
        [WIDTH, WIDTH, 2 * WIDTH, 2 * WIDTH] * (LAYER_COUNT[family] // 4),
        rank=RANK,
        facial_encoder={"width": 16, "depth": 2, "heads": 1, "hidden_dim": 20, "clip_dim": 10},
        id_projection={"num_tokens": NUM_TOKENS, "depth": 1, "id_dim": 6, "id_hidden_dim": 7, "clip_dim": 10},
    )


def small_groups(family: str = "sd15") -> Groups:
    """Random weights for :func:`small_shapes`, by group."""
    generator = torch.Generator().manual_seed(0)
    groups: Groups = {}
    for name, shape in small_shapes(family).items():
        group, key = name.split(".", 1)
        groups.setdefault(group, {})[key] = torch.randn(shape, generator=generator)
    return groups


def nested(groups: Groups, projection: str = "image_proj") -> dict:
    return {projection if name == "image_proj" else name: dict(group) for name, group in groups.items()}


def flat(groups: Groups, projection: str = "image_proj", before: str = "") -> dict[str, torch.Tensor]:
    return {
        f"{before}{name}.{key}": tensor
        for name, group in nested(groups, projection).items()
        for key, tensor in group.items()
    }


def training(groups: Groups, before: str = "") -> dict[str, torch.Tensor]:
    """What the trainer saves: the UNet as well, under the trainer's names."""
    unet = {
        f"{before}unet.conv_in.weight": torch.zeros(4, 4, 3, 3),
        f"{before}unet.conv_in.bias": torch.zeros(4),
    }
    return {**unet, **flat(groups, "image_proj_model", before)}


#: Container name -> how to pack the groups (SPEC 1.1).
NESTED_CONTAINERS: dict[str, Callable[[Groups], dict]] = {
    "nested, image_proj": nested,
    "nested, image_proj_model": lambda groups: nested(groups, "image_proj_model"),
}
FLAT_CONTAINERS: dict[str, Callable[[Groups], dict]] = {
    "flat, image_proj": flat,
    "flat, image_proj_model": lambda groups: flat(groups, "image_proj_model"),
    "training": training,
    "distributed training": lambda groups: training(groups, "module."),
}
CONTAINERS = NESTED_CONTAINERS | FLAT_CONTAINERS


def _legacy(state_dict, path):
    torch.save(state_dict, path, _use_new_zipfile_serialization=False)


#: File format -> (extension, how to write it).
PICKLES = {
    ".bin": (".bin", torch.save),
    ".pt": (".pt", torch.save),
    ".pth": (".pth", torch.save),
    ".ckpt": (".ckpt", torch.save),
    "upper-case .BIN": (".BIN", torch.save),
    "legacy .bin": (".bin", _legacy),
}
FORMATS = PICKLES | {".safetensors": (".safetensors", save_file)}


def write(folder, state_dict, file_format: str):
    """Write a file of the given format and return its path."""
    extension, save = FORMATS[file_format]
    path = folder / f"weights{extension}"
    save(state_dict, path)
    return path
