"""The measurements behind tools/bench.py; runs inside the environment, with ComfyUI importable.

Everything is a ratio or a count taken in one process, plain and patched in turn, because the
machines this runs on are shared. ``plain_noise`` is the plain step measured against itself: a
difference below it means nothing.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from . import paths
from .console import run_command, say
from .model_files import models_folders, resolve
from .standins import catalogue

RESULTS = paths.ROOT / "benchmarks" / "latest.json"


def main() -> int:
    job = json.loads(sys.argv[1])
    host = os.environ["COMFYUI_PATH"]
    wanted = {key: catalogue.FULL[key] for key in (catalogue.CHECKPOINT, catalogue.CONSISTENTID)}
    models = resolve(wanted, models_folders(Path(host)))
    checkpoint, consistentid = (str(models[key].folder / models[key].name) for key in wanted)
    start_host(host)
    import torch

    with torch.inference_mode():
        results = measure_steps(checkpoint, consistentid, job["size"], job["rounds"])
    results |= {
        "import_seconds": import_seconds(host),
        "date": date.today().isoformat(),
        "torch": torch.__version__,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, value in results.items():
        say(f"{name:>32}  {json.dumps(value)}")
    return 0


def start_host(host: str) -> None:
    """Make ComfyUI and the pack importable, as the host does at start-up."""
    sys.path.insert(0, host)
    sys.argv = ["main.py", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.cli_args

    spec = importlib.util.spec_from_file_location(
        "consistentid_pack", paths.ROOT / "__init__.py", submodule_search_locations=[str(paths.ROOT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


def measure_steps(checkpoint: str, consistentid_path: str, size: int, rounds: int) -> dict:
    """Whole UNet calls of a CFG pair: plain, plain again and patched, interleaved."""
    import comfy.model_management
    import comfy.sd
    import torch
    from consistentid_pack.consistentid_core.checkpoint import load_checkpoint
    from consistentid_pack.nodes.adapter import fitting_layers
    from consistentid_pack.nodes.model_patch import IDAttention, IDAttentionPatch
    from consistentid_pack.nodes.models import ConsistentIDModel
    from consistentid_pack.nodes.roles import KEY, Roles

    model, *_ = comfy.sd.load_checkpoint_guess_config(
        checkpoint, output_vae=False, output_clip=False, output_clipvision=False
    )
    consistentid = ConsistentIDModel(load_checkpoint(consistentid_path))

    blocks = {layer.index: layer.block for layer in fitting_layers(model, consistentid) if layer.is_cross}

    def keys_values(seed):
        generator = torch.Generator().manual_seed(seed)
        face = torch.nn.functional.normalize(torch.randn(1, 512, generator=generator))
        return consistentid.keys_values(face, torch.randn(1, 257, 1280, generator=generator))

    def patch(**options):
        return [IDAttentionPatch(consistentid.family, blocks, keys_values(1), keys_values(2), **options)]

    comfy.model_management.load_models_gpu([model])
    side = size // 8
    x, sigma = torch.randn(2, 4, side, side), torch.full((2,), 5.0)
    context = torch.randn(2, 77, consistentid.cross_attention_dim)
    uuids = ["negative", "positive"]

    def call(wrappers):
        options = {
            "cond_or_uncond": [1, 0], "uuids": uuids, "sigmas": sigma[:1], "wrappers": {"apply_model": {KEY: wrappers}},
            KEY: roles,
        }  # fmt: skip
        return model.model.apply_model(x, sigma, c_crossattn=context, transformer_options=options)

    roles = Roles({"positive": [{"uuid": "positive"}], "negative": [{"uuid": "negative"}]})
    everyone = {
        "plain": [],
        "plain_again": [],
        "patched": patch(),
        "patched_with_range": patch(always=False),
        "patched_with_mask": patch(mask=torch.ones(1, size, size)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in everyone}
    id_seconds: list[float] = []
    for _ in range(rounds + 1):
        for name, wrappers in everyone.items():
            started = time.perf_counter()
            call(wrappers)
            seconds[name].append(time.perf_counter() - started)
        id_seconds.append(time_id_branch(IDAttention, roles, everyone["patched"][0], model, call))
    operations = {name: count_operations(call, wrappers) for name, wrappers in everyone.items()}
    plain = seconds["plain"][1:]  # the first round warms up
    ratios = {
        name: [a / b for a, b in zip(values[1:], plain, strict=True)] for name, values in seconds.items()
    }
    return {
        "size": size,
        "rounds": rounds,
        "plain_seconds": statistics.median(plain),
        "plain_noise": spread(ratios["plain_again"]),
        "patched_over_plain": spread(ratios["patched"]),
        "patched_with_range_over_plain": spread(ratios["patched_with_range"]),
        "patched_with_mask_over_plain": spread(ratios["patched_with_mask"]),
        "id_branch_over_plain": spread([a / b for a, b in zip(id_seconds[1:], plain, strict=True)]),
        "operations_per_call": {name: count for name, count in operations.items() if name != "plain_again"},
    }


def time_id_branch(attention_class, roles, patch, model, call) -> float:
    """Seconds of one UNet call that are spent on the ID tokens: the attention to them and the sum."""
    import comfy.ldm.modules.attention as host_attention

    spent = 0.0
    plain = host_attention.attention_pytorch

    class Timed(attention_class):
        def __call__(self, q, k, v, extra_options):
            nonlocal spent
            text = host_attention.optimized_attention(
                q, k, v, extra_options["n_heads"], attn_precision=extra_options["attn_precision"]
            )
            self.previous = lambda *_: text
            started = time.perf_counter()
            result = super().__call__(q, k, v, extra_options)
            spent += time.perf_counter() - started
            return result

    module = sys.modules[type(patch).__module__]
    original, module.IDAttention = module.IDAttention, Timed
    try:
        assert host_attention.attention_pytorch is plain
        call([patch])
    finally:
        module.IDAttention = original
    return spent


def count_operations(call, wrappers) -> int:
    """Tensor operations dispatched in one UNet call; views, which move no data, are left out."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.count += not any(result.alias_info for result in function._schema.returns)
            return function(*args, **(kwargs or {}))

    call(wrappers)  # what a run prepares once is not part of a step
    with Counter() as counter:
        call(wrappers)
    return counter.count


def import_seconds(host: str, repeats: int = 5) -> dict:
    """Import time of the pack in fresh processes that have ComfyUI's own modules loaded, as at its start-up."""
    code = """
import importlib.util, sys, time
host, root = sys.argv[1:]
sys.path.insert(0, host)
sys.argv = ["main.py", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import nodes, server, comfy_api.latest, comfy_extras.nodes_images
started = time.perf_counter()
spec = importlib.util.spec_from_file_location("pack", root + "/__init__.py", submodule_search_locations=[root])
module = importlib.util.module_from_spec(spec)
sys.modules["pack"] = module
spec.loader.exec_module(module)
print(time.perf_counter() - started)
"""
    times = []
    for _ in range(repeats):
        command = [sys.executable, "-c", code, host, str(paths.ROOT)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(float(done.stdout.strip().splitlines()[-1]))
    return spread(times)


def spread(values: list[float]) -> dict:
    """Median with the quartiles around it."""
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": round(median, 4), "quartiles": [round(low, 4), round(high, 4)]}


if __name__ == "__main__":
    run_command(main)
