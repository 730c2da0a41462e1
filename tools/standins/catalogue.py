"""Every model the shipped workflows use: how the released file is recognised, and its stand-in.

``FULL`` has the released shapes. ``NARROW`` is for quick tests: a base model 320 channels
wide throughout with a tiny autoencoder, an adapter that fits it, and no search for released files.
"""

from .. import model_files
from ..model_files import Wanted
from . import clip_vision, consistentid, insightface, sd15

CHECKPOINT, CLIP_VISION, CONSISTENTID = "checkpoint", "clip_vision", "consistentid"
FACE_PARSER, INSIGHTFACE, CAPTIONER = "face_parser", "insightface", "captioner"

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
        ("clip_vision",),
        model_files.recognise_clip_vit_h,
        "clip_vision/standin_clip_vit_h.safetensors",
        clip_vision.write,
        "1.3 GB, about 10 s",
    ),
    CONSISTENTID: Wanted(
        "ConsistentID for SD1.5",
        ("consistentid",),
        model_files.recognise_consistentid_sd15,
        "consistentid/standin_ConsistentID-v1.bin",
        consistentid.write,
        "0.4 GB, about 5 s",
    ),
    INSIGHTFACE: Wanted(
        "InsightFace buffalo_l",
        ("insightface",),
        model_files.recognise_buffalo_l,
        "insightface/models/buffalo_l",
        lambda folder: insightface.write(folder, full=True),
        "0.2 GB, about 5 s",
    ),
}
