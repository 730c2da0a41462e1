"""Load Face Captioner and Caption Face."""

import logging
from pathlib import Path

import comfy.model_management
import comfy.utils
from comfy_api.latest import io, ui

from ..consistentid_core.errors import ConsistentIDError, PromptError
from ..consistentid_core.families import FAMILIES
from ..consistentid_core.text.captioner import (
    DESCRIBE_FACE,
    DESCRIBE_PERSON,
    EXAMPLE_MODEL,
    MAX_NEW_TOKENS,
    shorten,
)
from ..consistentid_core.text.prompt import INPAINT_CAPTION, MAX_CAPTION_LENGTH
from .host import folders, model_choice
from .host.inputs import FileChoice
from .host.older import SHOWN_ON_CACHED_RUNS
from .host.pictures import to_pictures
from .models.captioner import (
    AUTO,
    DTYPES,
    FaceCaptionerModel,
    find_hub_model,
    find_model_folder,
    list_model_folders,
    only_model_folder,
)
from .models.types import CATEGORY, FaceCaptionerType

logger = logging.getLogger(__name__)

USE_HUB_ID = "use hub_id"

TEMPLATE = "template"
CUSTOM = "custom prompt"
#: Mode -> the question to the model.
_QUESTIONS = {"describe face": DESCRIBE_FACE, "describe person": DESCRIBE_PERSON}
MODES = (TEMPLATE, *_QUESTIONS, CUSTOM)

#: The fixed sentences of the original's pipelines.
TEMPLATES = {
    **{row.label: row.default_caption for row in FAMILIES.values()},
    "without face": INPAINT_CAPTION,
}


