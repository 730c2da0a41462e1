"""The text encoders of a base checkpoint: CLIP-L, and OpenCLIP bigG beside it for SDXL."""

import torch

from .random_weights import Plan, TensorPlan

_TOKENS, _POSITIONS = 49408, 77


def add_clip_l(plan: Plan, prefix: str) -> None:
    """Add CLIP ViT-L/14's text tower (123M parameters) to the plan, in transformers' naming."""
    width, layers = 768, 12
    plan.table(f"{prefix}embeddings.token_embedding.weight", _TOKENS, width)
    plan.table(f"{prefix}embeddings.position_embedding.weight", _POSITIONS, width, std=0.01)
    for index in range(layers):
        layer = f"{prefix}encoder.layers.{index}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            plan.linear(f"{layer}.self_attn.{part}", width, width)
        plan.linear(f"{layer}.mlp.fc1", width, 4 * width)
        plan.linear(f"{layer}.mlp.fc2", 4 * width, width)
        plan.norm(f"{layer}.layer_norm1", width)
        plan.norm(f"{layer}.layer_norm2", width)
    plan.norm(f"{prefix}final_layer_norm", width)


def add_clip_g(plan: Plan, prefix: str) -> None:
    """Add OpenCLIP bigG's text tower (695M parameters) to the plan, in OpenCLIP's naming."""
    width, layers = 1280, 32
    plan.table(f"{prefix}token_embedding.weight", _TOKENS, width)
    plan.table(f"{prefix}positional_embedding", _POSITIONS, width, std=0.01)
    plan.table(f"{prefix}text_projection", width, width)
    plan[f"{prefix}logit_scale"] = TensorPlan((), mean=4.6, dtype=torch.float32)
    for index in range(layers):
        layer = f"{prefix}transformer.resblocks.{index}"
        plan.table(f"{layer}.attn.in_proj_weight", 3 * width, width)
        plan.table(f"{layer}.attn.in_proj_bias", 3 * width, std=0.0)
        plan.linear(f"{layer}.attn.out_proj", width, width)
        plan.linear(f"{layer}.mlp.c_fc", width, 4 * width)
        plan.linear(f"{layer}.mlp.c_proj", 4 * width, width)
        plan.norm(f"{layer}.ln_1", width)
        plan.norm(f"{layer}.ln_2", width)
    plan.norm(f"{prefix}ln_final", width)
