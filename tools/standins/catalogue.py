"""Every model the shipped workflows use: how the released file is recognised, and its stand-in."""

from pathlib import Path

from consistentid_core.files import catalogue as released

from .. import model_files
from ..model_files import Wanted
from . import bisenet, clip_vision, consistentid, controlnet, insightface, llava, lora, sd15
from .unet import SDXL as SDXL_FAMILY

CHECKPOINT, CLIP_VISION, CONSISTENTID = "checkpoint", "clip_vision", "consistentid"
FACE_PARSER, INSIGHTFACE, CAPTIONER = "face_parser", "insightface", "captioner"
CONTROLNET, STYLE_LORA = "controlnet", "style_lora"


def _write_buffalo_l(folder: Path) -> None:
    insightface.write(folder, full=True)


def _write_narrow_sd15(path: Path) -> None:
    sd15.write(path, channel_mult=sd15.NARROW, vae="taesd")


def _write_narrow_consistentid(path: Path) -> None:
    consistentid.write(path, channel_mult=sd15.NARROW)


def _write_narrow_sdxl(path: Path) -> None:
    sd15.write(path, family=SDXL_FAMILY, channel_mult=sd15.NARROW_SDXL, vae="taesd")


def _write_sdxl_unet(path: Path) -> None:
    sd15.write(path, family=SDXL_FAMILY, vae="taesd", clip=False)


def _write_consistentid_sdxl(path: Path) -> None:
    consistentid.write(path, family=SDXL_FAMILY)


def _write_narrow_consistentid_sdxl(path: Path) -> None:
    consistentid.write(path, family=SDXL_FAMILY, channel_mult=sd15.NARROW_SDXL)


#: Stand-ins of the released shapes; the captioner alone is small, as the released one has 14 GB.
FULL = {
    CHECKPOINT: Wanted(
        "Stable Diffusion 1.5 checkpoint",
        ("checkpoints",),
        model_files.recognise_sd15,
        "checkpoints/standin_sd15.safetensors",
        sd15.write,
        "2.1 GB, about 15 s",
    ),
    CLIP_VISION: Wanted(
        "CLIP ViT-H/14 vision model",
        released.CLIP_VISION.folders,
        model_files.recognise_clip_vit_h,
        "clip_vision/standin_clip_vit_h.safetensors",
        clip_vision.write,
        "1.3 GB, about 10 s",
    ),
    CONSISTENTID: Wanted(
        "ConsistentID for SD1.5",
        released.CONSISTENTID_SD15.folders,
        model_files.recognise_consistentid_sd15,
        "consistentid/standin_ConsistentID-v1.bin",
        consistentid.write,
        "0.4 GB, about 5 s",
    ),
    FACE_PARSER: Wanted(
        "BiSeNet face parser",
        released.FACE_PARSER.folders,
        model_files.recognise_face_parser,
        "consistentid/standin_face_parsing.pth",
        bisenet.write,
        "53 MB",
    ),
    INSIGHTFACE: Wanted(
        "InsightFace buffalo_l",
        released.DETECTOR.folders,
        model_files.recognise_buffalo_l,
        "insightface/models/buffalo_l",
        _write_buffalo_l,
        "0.2 GB, about 5 s",
    ),
    CAPTIONER: Wanted(
        "LLaVA 1.5 face captioner",
        released.CAPTIONER.folders,
        model_files.recognise_llava,
        "LLM/standin_llava",
        llava.write,
        "a tiny one, 1 MB",
    ),
}

#: For quick tests: a base model 320 channels wide throughout with a tiny autoencoder, and an adapter
#: that fits it. The full-size adapter does not, which is a test of its own.
NARROW = {
    **FULL,
    CHECKPOINT: Wanted(
        "Narrow Stable Diffusion 1.5 checkpoint",
        ("checkpoints",),
        model_files.recognise_nothing,
        "checkpoints/standin_sd15_narrow.safetensors",
        _write_narrow_sd15,
        "0.5 GB, about 5 s",
    ),
    CONSISTENTID: Wanted(
        "ConsistentID for the narrow checkpoint",
        released.CONSISTENTID_SD15.folders,
        model_files.recognise_nothing,
        "consistentid/standin_ConsistentID-v1_narrow.bin",
        _write_narrow_consistentid,
        "0.3 GB, about 5 s",
    ),
}

#: For SDXL the stand-ins are narrow too, as the released files have 9 GB. The text encoders are of
#: full size: ComfyUI knows no other.
SDXL = {
    **FULL,
    CHECKPOINT: Wanted(
        "SDXL checkpoint",
        ("checkpoints",),
        model_files.recognise_sdxl,
        "checkpoints/standin_sdxl_narrow.safetensors",
        _write_narrow_sdxl,
        "a narrow one, 2.2 GB, about 10 s",
    ),
    CONSISTENTID: Wanted(
        "ConsistentID for SDXL",
        released.CONSISTENTID_SD15.folders,
        model_files.recognise_consistentid_sdxl,
        "consistentid/standin_ConsistentID_SDXL-v1_narrow.bin",
        _write_narrow_consistentid_sdxl,
        "a narrow one, 1.0 GB, about 10 s",
    ),
}

#: What is measured: base model and adapter at full size. Of SDXL without text encoders, which no step uses.
MEASURED = {
    "sd15": {key: FULL[key] for key in (CHECKPOINT, CONSISTENTID)},
    "sdxl": {
        CHECKPOINT: Wanted(
            "SDXL checkpoint",
            ("checkpoints",),
            model_files.recognise_sdxl,
            "checkpoints/standin_sdxl_unet.safetensors",
            _write_sdxl_unet,
            "5.1 GB, about a minute",
        ),
        CONSISTENTID: Wanted(
            "ConsistentID for SDXL",
            released.CONSISTENTID_SD15.folders,
            model_files.recognise_consistentid_sdxl,
            "consistentid/standin_ConsistentID_SDXL-v1.bin",
            _write_consistentid_sdxl,
            "2.9 GB, about half a minute",
        ),
    },
}

#: What some of the shipped workflows need besides; the ControlNet fits the narrow SD1.5 checkpoint.
OTHERS = {
    CONTROLNET: Wanted(
        "Narrow ControlNet for SD1.5",
        ("controlnet",),
        model_files.recognise_nothing,
        "controlnet/standin_controlnet_narrow.safetensors",
        controlnet.write,
        "0.1 GB, a second",
    ),
    STYLE_LORA: Wanted(
        "Style LoRA for SD1.5",
        ("loras",),
        model_files.recognise_nothing,
        "loras/standin_style_lora.safetensors",
        lora.write,
        "a few kB",
    ),
}
