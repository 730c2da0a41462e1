"""The model files the shipped workflows name, where they go, and where they come from.

Files ending in .bin get no download button in the interface, only their address and folder: ComfyUI
offers downloads of .safetensors, .sft, .ckpt, .pth and .pt.
"""

from .graph import ModelLink

_CONSISTENTID = "https://huggingface.co/JackAILab/ConsistentID/resolve/main"

CHECKPOINT_SD15 = ModelLink(
    "Realistic_Vision_V6.0_NV_B1_fp16.safetensors",
    "checkpoints",
    "https://huggingface.co/SG161222/Realistic_Vision_V6.0_B1_noVAE/resolve/main/"
    "Realistic_Vision_V6.0_NV_B1_fp16.safetensors",
)
CHECKPOINT_SDXL = ModelLink(
    "RealVisXL_V5.0_fp16.safetensors",
    "checkpoints",
    "https://huggingface.co/SG161222/RealVisXL_V5.0/resolve/main/RealVisXL_V5.0_fp16.safetensors",
)
CLIP_VISION = ModelLink(
    "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors",
    "clip_vision",
    "https://huggingface.co/h94/IP-Adapter/resolve/main/models/image_encoder/model.safetensors",
)
CONSISTENTID_SD15 = ModelLink("ConsistentID-v1.bin", "consistentid", f"{_CONSISTENTID}/ConsistentID-v1.bin")
CONSISTENTID_SDXL = ModelLink(
    "ConsistentID_SDXL-v1.bin", "consistentid", f"{_CONSISTENTID}/ConsistentID_SDXL-v1.bin"
)
FACE_PARSER = ModelLink("face_parsing.pth", "consistentid", f"{_CONSISTENTID}/face_parsing.pth")
CONTROLNET_POSE = ModelLink(
    "control_v11p_sd15_openpose_fp16.safetensors",
    "controlnet",
    "https://huggingface.co/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/"
    "control_v11p_sd15_openpose_fp16.safetensors",
)
STYLE_LORA = ModelLink(
    "ghibli_style_offset.safetensors", "loras", "https://civitai.com/api/download/models/7657"
)
VISION_LANGUAGE_MODEL = ModelLink(
    "qwen3.5_2b_bf16.safetensors",
    "text_encoders",
    "https://huggingface.co/Comfy-Org/Qwen3.5/resolve/main/text_encoders/qwen3.5_2b_bf16.safetensors",
)
