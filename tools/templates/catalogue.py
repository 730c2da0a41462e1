"""The shipped workflows."""

from .captions import ANY_CAPTION, LLAVA_CAPTION
from .graph import Template
from .guided import CONTROLNET, IMG2IMG, INPAINT, STYLE_LORA
from .judged import BEST_OF, SWEEP
from .portraits import PAINTED_MASKS, SAVED_EMBEDDING, SD15, SDXL, SIMPLE
from .several import MIX_PARTS, ONE_EACH, SEVERAL_PHOTOS, TWO_PEOPLE
from .small_faces import PASTE_BACK, SECOND_PASS
from .training import TRAIN

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
    PASTE_BACK,
    SECOND_PASS,
    CONTROLNET,
    STYLE_LORA,
    SEVERAL_PHOTOS,
    MIX_PARTS,
    ONE_EACH,
    TWO_PEOPLE,
    TRAIN,
    BEST_OF,
    SWEEP,
]
