"""A step of training beside the same step of a plain LoRA: same UNet, layers, rank, batch, dtype and optimiser.

Both begin with latents, encoded texts and features that are there already, as a run with caches has them. The plain one
has the noise loss alone and none of ConsistentID's networks; what it lacks is switched on bit by bit beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..job import Job
from ..rows import Row, count, interleave, ratio, seconds, size

#: What is timed beside a plain LoRA, and the settings that make it.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "training": ("ConsistentID, with localisation", {}),
    "without_localisation": ("ConsistentID without localisation", {"localisation": "off"}),
}
_RANK = 128
#: Portraits of a step: what is bearable on the CPU, where a batch gains nothing; what fills a graphics card.
_BATCH = {"cpu": 1, "cuda": 8}


def measure(job: Job) -> dict[str, Row]:
    job.start_host()
    from tools.standins import catalogue

    models = job.models({catalogue.CHECKPOINT: catalogue.MEASURED[job.family][catalogue.CHECKPOINT]})
    file = models[catalogue.CHECKPOINT]
    import comfy.sd
    import torch

    dtype = torch.float32 if job.device == "cpu" else torch.bfloat16
    model = comfy.sd.load_checkpoint_guess_config(
        str(file.folder / file.name), output_vae=False, output_clip=False, output_clipvision=False,
        disable_dynamic=True, model_options={"dtype": dtype},
    )[0]  # fmt: skip
    return measure_model(model, job, precision="fp32" if job.device == "cpu" else "bf16")


def measure_model(
    model, job: Job, *, precision: str = "fp32", rank: int = _RANK, sizes: dict[str, dict] | None = None
) -> dict[str, Row]:
    """model: a MODEL, loaded outside inference mode.  sizes: of trained networks that differ from the released ones."""
    from ..device import flops, operations, peak_bytes, time_of

    unet = _unet_alone(model, job.family)
    batch = _batch(unet, job)
    steps = {"plain": _plain_step(unet, batch, rank)}
    for name, (_, settings) in CASES.items():
        steps[name] = our_step(unet, batch, {"precision": precision, "rank": rank, **settings}, sizes)
    cases = {name: (lambda step=step: time_of(step, job.device)) for name, step in steps.items()}
    cases["noise"] = cases["plain"]
    taken = interleave(cases, job.rounds)
    counted = {
        name: (operations(steps[name]), steps[name].held_bytes + peak_bytes(steps[name], job.device))
        for name in ("plain", "training")
    }

    plain, title = taken["plain"], CASES["training"][0]
    rows = {
        "plain": seconds(f"a step of a plain LoRA of rank {rank}, batch {len(batch)}", plain),
        "noise": ratio("a plain LoRA again ÷ plain LoRA", taken["noise"], plain),
    }
    rows |= {name: ratio(f"{what} ÷ plain LoRA", taken[name], plain) for name, (what, _) in CASES.items()}
    return {
        **rows,
        "flops_training": ratio(
            f"arithmetic, which is the same on every machine: {title} ÷ plain LoRA",
            [flops(steps["training"])],
            [flops(steps["plain"])],
        ),
        "operations_plain": count("operations: a plain LoRA", counted["plain"][0]),
        "operations_training": count(f"operations: {title}", counted["training"][0]),
        "memory_plain": size("peak memory of a plain LoRA, with all weights", counted["plain"][1]),
        "memory_training": ratio(
            f"peak memory: {title} ÷ plain LoRA", [counted["training"][1]], [counted["plain"][1]]
        ),
    }


@dataclass(eq=False)
class _Step:
    """One step, to be repeated.

    weights: those that are trained.  held_bytes: what is there all the time once a step was done: frozen and trained
    weights, gradients, the optimiser's and the running averages.
    """

    run: Callable[[], object]
    weights: list
    held_bytes: int

    def __call__(self) -> None:
        self.run()


def our_step(unet, batch, settings: dict[str, Any], sizes: dict[str, dict] | None) -> _Step:
    import tempfile
    from pathlib import Path

    from consistentid_pack.consistentid_core.training.config import from_mapping
    from consistentid_pack.consistentid_core.training.memory import fixed_bytes
    from consistentid_pack.consistentid_core.training.modules import new_modules
    from consistentid_pack.consistentid_core.training.trainer import Trainer

    class Prepared(Trainer):
        """Trains on the same batch again and again, with the foreground in it."""

        def batch(self, micro_step, looks_at_foreground):
            return batch

    config = from_mapping(
        {
            "batch_size": len(batch),
            "validation_samples": 0,
            "cache_gigabytes": 0,
            "prefetch": False,
            **settings,
        }
    )
    modules = new_modules(
        unet.layers, unet.base_weight, unet.cross_attention_dim, seed=0, rank=config.rank, **(sizes or {})
    )
    with tempfile.TemporaryDirectory() as folder:  # nothing is saved
        trainer = Prepared(config, unet, [None] * len(batch), modules, folder=Path(folder))

    def run() -> None:
        with trainer:  # the hooks are on the UNet for this step alone
            trainer.train_step()

    return _Step(run, list(modules.parameters()), fixed_bytes(modules, unet.unet_module, has_average=True))


def _plain_step(unet, batch, rank: int) -> _Step:
    """As any LoRA trainer does it: two matrices beside each attention matrix, AdamW, clipping, a running average."""
    import torch
    from consistentid_pack.consistentid_core.training.losses import noise_losses
    from consistentid_pack.consistentid_core.training.memory import fixed_bytes
    from torch import nn

    pairs, targets = nn.ModuleList(), []
    for layer in unet.layers:
        attention = unet.unet_module.get_submodule(layer.weight_prefix)
        for name in ("to_q", "to_k", "to_v", "to_out.0"):
            targets.append(attention.get_submodule(name))
            out_dim, in_dim = targets[-1].weight.shape
            pairs.append(
                nn.Sequential(nn.Linear(in_dim, rank, bias=False), nn.Linear(rank, out_dim, bias=False))
            )
            nn.init.zeros_(pairs[-1][1].weight)
    pairs.to(unet.device)
    weights = list(pairs.parameters())
    optimiser = torch.optim.AdamW(weights, lr=1e-4)
    average = [one.detach().clone() for one in weights]

    def run() -> None:
        handles = [
            target.register_forward_hook(_adding(pair)) for target, pair in zip(targets, pairs, strict=True)
        ]
        try:
            optimiser.zero_grad(set_to_none=False)
            prediction = unet.unet(batch.noisy, batch.timesteps, batch.rows, batch.pooled, batch.sizes)
            noise_losses(prediction, batch.target, batch.foreground).mean().backward()
        finally:
            for handle in handles:
                handle.remove()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, weights, 1e-4)

    return _Step(run, weights, fixed_bytes(pairs, unet.unet_module, has_average=True))


def _adding(pair) -> Callable:
    from torch.nn import functional

    def add(module, inputs, output):
        down, up = (linear.weight.to(output.dtype) for linear in pair)
        return output + functional.linear(functional.linear(inputs[0], down), up)

    return add


def _unet_alone(model, family: str):
    """The frozen models of the training core with nothing but the UNet."""
    from consistentid_pack.nodes.training.host_adapter import HostModels

    class UNetAlone(HostModels):
        def __init__(self):
            import comfy.model_management
            from consistentid_pack.consistentid_core.networks.unet_layers import attention_layers

            config = model.model.model_config.unet_config
            self.family, self.predicts = family, "noise"
            self.layers = attention_layers(config)
            self.cross_attention_dim = int(config["context_dim"])
            self._model = model
            comfy.model_management.load_models_gpu([model], force_full_load=True)
            self.device = model.load_device
            self.unet_module = model.model.diffusion_model.requires_grad_(False)
            sigmas = model.model.model_sampling.sigmas.detach().clone()
            self.alphas_cumprod = (1 / (1 + sigmas.square())).to(self.device)

    return UNetAlone()


def _batch(unet, job: Job):
    """Portraits that exist as numbers only, each with five facial words and the foreground looked at."""
    import torch
    from consistentid_pack.consistentid_core.families import FAMILIES
    from consistentid_pack.consistentid_core.training.step import Batch

    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int):
        return torch.randn(shape, generator=generator)

    many, side, clip_dim = _BATCH[job.device], job.size // 8, 1280
    pooled = normal(many, 1280) if FAMILIES[job.family].has_picture_sizes else None
    masks = torch.zeros(many, 5, job.size, job.size)
    for slot in range(5):
        masks[:, slot, slot * job.size // 8 :, : job.size // 4] = 1
    made = Batch(
        noisy=normal(many, 4, side, side),
        target=normal(many, 4, side, side),
        timesteps=torch.full((many,), 500),
        rows=normal(many, 77, unet.cross_attention_dim),
        pooled=pooled,
        sizes=torch.full((many, 6), float(job.size)),
        indices=torch.tensor([[10, 13, 16, 19, 22]] * many),
        valid=torch.ones(many, 5, dtype=torch.bool),
        part_features=normal(many, 5, 257, clip_dim),
        clip_features=normal(many, 257, clip_dim),
        id_vectors=torch.nn.functional.normalize(normal(many, 512)),
        part_masks=masks,
        foreground=torch.ones(many, job.size, job.size),
    )
    placed = {
        name: value.to(unet.device) for name, value in vars(made).items() if isinstance(value, torch.Tensor)
    }
    return replace(made, **placed)
