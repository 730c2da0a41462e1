"""LLaVA under ComfyUI's memory manager: what travels over a FACE_CAPTIONER socket."""

import logging
import sys
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import folder_paths
import torch

from ...consistentid_core.errors import (
    AmbiguousModelError,
    MissingDependencyError,
    MissingModelError,
    NotEnoughMemoryError,
)
from ...consistentid_core.files.catalogue import CAPTIONER
from ...consistentid_core.files.fetch_folder import NEEDED
from ...consistentid_core.text.captioner import (
    EXAMPLE_MODEL,
    Captioner,
    is_llava_folder,
    load_captioner,
    weights_size,
)
from ..host import folders

logger = logging.getLogger(__name__)

AUTO = "auto"
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}

#: Room for the attention cache and the picture's tokens next to the weights, in bytes.
_WORKING_MEMORY = 1 << 30


class FaceCaptionerModel:
    """A LLaVA folder that is read when the first picture is to be described."""

    def __init__(self, folder: Path, dtype: str = AUTO):
        """dtype: ``auto`` or a key of :data:`DTYPES`."""
        self.folder = folder
        self._dtype = dtype
        self._captioner: Captioner | None = None
        #: None until the model is read; the host's book-keeping looks for it here.
        self.patcher: comfy.model_patcher.ModelPatcher | None = None

    def loaded(self) -> Captioner:
        """The captioner with its model on the load device."""
        if self._captioner is None or self.patcher is None:
            self._captioner, self.patcher = self._read()
        # transformers' layers cannot cast weights on the fly, so the model is loaded whole or not at all.
        comfy.model_management.load_models_gpu(
            [self.patcher], memory_required=_WORKING_MEMORY, force_full_load=True
        )
        return self._captioner

    def _read(self) -> tuple[Captioner, comfy.model_patcher.ModelPatcher]:
        device = comfy.model_management.text_encoder_device()
        offload_device = comfy.model_management.text_encoder_offload_device()
        dtype = choose_dtype(self._dtype, device)
        check_memory(self.folder, dtype, device)
        logger.info("Reading the face captioner %s as %s", self.folder, str(dtype).removeprefix("torch."))
        captioner = load_captioner(self.folder, dtype)
        # The plain patcher, not CoreModelPatcher: the host's dynamic one streams the weights of its own
        # layers, refuses a full load, and would replace the parameters transformers ties together.
        patcher = comfy.model_patcher.ModelPatcher(_Holder(captioner.model), device, offload_device)
        return captioner, patcher


class _Holder(torch.nn.Module):
    """Keeps the host's marks off the model: it sets ``device``, which transformers computes."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.llava = model


def check_memory(folder: Path, dtype: torch.dtype, device: torch.device) -> None:
    """Raise NotEnoughMemoryError if a model can never fit: nothing is freed for it, and nothing is read.

    It is read into main memory and then moved to ``device`` whole, beside :data:`_WORKING_MEMORY`.
    """
    main = torch.device("cpu")
    size = weights_size(folder, dtype)
    needed = {main: size, device: size + _WORKING_MEMORY} if size else {}
    for place, wanted in needed.items():
        if place.type == "privateuseone":  # DirectML tells the host no size
            continue
        there = comfy.model_management.get_total_memory(place)
        if wanted > there:
            precision = str(dtype).removeprefix("torch.")
            where = "this machine's main memory" if place.type == "cpu" else f"the device {place}"
            raise NotEnoughMemoryError(
                f"The captioner {folder.name} needs {wanted / 1e9:.1f} GB as {precision}; {where} has "
                f"{there / 1e9:.1f} GB. Choose fp16 or bf16 as dtype of Load Face Captioner if it is another, or a "
                "smaller LLaVA 1.5; the mode 'template' of Caption Face needs none at all."
            )


def choose_dtype(choice: str, device: torch.device) -> torch.dtype:
    """The dtype for ``auto`` or a key of :data:`DTYPES`.

    ``auto`` is float16, in which LLaVA 1.5 was released, where the device computes in it.
    """
    if choice != AUTO:
        return DTYPES[choice]
    if comfy.model_management.should_use_fp16(device):
        return torch.float16
    if comfy.model_management.should_use_bf16(device):
        return torch.bfloat16
    return torch.float32


def list_model_folders() -> list[str]:
    """The LLaVA models under ``models/LLM``, up to two levels deep, relative to their root.

    Never raises: ComfyUI would lose the pack's nodes over a folder that cannot be looked into.
    """
    found: dict[str, None] = {}
    for root in map(Path, folder_paths.get_folder_paths(folders.LLM)):
        try:
            configs = sorted((*root.glob("*/config.json"), *root.glob("*/*/config.json")))
        except OSError as error:
            logger.warning("The face captioners in '%s' cannot be listed: %s", root, error)
            continue
        for config in configs:
            if is_llava_folder(config.parent):
                found[config.parent.relative_to(root).as_posix()] = None
    return list(found)


def only_model_folder() -> str:
    """The one of :func:`list_model_folders` to take without asking: the released one, or the only one.

    Raises MissingModelError if there is none, AmbiguousModelError for several.
    """
    listed = list_model_folders()
    released = [name for name in listed if Path(name).name == CAPTIONER.name]
    if len(released or listed) == 1:
        return (released or listed)[0]
    if listed:
        raise AmbiguousModelError(
            f"auto found {len(listed)} face captioners: {', '.join(listed)}. Choose one of them in the node instead."
        )
    raise MissingModelError(
        f"There is no face captioner for auto in {', '.join(folder_paths.get_folder_paths(folders.LLM))}. Put the "
        f"folder of a LLaVA 1.5 model there, such as {EXAMPLE_MODEL}, and press R; or choose 'use hub_id' in the node."
    )


def find_model_folder(name: str) -> Path:
    """The full path of a folder from :func:`list_model_folders`; MissingModelError if it is gone."""
    found = folders.find_model_folder(name, folders.LLM)
    if found is not None:
        return found
    roots = folder_paths.get_folder_paths(folders.LLM)
    raise MissingModelError(
        f"Captioner model '{name}' not found. Looked in: {', '.join(roots)}. "
        f"Put the folder of a LLaVA 1.5 model there, such as {EXAMPLE_MODEL}, and refresh the node list."
    )


def find_hub_model(hub_id: str, *, allow_download: bool) -> Path:
    """The folder of a Hugging Face model in the local cache, fetched first only if that is allowed.

    Raises MissingModelError if it is not there, is not allowed to be fetched or cannot be.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise MissingDependencyError(
            f"A hub id needs the package huggingface_hub: {error}. "
            f'Install it into the Python that runs this: "{sys.executable}" -m pip install huggingface_hub'
        ) from error
    try:
        folder = snapshot_download(hub_id, allow_patterns=list(NEEDED), local_files_only=not allow_download)
    except HFValidationError as error:
        raise MissingModelError(
            f"'{hub_id}' is no hub id: {error} Expected one such as '{EXAMPLE_MODEL}'; a folder on this machine "
            "belongs into models/LLM, and is chosen by its name."
        ) from error
    except (OSError, ValueError) as error:  # what the library's own errors derive from
        if allow_download:
            problem = f"could not be fetched: {error} Check the id and the connection."
        else:
            problem = (
                f"is not in the local Hugging Face cache: {error} Switch allow_download on to fetch it "
                "(about 14 GB for LLaVA 1.5 7B), or put the model's folder into models/LLM."
            )
        raise MissingModelError(f"Model '{hub_id}' {problem}") from error
    return Path(folder)
