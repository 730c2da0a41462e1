"""The measurements behind tools/bench.py; runs inside the environment, with ComfyUI importable.

Everything is a ratio or a count taken in one process, plain and patched in turn, because the
machines this runs on are shared. ``plain_noise`` is the plain step measured against itself: a
difference below it means nothing.
"""

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    host, checkpoint, consistentid, size, rounds = sys.argv[1:6]
    start_host(host)
    import torch

    with torch.inference_mode():
        results = measure_steps(checkpoint, consistentid, int(size), int(rounds))
    results |= {"import_seconds": import_seconds(host)}
    print(json.dumps(results))


def start_host(host: str) -> None:
    """Make ComfyUI and the pack importable, as the host does at start-up."""
    sys.path.insert(0, host)
    sys.argv = ["main.py", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.cli_args  # noqa: F401

    spec = importlib.util.spec_from_file_location(
        "consistentid_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
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
    from consistentid_pack.nodes.apply import by_block, fitting_layers
    from consistentid_pack.nodes.model_patch import IDAttention, IDAttentionPatch
    from consistentid_pack.nodes.models import ConsistentIDModel
    from consistentid_pack.nodes.roles import KEY, Roles

    model, *_ = comfy.sd.load_checkpoint_guess_config(
        checkpoint, output_vae=False, output_clip=False, output_clipvision=False
    )
    consistentid = ConsistentIDModel(load_checkpoint(consistentid_path))
    layers = fitting_layers(model, consistentid)

    def keys_values(seed):
        generator = torch.Generator().manual_seed(seed)
        return by_block(
            consistentid.keys_values(
                torch.nn.functional.normalize(torch.randn(1, 512, generator=generator)),
                torch.randn(1, 257, 1280, generator=generator),
            ),
            layers,
        )

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
        "patched": [IDAttentionPatch(keys_values(1), keys_values(2), 1.0, 1e9, 0.0, always=True)],
        "patched_with_range": [IDAttentionPatch(keys_values(1), keys_values(2), 1.0, 1e9, 0.0, always=False)],
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
    """Tensor operations dispatched in one UNet call, views included."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.count += 1
            return function(*args, **(kwargs or {}))

    call(wrappers)  # what a run prepares once is not part of a step
    with Counter() as counter:
        call(wrappers)
    return counter.count


def import_seconds(host: str, repeats: int = 5) -> dict:
    """Import time of the pack in fresh processes that have ComfyUI's own modules loaded."""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); import measure; root = measure.ROOT; "
        "sys.path.insert(0, sys.argv[1]); sys.argv = ['main.py', '--cpu']; import comfy.options; "
        "comfy.options.enable_args_parsing(); import nodes, comfy_api.latest, comfy.lora, node_helpers; "
        "import comfy_extras.nodes_images; "
        "import importlib.util as u; started = time.perf_counter(); "
        "s = u.spec_from_file_location('pack', root / '__init__.py', submodule_search_locations=[str(root)]); "
        "m = u.module_from_spec(s); sys.modules['pack'] = m; s.loader.exec_module(m); "
        "print(time.perf_counter() - started)"
    )
    times = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-c", code, host, str(Path(__file__).parent)],
            capture_output=True,
            text=True,
            check=True,
        )
        times.append(float(done.stdout.strip().splitlines()[-1]))
    return spread(times)


def spread(values: list[float]) -> dict:
    """Median with the quartiles around it."""
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": round(median, 4), "quartiles": [round(low, 4), round(high, 4)]}


if __name__ == "__main__":
    main()
