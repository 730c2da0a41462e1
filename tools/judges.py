"""Stand-ins of the networks that judge pictures: of the true classes, small, with random weights.

Their numbers mean nothing. Their names say stand-in, and every table that uses them repeats it.
"""

import shutil
from pathlib import Path

from .standins import insightface

CLIP, DINO = "stand-in-clip", "stand-in-dino"
RECOGNISER, INCEPTION, ALEXNET = "stand-in-recogniser.onnx", "stand-in-inception.pth", "stand-in-alexnet.pth"

_TOKENIZER = ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json")


def write_clip(folder: Path, tokenizer: Path, *, seed: int = 0, name: str = CLIP) -> Path:
    """A narrow CLIP.  tokenizer: ComfyUI's folder with CLIP's, ``comfy/sd1_tokenizer``."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    narrow = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**narrow, "vocab_size": 49408},
        vision_config={**narrow, "image_size": 224, "patch_size": 32},
        projection_dim=32,
    )
    CLIPModel(config).save_pretrained(folder / name)
    for file in _TOKENIZER:
        if (tokenizer / file).is_file():
            shutil.copy(tokenizer / file, folder / name / file)
    return folder / name


def write_dino(folder: Path, *, seed: int = 0) -> Path:
    """A narrow ViT."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(seed)
    config = ViTConfig(hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96)
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder / DINO)
    return folder / DINO


def write_recogniser(folder: Path, *, seed: int = 1) -> Path:
    """A random projection of the aligned face: photos alike give vectors alike, and that is all."""
    written = insightface.write(_made(folder / "projection"), seed=seed)
    path = folder / RECOGNISER
    shutil.move(written[insightface.RECOGNISER], path)
    shutil.rmtree(folder / "projection")
    return path


def write_inception(folder: Path, *, seed: int = 0) -> Path:
    """The true Inception of FID with random weights."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, *arguments, **options):
            """There is nothing to load yet."""

    torch.manual_seed(seed)
    path = folder / INCEPTION
    torch.save({}, path)
    torch.save(Untrained("inception", ["2048"], feature_extractor_weights_path=str(path)).state_dict(), path)
    return path


def write_alexnet(folder: Path, *, seed: int = 0) -> Path:
    """The part of AlexNet that LPIPS reads."""
    import torch
    from torchvision.models import alexnet

    torch.manual_seed(seed)
    weights = {f"features.{key}": value for key, value in alexnet(weights=None).features.state_dict().items()}
    torch.save(weights, folder / ALEXNET)
    return folder / ALEXNET


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
