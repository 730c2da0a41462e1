"""The pack's nodes by their ids, and a made-up person; ComfyUI and the pack must be importable.

Measured is what the nodes do, so nothing here depends on how they do it.
"""

from collections.abc import Callable, Iterable

import comfy.sd
import folder_paths
import torch
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts, StoredPhoto, ZeroImage
from consistentid_pack.consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_pack.nodes import NODES

from tools.model_files import ModelFile
from tools.standins import catalogue

from .job import Job
from .rows import Row

_BY_ID = {node.GET_SCHEMA().node_id: node for node in NODES}


def run_node(node_id: str, **inputs) -> tuple:
    """The outputs of one of the nodes."""
    return _BY_ID[node_id].execute(**inputs).args


def offer(models: Iterable[ModelFile]) -> None:
    """Let the loader nodes find these files by name."""
    for model in models:
        folder_paths.add_model_folder_path(model.folder_type, str(model.folder), is_default=True)


def load_adapter(model: ModelFile):
    """The output of Load ConsistentID Model."""
    offer([model])
    return run_node("ConsistentIDModelLoader", model_name=model.name)[0]


def load_unet(model: ModelFile):
    """The MODEL of a checkpoint."""
    return comfy.sd.load_checkpoint_guess_config(
        str(model.folder / model.name), output_vae=False, output_clip=False, output_clipvision=False
    )[0]


def with_models(measure: Callable[..., dict[str, Row]], job: Job) -> dict[str, Row]:
    """What ``measure(model, consistentid, job)`` finds with the MODEL and the adapter of the job's family."""
    models = job.models(catalogue.MEASURED[job.family])
    with torch.inference_mode():
        model = load_unet(models[catalogue.CHECKPOINT])
        return measure(model, load_adapter(models[catalogue.CONSISTENTID]), job)


def apply(model, consistentid, number: int = 0, **options):
    """The model after Apply ConsistentID with a person of random features.

    Without the LoRA, so that all cases of a run share the weights in memory; merging it is a group of its own.
    """
    generator = torch.Generator().manual_seed(number)
    face = torch.nn.functional.normalize(torch.randn(1, 512, generator=generator))
    photo, nothing = torch.randn(2, 257, 1280, generator=generator)
    inputs = {"weight": 1.0, "lora_weight": 0.0, "start_percent": 0.0, "end_percent": 1.0, **options}
    return run_node(
        "ConsistentIDApply",
        model=model,
        consistentid=consistentid,
        id_embed=IDEmbedding(face),
        face_parts=FaceParts((StoredPhoto(photo, (), ZeroImage(nothing)),)),
        **inputs,
    )[0]


def conditioning(cross_attention_dim: int, number: int) -> list:
    """A text of random rows, as CONDITIONING."""
    generator = torch.Generator().manual_seed(number)
    rows = torch.randn(1, 77, cross_attention_dim, generator=generator)
    return [[rows, {"pooled_output": torch.randn(1, 1280, generator=generator)}]]
