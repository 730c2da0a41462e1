"""Every model file the pack uses: the one list, read by messages, tools, templates and tests of the documents.

Facts only. :mod:`.resolve` finds the files on a disk; nothing here or there opens a connection;
:mod:`.fetch` does, when the command of this room is asked to.
A new model file is a row here and an entry in :data:`MODEL_FILES`.
"""

from dataclasses import dataclass
from pathlib import PurePath

_CONSISTENTID_HUB = "https://huggingface.co/JackAILab/ConsistentID/resolve/main"

#: Where a licence is not known, nobody should read a permission into our silence.
NOT_STATED = "not stated by its source"
_INSIGHTFACE_LICENCE = "non-commercial research only"


@dataclass(frozen=True)
class Archive:
    """A zip file that model files are released in."""

    name: str
    address: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ModelFile:
    """A released file.

    key: what the command ``python -m consistentid_core.files`` calls it.
    what: what it is, as one names it in a sentence.
    name: of the released file, or of the folder the files of a hub repository go to (``is_folder``).
    folders: the folders below ComfyUI's ``models`` it may lie in, the one to put it into first.
    subfolder: where in such a folder.
    address: where it can be fetched; for a file of an ``archive``, the archive's.
    other_names: under which users have the same weights.
    size (bytes), sha256: of the file called ``name``; None if its source publishes none.
    """

    key: str
    what: str
    name: str
    folders: tuple[str, ...]
    address: str
    licence: str
    other_names: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    subfolder: str = ""
    archive: Archive | None = None
    is_folder: bool = False

    @property
    def place(self) -> str:
        """The folder to put it into, below ``models``."""
        return f"{self.folders[0]}/{self.subfolder}" if self.subfolder else self.folders[0]

    def is_called(self, path: str) -> bool:
        """Whether a path ends in a name of this file, whatever the extension: conversions keep the rest."""
        stem = PurePath(path).stem.lower()
        return any(stem == PurePath(name).stem.lower() for name in (self.name, *self.other_names))

    def __str__(self) -> str:
        """Its name, with the size where that is known: what to look for, in a message."""
        return f"'{self.name}'" if self.size is None else f"'{self.name}' ({self.size:,} bytes)"


# --- ConsistentID itself ------------------------------------------------------------------------------------

CONSISTENTID_SD15 = ModelFile(
    key="consistentid-sd15",
    what="ConsistentID for SD1.5",
    name="ConsistentID-v1.bin",
    folders=("consistentid",),
    address=f"{_CONSISTENTID_HUB}/ConsistentID-v1.bin",
    licence=NOT_STATED,
)
CONSISTENTID_SDXL = ModelFile(
    key="consistentid-sdxl",
    what="ConsistentID for SDXL",
    name="ConsistentID_SDXL-v1.bin",
    folders=("consistentid",),
    address=f"{_CONSISTENTID_HUB}/ConsistentID_SDXL-v1.bin",
    licence=NOT_STATED,
)

# --- what reads a photo -------------------------------------------------------------------------------------

FACE_PARSER = ModelFile(
    key="face-parser",
    what="BiSeNet face parser",
    name="face_parsing.pth",
    other_names=("79999_iter.pth", "parsing_bisenet.pth"),
    # The last two are those of other packs that use the same file.
    folders=("consistentid", "facexlib", "face_parsing"),
    address=f"{_CONSISTENTID_HUB}/face_parsing.pth",
    size=53_289_463,
    sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
    licence="trained on CelebAMask-HQ, for non-commercial research",
)

#: ConsistentID's ID projection was trained on this recogniser; another one (``antelopev2``, AuraFace) speaks of
#: another space of faces and cannot replace it.
BUFFALO_L = Archive(
    name="buffalo_l.zip",
    address="https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip",
    size=288_621_354,
    sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
)
DETECTOR = ModelFile(
    key="face-detector",
    what="InsightFace face detector",
    name="det_10g.onnx",
    folders=("insightface",),
    subfolder="models/buffalo_l",
    address=BUFFALO_L.address,
    archive=BUFFALO_L,
    size=16_923_827,
    sha256="5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
    licence=_INSIGHTFACE_LICENCE,
)
RECOGNISER = ModelFile(
    key="face-recogniser",
    what="InsightFace face recogniser",
    name="w600k_r50.onnx",
    folders=("insightface",),
    subfolder="models/buffalo_l",
    address=BUFFALO_L.address,
    archive=BUFFALO_L,
    size=174_383_860,
    sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    licence=_INSIGHTFACE_LICENCE,
)

