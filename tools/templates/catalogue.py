"""The shipped workflows."""

from .captions import ANY_CAPTION, LLAVA_CAPTION
from .graph import Template
from .guided import CONTROLNET, IMG2IMG, INPAINT, STYLE_LORA, TWO_PEOPLE
from .portraits import PAINTED_MASKS, SAVED_EMBEDDING, SD15, SDXL, SIMPLE

TEMPLATES: list[Template] = [
    SD15,
    SIMPLE,
    SDXL,
    PAINTED_MASKS,
    LLAVA_CAPTION,
    ANY_CAPTION,
    SAVED_EMBEDDING,
    IMG2IMG,
    INPAINT,
    CONTROLNET,
    STYLE_LORA,
    TWO_PEOPLE,
]
