"""People, texts and short runs through ComfyUI's own guider, on small models; for in-process tests only."""

from collections.abc import Callable
from functools import cache

import comfy.model_patcher
import comfy.samplers
import comfy.supported_models
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import skip_torch_compile_dict
from consistentid_pack.consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_pack.consistentid_core.networks.unet_layers import attention_layers
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.person.clip_features import zero_image
from consistentid_pack.nodes.person.keys_values import features_of_person
from consistentid_pack.nodes.sampling.id_patch import IDAttentionPatch
from golden_host import CPU, clip_vision, consistentid_model
from golden_set import manifest

#: Two steps, falling by about half.
SIGMAS = torch.tensor([5.9, 2.4, 0.0])

#: The first of them alone.
ONE_STEP = SIGMAS[:2]


def left_half(side: int) -> torch.Tensor:
    """The left half of a square picture as a MASK."""
    mask = torch.zeros(1, side, side)
    mask[..., : side // 2] = 1
    return mask


#: Of the latents of these runs.
LEFT = left_half(16)

#: Width of the text rows of each family.
TEXT_WIDTH = {"sd15": 768, "sdxl": 2048}

_vision = cache(clip_vision)


def random(*shape: int, seed: int) -> torch.Tensor:
    """Normal numbers that are the same in every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def latents(height: int = 16, width: int = 16, batch: int = 1) -> torch.Tensor:
    """Noise; every latent of a batch is the same, so that it can be compared with a single one."""
    return random(1, 4, height, width, seed=1).repeat(batch, 1, 1, 1)


def text(number: int, tokens: int = 77, family: str = "sd15", **options) -> list[list]:
    """One CONDITIONING entry."""
    if family == "sdxl":
        options = {"pooled_output": random(1, 1280, seed=70 + number), **options}
    return [[random(1, tokens, TEXT_WIDTH[family], seed=10 + number), options]]


POSITIVE, NEGATIVE = text(0), text(1)


def person(number: int = 0) -> IDEmbedding:
    return IDEmbedding(vector=torch.nn.functional.normalize(random(1, 512, seed=100 + number)))


def photo(number: int = 0) -> torch.Tensor:
    return torch.rand(1, 64, 48, 3, generator=torch.Generator().manual_seed(200 + number))


@torch.inference_mode()
def apply(
    model,
    number: int = 0,
    *,
    image: torch.Tensor | None = None,
    **options,
):
    """The model after Apply ConsistentID with a person of that number.

    Without the LoRA, which is an ordinary weight patch to everyone else, but takes most of the time of a short run.
    """
    return apply_embedding(model, person(number), image=photo(number) if image is None else image, **options)


@torch.inference_mode()
def apply_embedding(
    model,
    id_embed: IDEmbedding,
    *,
    weight: float = 1.0,
    lora_weight: float = 0.0,
    start_percent: float = 0.0,
    end_percent: float = 1.0,
    clip_vision=None,
    **options,
):
    """The model after Apply ConsistentID with this ID embedding; otherwise as :func:`apply`."""
    return ApplyConsistentID.execute(
        model, consistentid_model("sd15"), id_embed, weight, lora_weight, start_percent, end_percent,
        clip_vision=clip_vision or _vision(), **options,
    ).args[0]  # fmt: skip


def vision():
    """The CLIP_VISION that :func:`apply` uses."""
    return _vision()


@torch.inference_mode()
def sample(
    model,
    positive=None,
    negative=None,
    *,
    cfg: float = 4.0,
    sigmas: torch.Tensor = SIGMAS,
    noise: torch.Tensor | None = None,
    latent: torch.Tensor | None = None,
    sampler: str = "euler",
    guider=None,
    **options,
) -> torch.Tensor:
    """Latents of a short run through a guider, as sampler nodes make them; always with the same seed."""
    noise = latents() if noise is None else noise
    if guider is None:
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive or POSITIVE, negative or NEGATIVE)
        guider.set_cfg(cfg)
    torch.manual_seed(0)
    latent = torch.zeros_like(noise) if latent is None else latent
    if isinstance(sampler, str):
        sampler = comfy.samplers.sampler_object(sampler)
    return guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=0, **options)


def one_step(model, *args, **options) -> torch.Tensor:
    """:func:`sample`, for what does not need more."""
    return sample(model, *args, sigmas=ONE_STEP, **options)


@torch.inference_mode()
def watch_calls(monkeypatch, number: int = 0) -> list[str]:
    """Who is shown in each call of an SD1.5 UNet from now on, a letter per latent in the order of the batch.

    a: the person of that number, from :func:`apply`.  n: nobody.  o: an own person of a conditioning.
    Read off what a layer answers to queries of zeros: those read the mean of the ID tokens' values.
    """
    layer = next(
        one for one in attention_layers(manifest("unet_small_sd15")["comfy_unet_config"]) if one.is_cross
    )
    consistentid = consistentid_model("sd15")
    features = features_of_person(_vision(), photo(number), None)
    answers = {
        "a": consistentid.keys_values(person(number).vector, features),
        "n": consistentid.no_identity_keys_values(zero_image(_vision())),
    }
    answers = {letter: one[layer.index][1].mean(1)[0] for letter, one in answers.items()}
    seen, forward = [], UNetModel._forward

    def watched(self, x, timesteps, context, y, control, transformer_options, **kwargs):
        zeros = torch.zeros(len(x), 1, len(answers["n"]))
        options = {**transformer_options, "n_heads": 1}
        readings = transformer_options["patches_replace"]["attn2"][layer.block](zeros, zeros, zeros, options)
        seen.append("".join(map(letter, readings[:, 0])))
        return forward(self, x, timesteps, context, y, control, transformer_options, **kwargs)

    def letter(reading: torch.Tensor) -> str:
        return next(
            (one for one, answer in answers.items() if torch.allclose(reading, answer, atol=1e-5)), "o"
        )

    monkeypatch.setattr(UNetModel, "_forward", watched)
    return seen


def compile_node() -> tuple[Callable, list]:
    """ComfyUI's compile node as a function of a model, and the graphs it has compiled so far.

    The backend runs them as they are; one for all models, or each would be compiled anew.
    """
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    def compiled(model):
        model = model.clone()
        set_torch_compile_wrapper(
            model, backend=backend, options={"guard_filter_fn": skip_torch_compile_dict}
        )
        return model

    torch._dynamo.reset()
    return compiled, graphs


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return ((a - b).abs().max() / b.abs().max()).item()


def random_unet(
    family: str, config_class=None, *, seed: int = 7, **changes
) -> comfy.model_patcher.ModelPatcher:
    """A UNet of the golden one's layout with random weights, as a MODEL; ``changes`` go into its configuration."""
    config = {**manifest(f"unet_small_{family}")["comfy_unet_config"], **changes}
    usual = {"sd15": comfy.supported_models.SD15, "sdxl": comfy.supported_models.SDXL}[family]
    model_config = (config_class or usual)(config)
    model_config.set_inference_dtype(torch.float32, None)
    model = model_config.get_model({}, "", device=CPU)
    fill(model.diffusion_model, seed)
    return comfy.model_patcher.ModelPatcher(model, load_device=CPU, offload_device=CPU)


def fill(module: torch.nn.Module, seed: int) -> None:
    """Random weights that keep activations at their size; norms stay as they begin."""
    generator = torch.Generator().manual_seed(seed)
    norms = {
        name
        for name, part in module.named_modules()
        if isinstance(part, torch.nn.GroupNorm | torch.nn.LayerNorm)
    }
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[0] in norms:
            parameter.data.fill_(1.0 if name.endswith("weight") else 0.0)
        elif parameter.ndim > 1:
            parameter.data.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
        else:
            parameter.data.zero_()


def small_sdxl() -> comfy.model_patcher.ModelPatcher:
    """An SDXL UNet with SDXL's blocks, two transformers deep instead of ten."""
    return random_unet(
        "sdxl",
        transformer_depth=[0, 0, 1, 1, 2, 2],
        transformer_depth_middle=2,
        transformer_depth_output=[0, 0, 0, 1, 1, 1, 2, 2, 2],
    )


def apply_random(model, family: str, number: int = 0, people: int = 1, **options):
    """The model with an identity of random keys and values, where the adapter itself does not matter.

    people: more than one belong to the latents of a batch in turn.
    """
    layers = [layer for layer in attention_layers(model.model.model_config.unet_config) if layer.is_cross]
    weights = model.model.diffusion_model.state_dict()

    def keys_values(seed: int, people: int = 1) -> dict:
        widths = {layer.index: len(weights[f"{layer.weight_prefix}.to_k.weight"]) for layer in layers}
        return {
            index: (random(people, 4, width, seed=seed + index), random(people, 4, width, seed=seed - index))
            for index, width in widths.items()
        }

    patched = model.clone()
    blocks = {layer.index: layer.block for layer in layers}
    nobody = keys_values(9000)
    identity = keys_values(1000 * (number + 1), people)
    IDAttentionPatch(family, blocks, identity, nobody, **options).install(patched)
    return patched