CLIP_VISION = ModelFile(
    key="clip-vision",
    what="CLIP ViT-H/14 vision model",
    # Published as model.safetensors; this is the name it is usually given, and the one the workflows ask for.
    name="CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors",
    other_names=(
        "model.safetensors",
        "IPAdapter_image_encoder_sd15.safetensors",
        "clip_vision_h.safetensors",
    ),
    folders=("clip_vision",),
    address="https://huggingface.co/h94/IP-Adapter/resolve/main/models/image_encoder/model.safetensors",
    size=2_528_373_448,
    sha256="6ca9667da1ca9e0b0f75e46bb030f7e011f44f86cbfb8d5a36590fcd7507b030",
    licence="Apache-2.0",
)

CAPTIONER = ModelFile(
    key="captioner",
    what="LLaVA 1.5 face captioner",
    name="llava-1.5-7b-hf",
    folders=("LLM",),
    address="https://huggingface.co/llava-hf/llava-1.5-7b-hf",
    licence="Llama 2 Community License",
    is_folder=True,
)

# --- what judges a picture: needed by nothing else -----------------------------------------------------------

#: A recogniser that did not condition the picture and whose licence is free. Any ArcFace-type ONNX file will do.
JUDGE = ModelFile(
    key="judge",
    what="SFace face recogniser",
    name="face_recognition_sface_2021dec.onnx",
    folders=("face_recognition", "insightface"),
    address="https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/"
    "face_recognition_sface_2021dec.onnx",
    licence="Apache-2.0",
)
#: Compares parts of faces.
DINO = ModelFile(
    key="dino",
    what="DINO ViT-S/16",
    name="dino-vits16",
    folders=("dino",),
    address="https://huggingface.co/facebook/dino-vits16",
    licence="Apache-2.0",
    is_folder=True,
)

# --- what the shipped workflows use besides: any other file of the kind will do ---------------------------

CHECKPOINT_SD15 = ModelFile(
    key="checkpoint-sd15",
    what="Stable Diffusion 1.5 checkpoint",
    name="Realistic_Vision_V6.0_NV_B1_fp16.safetensors",
    folders=("checkpoints",),
    address="https://huggingface.co/SG161222/Realistic_Vision_V6.0_B1_noVAE/resolve/main/"
    "Realistic_Vision_V6.0_NV_B1_fp16.safetensors",
    licence="CreativeML OpenRAIL-M",
)
CHECKPOINT_SDXL = ModelFile(
    key="checkpoint-sdxl",
    what="SDXL checkpoint",
    name="RealVisXL_V5.0_fp16.safetensors",
    folders=("checkpoints",),
    address="https://huggingface.co/SG161222/RealVisXL_V5.0/resolve/main/RealVisXL_V5.0_fp16.safetensors",
    licence="CreativeML OpenRAIL++-M",
)
CONTROLNET_POSE = ModelFile(
    key="controlnet-pose",
    what="OpenPose ControlNet for SD1.5",
    name="control_v11p_sd15_openpose_fp16.safetensors",
    folders=("controlnet",),
    address="https://huggingface.co/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/"
    "control_v11p_sd15_openpose_fp16.safetensors",
    licence="OpenRAIL",
)
STYLE_LORA = ModelFile(
    key="style-lora",
    what="style LoRA for SD1.5",
    name="ghibli_style_offset.safetensors",
    folders=("loras",),
    address="https://civitai.com/api/download/models/7657",
    licence=NOT_STATED,
)
VISION_LANGUAGE_MODEL = ModelFile(
    key="qwen",
    what="Qwen 3.5 vision language model",
    name="qwen3.5_2b_bf16.safetensors",
    folders=("text_encoders",),
    address="https://huggingface.co/Comfy-Org/Qwen3.5/resolve/main/text_encoders/qwen3.5_2b_bf16.safetensors",
    licence="Apache-2.0",
)

#: What the nodes of the pack read, in the order a user needs it.
MODEL_FILES = (
    CONSISTENTID_SD15,
    CONSISTENTID_SDXL,
    FACE_PARSER,
    DETECTOR,
    RECOGNISER,
    CLIP_VISION,
    CAPTIONER,
)
#: What judges a picture; a user who only draws needs none of them.
JUDGE_FILES = (JUDGE, DINO)
#: What only the shipped workflows name.
EXAMPLE_FILES = (CHECKPOINT_SD15, CHECKPOINT_SDXL, CONTROLNET_POSE, STYLE_LORA, VISION_LANGUAGE_MODEL)