class LoadFaceCaptioner(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        models = list_model_folders()
        return io.Schema(
            node_id="ConsistentIDCaptionerLoader",
            display_name="Load Face Captioner",
            category=CATEGORY,
            description="Chooses a LLaVA 1.5 model that describes faces. It is read when the first picture "
            "is described, and ComfyUI moves it on and off the graphics card.",
            search_aliases=["llava", "vision language model", "image to text"],
            inputs=[
                FileChoice(
                    "model_name",
                    options=[model_choice.AUTO, *models, USE_HUB_ID],
                    default=model_choice.AUTO,
                    tooltip="auto: the folder in models/LLM that has all files of a LLaVA 1.5 model, such as "
                    f"{EXAMPLE_MODEL}. Or the name of one, or '{USE_HUB_ID}'.",
                ),
                io.String.Input(
                    "hub_id",
                    default=EXAMPLE_MODEL,
                    optional=True,
                    tooltip=f"With '{USE_HUB_ID}': a Hugging Face model, taken from the local cache.",
                ),
                io.Boolean.Input(
                    "allow_download",
                    default=False,
                    optional=True,
                    tooltip=f"With '{USE_HUB_ID}': fetch the model if it is not in the cache (7B: about "
                    "14 GB). Off: no connection is ever opened.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=[AUTO, *DTYPES],
                    default=AUTO,
                    optional=True,
                    tooltip="Precision of the model. auto: fp16 on a graphics card that computes in it, fp32 "
                    "on the CPU; bf16 halves the memory there but is slower on most.",
                ),
            ],
            outputs=[FaceCaptionerType.Output("captioner", tooltip="The model, for Caption Face.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, hub_id: str = EXAMPLE_MODEL, **_):
        # Never a download here: it belongs to a run.
        try:
            folder = _folder_of(model_name, hub_id, allow_download=False)
            return [folders.stamp(str(file)) for file in sorted(folder.iterdir()) if file.is_file()]
        except (ConsistentIDError, OSError):
            return None  # the run says what is missing

    @classmethod
    def execute(
        cls, model_name: str, hub_id: str = EXAMPLE_MODEL, allow_download: bool = False, dtype: str = AUTO
    ) -> io.NodeOutput:
        return io.NodeOutput(FaceCaptionerModel(_folder_of(model_name, hub_id, allow_download), dtype))


def _folder_of(model_name: str, hub_id: str, allow_download: bool) -> Path:
    if model_name == USE_HUB_ID:
        return find_hub_model(hub_id.strip(), allow_download=allow_download)
    return find_model_folder(only_model_folder() if model_name == model_choice.AUTO else model_name)


class CaptionFace(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDFaceCaptioner",
            display_name="Caption Face",
            category=CATEGORY,
            description="A description of the face for Encode Facial Prompt: the original's fixed sentence, "
            "or what a LLaVA model sees. Any other text that names face, ears, eyes, nose and mouth works.",
            search_aliases=["describe face", "llava", "image to text", "facial features"],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default=TEMPLATE,
                    tooltip="template: the original's fixed sentence, no model needed. describe face, "
                    "describe person: the questions behind the training captions. custom prompt: your own.",
                ),
                io.Combo.Input(
                    "template",
                    options=list(TEMPLATES),
                    default="SD1.5",
                    optional=True,
                    tooltip="Which fixed sentence the template mode gives. 'without face' is that of the "
                    "original's inpainting and ControlNet pipelines.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The photo to describe; of several, the first. Not used by the template mode.",
                ),
                FaceCaptionerType.Input(
                    "captioner",
                    optional=True,
                    tooltip="The model that describes. Not used by the template mode.",
                ),
                io.String.Input(
                    "custom_prompt",
                    multiline=True,
                    default="",
                    optional=True,
                    tooltip="The question of the custom prompt mode. Ask for face, ears, eyes, nose and "
                    "mouth by name.",
                ),
                io.Int.Input(
                    "max_new_tokens",
                    default=MAX_NEW_TOKENS,
                    min=1,
                    max=4096,
                    optional=True,
                    tooltip="The model stops after this many tokens; the training captions allowed 512.",
                ),
                io.Int.Input(
                    "max_characters",
                    default=MAX_CAPTION_LENGTH,
                    min=0,
                    max=100_000,
                    optional=True,
                    tooltip="A longer description is cut after a whole sentence. The original ignores the "
                    "face if its description is longer than 330 characters. 0: never cut.",
                ),
            ],
            outputs=[io.String.Output("caption", tooltip="The description, for Encode Facial Prompt.")],
        )

    @classmethod
    def execute(
        cls,
        mode: str,
        template: str = "SD1.5",
        image=None,
        captioner: FaceCaptionerModel | None = None,
        custom_prompt: str = "",
        max_new_tokens: int = MAX_NEW_TOKENS,
        max_characters: int = MAX_CAPTION_LENGTH,
    ) -> io.NodeOutput:
        if mode == TEMPLATE:
            caption = TEMPLATES[template]
        else:
            question = _question(mode, custom_prompt)
            _require(mode, image=image, captioner=captioner)
            caption = _describe(captioner, image, question, max_new_tokens)
            if max_characters:
                caption = shorten(caption, max_characters)
        return io.NodeOutput(caption, ui=ui.PreviewText(caption))


def _question(mode: str, custom_prompt: str) -> str:
    if mode != CUSTOM:
        return _QUESTIONS[mode]
    if not custom_prompt.strip():
        raise PromptError(
            f"The mode '{CUSTOM}' needs a question: write one into custom_prompt, or choose another mode."
        )
    return custom_prompt.strip()


def _require(mode: str, **inputs: object) -> None:
    for name, value in inputs.items():
        if value is None:
            raise ValueError(
                f"The mode '{mode}' needs the input '{name}', which is not connected. "
                f"Connect it, or choose the mode '{TEMPLATE}'."
            )


def _describe(captioner: FaceCaptionerModel, image, question: str, max_new_tokens: int) -> str:
    """The model's answer about the first picture, with progress and a stop at every token."""
    pictures = to_pictures(image[:1])
    if len(image) > 1:
        logger.info("Caption Face describes the first of %d pictures.", len(image))
    progress = comfy.utils.ProgressBar(max_new_tokens)

    def on_token() -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        progress.update(1)

    caption = captioner.loaded().caption(
        pictures[0], question, max_new_tokens=max_new_tokens, on_token=on_token
    )
    progress.update_absolute(max_new_tokens)
    return caption


NODES = [LoadFaceCaptioner, CaptionFace]
