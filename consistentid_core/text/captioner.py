"""Describe a face in words with LLaVA 1.5: the one place that imports transformers.

The weights of ConsistentID need no such description; the fixed template of the original works.
A real one names what is special about a face.
"""

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from ..errors import CheckpointError, MissingDependencyError, MissingModelError

#: The two questions the original asked about each training picture (SPEC 7.2), with single spaces.
DESCRIBE_PERSON = (
    "Please describe the people in the image, including their gender, age, clothing, facial expressions, "
    "and any other distinguishing features."
)
DESCRIBE_FACE = "Describe this person's facial features for me, including face, ears, eyes, nose, and mouth."

MAX_NEW_TOKENS = 512
MODEL_TYPE = "llava"
EXAMPLE_MODEL = "llava-hf/llava-1.5-7b-hf"

#: A model's config.json has a few kilobytes. Folders are looked through whenever nodes are listed.
_LARGEST_CONFIG = 1 << 20

#: The mean colour of CLIP's training pictures: what LLaVA 1.5 pads pictures to a square with.
_PADDING_COLOUR = (122, 116, 104)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_CLAUSE_END = re.compile(r"[,;:](?=\s|$)")


class Captioner:
    """A LLaVA 1.5 model with its processor.

    Which device the model is on may change between calls; pictures follow it.
    """

    def __init__(self, model: Any, processor: Any):
        """model, processor: transformers' LlavaForConditionalGeneration and LlavaProcessor."""
        self.model = model
        self._processor = processor

    def caption(
        self,
        picture: np.ndarray,
        question: str,
        *,
        max_new_tokens: int = MAX_NEW_TOKENS,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """Answer a question about a picture, choosing the likeliest word at every step.

        picture: uint8 RGB (H, W, 3).
        on_token: called after each generated token; what it raises ends the answer.
        """
        inputs = self._processor(
            images=pad_to_square(picture),
            text=f"USER: <image>\n{question} ASSISTANT:",
            return_tensors="pt",
        ).to(self.model.device, self.model.dtype)
        tokens = self.model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            # A model's own sampling settings do not apply; transformers warns unless they are unset.
            temperature=None,
            top_p=None,
            top_k=None,
            streamer=_TokenCounter(on_token),
        )
        answer = tokens[0, inputs["input_ids"].shape[1] :]
        return self._processor.tokenizer.decode(answer, skip_special_tokens=True).strip()


class _TokenCounter:
    """The streamer ``generate`` hands the prompt and then each new token to."""

    def __init__(self, on_token: Callable[[], None]):
        self._on_token = on_token
        self._is_prompt = True

    def put(self, tokens: torch.Tensor) -> None:
        if not self._is_prompt:
            self._on_token()
        self._is_prompt = False

    def end(self) -> None:
        """Nothing is held back, so there is nothing to finish."""


def pad_to_square(picture: np.ndarray) -> Image.Image:
    """The whole picture in the middle of a square, as LLaVA 1.5 was trained; uint8 RGB (H, W, 3) in.

    The processor crops to the centre, which would cut off the ends of a tall portrait.
    """
    image = Image.fromarray(picture)
    side = max(image.size)
    return ImageOps.pad(image, (side, side), color=_PADDING_COLOUR)


def load_captioner(folder: str | Path, dtype: torch.dtype) -> Captioner:
    """Load LLaVA 1.5 from a folder in transformers' layout, on the CPU.

    Raises MissingModelError or CheckpointError if it is no such folder (see
    :func:`check_llava_folder`) or weights are missing, MissingDependencyError without transformers.
    """
    folder = Path(folder)
    check_llava_folder(folder)
    try:
        from transformers import AutoProcessor, LlavaForConditionalGeneration
    except ImportError as error:
        raise MissingDependencyError(
            f"Describing faces needs the package transformers (4.50 or newer): {error}. "
            f'Install it into the Python that runs this: "{sys.executable}" -m pip install -U transformers'
        ) from error
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        model, report = LlavaForConditionalGeneration.from_pretrained(
            folder,
            torch_dtype=dtype,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # a damaged file can raise almost anything in there
        raise CheckpointError(
            f"{folder} cannot be loaded as LLaVA 1.5: {error}. "
            f"Check that it has all files of a model such as {EXAMPLE_MODEL}."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} weights of LLaVA 1.5, such as {', '.join(missing[:3])}. "
            "Download its files again."
        )
    _complete(processor, model.config)
    return Captioner(model.train(False), processor)


