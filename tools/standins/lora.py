"""A LoRA for SD1.5 with random weights: on one layer of the UNet and one of the text encoder."""

from pathlib import Path

from .random_weights import Plan, TensorPlan, write_safetensors
from .unet import MODEL_CHANNELS, SD15

_RANK = 4
#: In kohya's naming, as style LoRAs have: module -> width of its input and output.
_MODULES = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (
        SD15.context_dim,
        MODEL_CHANNELS,
    ),
    "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (SD15.context_dim, SD15.context_dim),
}


def write(path: Path, *, seed: int = 0) -> None:
    """Write a float16 file of a few kB; it fits the narrow base model and the full one."""
    plan = Plan()
    for module, (inputs, outputs) in _MODULES.items():
        plan.linear(f"{module}.lora_down", inputs, _RANK, bias=False)
        plan.linear(f"{module}.lora_up", _RANK, outputs, bias=False)
        plan[f"{module}.alpha"] = TensorPlan((), mean=_RANK)
    write_safetensors(plan, Path(path), seed)
