"""The model files a workflow needs: the released ones if they are there, stand-ins if not.

Released files are looked for in the models folders of ``CONSISTENTID_MODELS`` (one or
more, separated as in PATH), of the ComfyUI in use, and of the ComfyUI this clone is
installed in. A stand-in is made once and kept under ``.host/standins``.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from consistentid_core.files import catalogue
from consistentid_core.files.resolve import named

from . import paths
from .console import CommandError, say, step
from .locking import exclusive

_UNET = "model.diffusion_model."
#: Of every checkpoint that paints on noise alone.
_FOUR_CHANNELS = {f"{_UNET}input_blocks.0.0.weight": [320, 4, 3, 3]}


@dataclass(frozen=True)
class ModelFile:
    """A model file (or folder) that was found or made.

    folder_type: ComfyUI's name for the kind of folder.  folder: that folder.
    name: as it appears in the loader's list, relative to the folder.
    """

    title: str
    folder_type: str
    folder: Path
    name: str
    is_standin: bool


@dataclass(frozen=True)
class Wanted:
    """A model a workflow needs.

    folder_types: where users keep it, ComfyUI's folder names.
    recognise: the name of the released file in one such folder, or None.
    standin: its path below the stand-ins, and the function that writes it there.
    size: of the stand-in, for the log.
    """

    title: str
    folder_types: Sequence[str]
    recognise: Callable[[Path], str | None]
    standin: str
    write: Callable[[Path], object]
    size: str


def resolve(wanted: Mapping[str, Wanted], folders: Sequence[Path]) -> dict[str, ModelFile]:
    """Find or make each model; says which of the two it was."""
    return {key: _find(model, folders) or _make(model) for key, model in wanted.items()}


def models_folders(comfyui: Path) -> list[Path]:
    """The models folders to look in, the one named by the user first."""
    folders = [
        Path(part).expanduser()
        for part in os.environ.get("CONSISTENTID_MODELS", "").split(os.pathsep)
        if part
    ]
    for folder in folders:
        if not folder.is_dir():
            raise CommandError(f"CONSISTENTID_MODELS names {folder}, which is not a folder.")
    folders.append(comfyui / "models")
    if paths.ROOT.parent.name == "custom_nodes":
        folders.append(paths.ROOT.parents[1] / "models")
    return folders


def by_folder_type(models: Iterable[ModelFile]) -> dict[str, list[Path]]:
    """The folders of each type, as ``base_directory`` takes them."""
    folders: dict[str, list[Path]] = {}
    for model in models:
        known = folders.setdefault(model.folder_type, [])
        if model.folder not in known:
            known.append(model.folder)
    return folders


def _find(model: Wanted, folders: Sequence[Path]) -> ModelFile | None:
    for folder in folders:
        for folder_type in model.folder_types:
            place = folder / folder_type
            name = model.recognise(place) if place.is_dir() else None
            if name is not None:
                say(f"{model.title}: found {place / name}")
                return ModelFile(model.title, folder_type, place, name, is_standin=False)
    return None


def _make(model: Wanted) -> ModelFile:
    folder_type, _, name = model.standin.partition("/")
    path = paths.STANDINS / model.standin
    stamp = path.with_name(path.name + ".stamp")
    version = _generator_version()
    with exclusive(paths.HOST / "standins.lock"):
        if not path.exists() or not stamp.is_file() or stamp.read_text("utf-8") != version:
            with step(f"{model.title}: not found, making a STAND-IN with random weights ({model.size})"):
                model.write(path)
            stamp.write_text(version, "utf-8")
        else:
            say(f"{model.title}: not found, using the STAND-IN with random weights made before")
    return ModelFile(model.title, folder_type, paths.STANDINS / folder_type, name, is_standin=True)


def _generator_version() -> str:
    """Changes with the code that makes stand-ins."""
    digest = hashlib.sha256()
    for file in sorted((paths.ROOT / "tools" / "standins").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def recognise_nothing(folder: Path) -> str | None:
    """For a model that is only ever a stand-in."""
    return None


def recognise_sd15(folder: Path) -> str | None:
    """A complete SD1.5 checkpoint (not inpainting, which takes nine channels)."""
    attention = f"{_UNET}input_blocks.7.1.transformer_blocks.0.attn2.to_k.weight"
    text_encoder = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
    return _safetensors_with(folder, {**_FOUR_CHANNELS, attention: [1280, 768], text_encoder: [768]})


def recognise_sdxl(folder: Path) -> str | None:
    """A complete SDXL checkpoint (not inpainting, which takes nine channels)."""
    attention = f"{_UNET}input_blocks.7.1.transformer_blocks.9.attn2.to_k.weight"
    text_encoder = "conditioner.embedders.1.model.ln_final.weight"
    return _safetensors_with(folder, {**_FOUR_CHANNELS, attention: [1280, 2048], text_encoder: [1280]})


def recognise_clip_vit_h(folder: Path) -> str | None:
    """CLIP ViT-H/14, in transformers' or OpenCLIP's naming."""
    transformers = {
        "vision_model.embeddings.patch_embedding.weight": [1280, 3, 14, 14],
        "vision_model.encoder.layers.31.layer_norm1.weight": [1280],
    }
    open_clip = {"visual.conv1.weight": [1280, 3, 14, 14]}
    return _safetensors_with(folder, transformers) or _safetensors_with(folder, open_clip)


def recognise_consistentid_sd15(folder: Path) -> str | None:
    """The released SD1.5 adapter, or its conversion to safetensors."""
    return next(named(catalogue.CONSISTENTID_SD15, folder), None)


def recognise_consistentid_sdxl(folder: Path) -> str | None:
    """The released SDXL adapter, or its conversion to safetensors."""
    return next(named(catalogue.CONSISTENTID_SDXL, folder), None)


def recognise_face_parser(folder: Path) -> str | None:
    """The released BiSeNet file under one of the names it travels under."""
    for name in named(catalogue.FACE_PARSER, folder):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() == catalogue.FACE_PARSER.sha256:
            return name
    return None


def recognise_buffalo_l(folder: Path) -> str | None:
    """InsightFace's package, where its own library unpacks it."""
    place = catalogue.DETECTOR.subfolder
    files = {folder / place / file.name: file.size for file in (catalogue.DETECTOR, catalogue.RECOGNISER)}
    complete = all(path.is_file() and path.stat().st_size == size for path, size in files.items())
    return os.path.normpath(place) if complete else None


def recognise_llava(folder: Path) -> str | None:
    """A folder with LLaVA 1.5 in transformers' layout."""
    for config in sorted(folder.glob("*/config.json")):
        if json.loads(config.read_text("utf-8")).get("model_type") == "llava":
            return config.parent.name
    return None


def _safetensors_with(folder: Path, shapes: Mapping[str, list[int]]) -> str | None:
    """The first file (in subfolders too) that holds tensors of these shapes."""
    for path in sorted(folder.rglob("*.safetensors")):
        header = _safetensors_header(path)
        if all(header.get(name, {}).get("shape") == shape for name, shape in shapes.items()):
            return str(path.relative_to(folder))
    return None


def _safetensors_header(path: Path) -> dict[str, dict[str, object]]:
    """Tensor name -> {"dtype", "shape", ...}; empty for a file that is no safetensors file."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < 100_000_000:  # the format's own limit
            return {}
        try:
            header: dict[str, dict[str, object]] = json.loads(file.read(length))
        except ValueError:
            return {}
    return header
