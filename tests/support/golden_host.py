"""The golden set's stand-in models as ComfyUI objects: small UNets, text encoder, CLIP vision.

They follow SPEC 10.2, so that the pack's own nodes can be run against the numbers the
original produced. For in-process tests only: ComfyUI must be importable.
"""

from functools import cache
from types import SimpleNamespace

import comfy.model_patcher
import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.supported_models
import torch
from consistentid_pack.consistentid_core.networks.checkpoint import recognise
from consistentid_pack.nodes.models.consistentid import ConsistentIDModel
from consistentid_pack.nodes.sampling.roles import KEY, Roles
from golden_set import manifest, normal, reference, state_dict

CPU = torch.device("cpu")

#: Seed prefixes of the full-size networks (SPEC 10.1).
PREFIXES = {
    "sd15": {"FacialEncoder": "FacialEncoder.", "image_proj": "image_proj."},
    "sdxl": {"FacialEncoder": "FacialEncoder.sdxl.", "image_proj": "image_proj_model."},
}


def small_unet(family: str, dtype=torch.float32, casting: bool = False) -> comfy.model_patcher.ModelPatcher:
    """``unet_small_<family>`` with the golden weights as a MODEL.

    casting: use the layers that cast their weights on use, which partial loading needs.
    """
    config = dict(manifest(f"unet_small_{family}")["comfy_unet_config"])
    names = manifest(f"unet_small_{family}_keys")["unet"]
    weights = state_dict({name: entry["shape"] for name, entry in names.items()}, f"unet_small_{family}.")
    model_class = {"sd15": comfy.supported_models.SD15, "sdxl": comfy.supported_models.SDXL}[family]
    model_config = model_class(config)
    model_config.set_inference_dtype(dtype, torch.float32 if casting else None)
    model = model_config.get_model({}, "", device=CPU)
    model.diffusion_model.load_state_dict({names[name]["ldm"]: tensor for name, tensor in weights.items()})
    return comfy.model_patcher.ModelPatcher(model, load_device=CPU, offload_device=CPU)


def small_adapter(family: str) -> dict[str, torch.Tensor]:
    """The adapter weights that belong to :func:`small_unet`."""
    shapes = manifest(f"unet_small_{family}_keys")["adapter_modules"]
    return state_dict(shapes, f"unet_small_{family}.adapter_modules.")


@cache
def consistentid_model(family: str) -> ConsistentIDModel:
    """The golden ConsistentID: full-size encoder and projection, adapters of the small UNet."""
    groups = {}
    for name, shape in reference(f"checkpoint_{family}").items():
        group, key = name.split(".", 1)
        groups.setdefault("image_proj" if group.startswith("image_proj") else group, {})[key] = shape
    checkpoint = {name: state_dict(groups[name], prefix) for name, prefix in PREFIXES[family].items()}
    return ConsistentIDModel(recognise({**checkpoint, "adapter_modules": small_adapter(family)}))


class GoldenCLIP:
    """A CLIP whose encoder adds a vector of the token to a vector of the position."""

    def __init__(self, family: str):
        self.family = family
        tokenizer = {"sd15": comfy.sd1_clip.SD1Tokenizer, "sdxl": comfy.sdxl_clip.SDXLTokenizer}[family]
        self.tokenizer = tokenizer()
        self.encoded = []

    def tokenize(self, text, return_word_ids=False, **kwargs):
        return self.tokenizer.tokenize_with_weights(text, return_word_ids, **kwargs)

    def encode_from_tokens_scheduled(self, tokens, add_dict=None):
        self.encoded.append(tokens)
        if self.family == "sd15":
            return [[self._rows(tokens["l"], "fake_text", 768), {"pooled_output": None, **(add_dict or {})}]]
        rows = torch.cat(
            [self._rows(tokens["l"], "fake_text_l", 768), self._rows(tokens["g"], "fake_text_g", 1280)], -1
        )
        ids = [token for chunk in tokens["g"] for token, _ in chunk]
        pooled = rows[:, ids.index(max(ids)), 768:]
        return [[rows, {"pooled_output": pooled, **(add_dict or {})}]]

    @staticmethod
    def _rows(chunks, prefix, width):
        rows = [
            normal(f"{prefix}.tok.{token}", (width,)) + 0.5 * normal(f"{prefix}.pos.{position}", (width,))
            for chunk in chunks
            for position, (token, _weight) in enumerate(chunk)
        ]
        return torch.stack(rows)[None]


class GoldenCLIPVision(torch.nn.Module):
    """A CLIP vision model that projects the means of 14 x 14 patches."""

    def __init__(self):
        super().__init__()
        self.projection = normal("fake_clip.proj", (3, 1280))
        self.positions = normal("fake_clip.pos", (257, 1280))
        self.passes = []

    def forward(self, pixel_values, intermediate_output):
        self.passes.append(pixel_values.shape[0])
        patches = torch.nn.functional.avg_pool2d(pixel_values, 14).flatten(2).transpose(1, 2)
        rows = torch.cat([patches.mean(1, keepdim=True), patches], dim=1)
        return None, rows @ self.projection + self.positions


def clip_vision() -> SimpleNamespace:
    """The golden CLIP vision as a CLIP_VISION object; ``.model.passes`` counts the pictures of each pass."""
    model = GoldenCLIPVision()
    return SimpleNamespace(
        model=model,
        config={"hidden_size": 1280, "num_hidden_layers": 32, "patch_size": 14, "image_size": 224},
        patcher=comfy.model_patcher.ModelPatcher(model, load_device=CPU, offload_device=CPU),
        load_device=CPU,
    )


def options_of_one_call(patch, model, x, show):
    """The transformer options our wrapper hands to the UNet for a batch with one chunk per entry of ``show``."""
    caught = {}

    class Executor:
        class_obj = model.model

        def __call__(self, x, t, c_concat, c_crossattn, control, transformer_options, **kwargs):
            caught.update(transformer_options)

    uuids = [object() for _ in show]
    roles = Roles({"positive": [{"uuid": u} for u, s in zip(uuids, show, strict=True) if s]})
    patch(Executor(), x, None, transformer_options={KEY: roles, "uuids": uuids, "sigmas": torch.ones(1)})
    return caught