def weights_size(folder: str | Path, dtype: torch.dtype) -> int:
    """How many bytes the weights of a folder take as ``dtype``, read off the heads of the files that would be loaded.

    0 if that cannot be told; loading says what is wrong then.
    """
    from safetensors import SafetensorError, safe_open

    folder = Path(folder)
    whole = folder / "model.safetensors"
    files = [whole] if whole.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))
    numbers = 0
    for file in files:
        try:
            with safe_open(file, framework="pt") as weights:
                numbers += sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118
        except (OSError, SafetensorError):
            return 0
    return numbers * dtype.itemsize


def check_llava_folder(folder: Path) -> None:
    """Raise unless a folder holds LLaVA 1.5 in transformers' layout."""
    config_file = folder / "config.json"
    if not config_file.is_file():
        raise MissingModelError(
            f"No LLaVA model in {folder}: there is no config.json. "
            f"Put all files of a model such as {EXAMPLE_MODEL} into this folder."
        )
    size = config_file.stat().st_size
    if size > _LARGEST_CONFIG:
        raise CheckpointError(
            f"{config_file} is no model's configuration: it has {size:,} bytes, where a few thousand are usual. "
            f"Choose a folder with a model such as {EXAMPLE_MODEL}."
        )
    try:
        config = json.loads(config_file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # the latter from brackets in brackets in brackets
        raise CheckpointError(f"{config_file} is no readable JSON: {error}. Download it again.") from error
    found = config.get("model_type") if isinstance(config, dict) else None
    if found != MODEL_TYPE:
        raise CheckpointError(
            f"{config_file} describes a model of type '{found}', expected '{MODEL_TYPE}' (LLaVA 1.5). "
            f"Choose a folder with a model such as {EXAMPLE_MODEL}."
        )
    if "vision_config" not in config or "text_config" not in config:
        raise CheckpointError(
            f"{folder} holds LLaVA in its authors' own layout, which transformers does not read. "
            f"Use the converted model {EXAMPLE_MODEL}."
        )


def is_llava_folder(folder: Path) -> bool:
    """Whether :func:`check_llava_folder` accepts a folder."""
    try:
        check_llava_folder(folder)
    except (CheckpointError, MissingModelError, OSError):
        return False
    return True


def shorten(caption: str, max_characters: int) -> str:
    """Cut a caption to a length, after a whole sentence if there is one, else a clause, else a word.

    The original ignores the face altogether if its description is longer than 330 characters.
    """
    if len(caption) <= max_characters:
        return caption
    for boundary in (_SENTENCE_END, _CLAUSE_END):
        # Looked for in the whole caption: being cut there does not make a place the end of a sentence.
        ends = [match.end() for match in boundary.finditer(caption) if match.end() <= max_characters]
        if ends:
            kept = caption[: ends[-1]]
            return kept if boundary is _SENTENCE_END else kept[:-1] + "."
    kept = caption[:max_characters]
    return kept.rsplit(maxsplit=1)[0] if " " in kept else kept


def _complete(processor: Any, config: Any) -> None:
    """Fill in what older copies of the model leave out of the processor's settings.

    Without these the processor cannot know how many tokens a picture takes.
    """
    if processor.patch_size is None:
        processor.patch_size = config.vision_config.patch_size
        processor.num_additional_image_tokens = 1  # CLIP's class token
    if processor.vision_feature_select_strategy is None:
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
