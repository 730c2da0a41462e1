"""CLIP ViT-H/14's vision tower with random weights."""

from pathlib import Path

from .random_weights import Plan, write_safetensors

WIDTH, LAYERS, PATCH, IMAGE_SIZE, PROJECTION = 1280, 32, 14, 224, 1024


def write(path: Path, *, seed: int = 0) -> None:
    """Write the vision tower (632M parameters, 1206 MiB in float16), in transformers' naming."""
    plan, model = Plan(), "vision_model"
    plan.table(f"{model}.embeddings.class_embedding", WIDTH, std=1.0)
    plan.conv(f"{model}.embeddings.patch_embedding", 3, WIDTH, PATCH, bias=False)
    # One position per patch and one for the class token.
    plan.table(f"{model}.embeddings.position_embedding.weight", (IMAGE_SIZE // PATCH) ** 2 + 1, WIDTH)
    plan.norm(f"{model}.pre_layrnorm", WIDTH)  # transformers spells it so
    for index in range(LAYERS):
        layer = f"{model}.encoder.layers.{index}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            plan.linear(f"{layer}.self_attn.{part}", WIDTH, WIDTH)
        plan.norm(f"{layer}.layer_norm1", WIDTH)
        plan.norm(f"{layer}.layer_norm2", WIDTH)
        plan.linear(f"{layer}.mlp.fc1", WIDTH, 4 * WIDTH)
        plan.linear(f"{layer}.mlp.fc2", 4 * WIDTH, WIDTH)
    plan.norm(f"{model}.post_layernorm", WIDTH)
    plan.linear("visual_projection", WIDTH, PROJECTION, bias=False)
    write_safetensors(plan, Path(path), seed)
