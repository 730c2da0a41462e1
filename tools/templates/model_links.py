"""The model files the shipped workflows name, as the interface lists the ones that are missing.

Files ending in .bin get no download button in the interface, only their address and folder: ComfyUI
offers downloads of .safetensors, .sft, .ckpt, .pth and .pt.
"""

from consistentid_core.files import catalogue
from consistentid_core.files.catalogue import ModelFile

from .graph import ModelLink


def _link(file: ModelFile) -> ModelLink:
    return ModelLink(file.name, file.place, file.address)


CHECKPOINT_SD15 = _link(catalogue.CHECKPOINT_SD15)
CHECKPOINT_SDXL = _link(catalogue.CHECKPOINT_SDXL)
CLIP_VISION = _link(catalogue.CLIP_VISION)
CONSISTENTID_SD15 = _link(catalogue.CONSISTENTID_SD15)
CONSISTENTID_SDXL = _link(catalogue.CONSISTENTID_SDXL)
FACE_PARSER = _link(catalogue.FACE_PARSER)
CONTROLNET_POSE = _link(catalogue.CONTROLNET_POSE)
STYLE_LORA = _link(catalogue.STYLE_LORA)
VISION_LANGUAGE_MODEL = _link(catalogue.VISION_LANGUAGE_MODEL)
