"""The measurements behind tools/bench.py; runs inside the environment, with ComfyUI importable.

Everything is a ratio or a count taken in one process, plain and patched in turn, because the
machines this runs on are shared. ``plain_noise`` is the plain step measured against itself: a
difference below it means nothing.
"""

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
from .host import start_host
from .model_files import models_folders, resolve
from .standins import catalogue

RESULTS = paths.ROOT / "benchmarks"
FILES = {"sd15": "latest.json", "sdxl": "latest_sdxl.json"}


def main() -> int:
    job = json.loads(sys.argv[1])
    host = os.environ["COMFYUI_PATH"]
    wanted = catalogue.MEASURED[job["family"]]
    models = resolve(wanted, models_folders(Path(host)))
    checkpoint, consistentid = (str(models[key].folder / models[key].name) for key in wanted)
    start_host(host)
    import torch

    with torch.inference_mode():
        results = measure_steps(checkpoint, consistentid, job["size"], job["rounds"])
    results |= {
        "family": job["family"],
        "import_seconds": import_seconds(host),
        "date": date.today().isoformat(),
        "torch": torch.__version__,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / FILES[job["family"]]).write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, value in results.items():
        say(f"{name:>32}  {json.dumps(value)}")
    return 0


def measure_steps(checkpoint: str, consistentid: str, size: int, rounds: int) -> dict:
    """Whole UNet calls of a CFG pair: plain, plain again and patched in several ways, interleaved."""
    import torch

    calls = UNetCalls(checkpoint, consistentid, size)
    wrappers = {
        "plain": [],
        "plain_noise": [],
        "patched": calls.patch(),
        "patched_with_range": calls.patch(percents=(0.0, 1.0)),
        "patched_with_mask": calls.patch(mask=torch.ones(1, size, size)),
        "two_people": [*calls.patch(), *calls.patch(is_first=False)],
    }
    seconds: dict[str, list[float]] = {name: [] for name in (*wrappers, "id_branch")}
    names = list(wrappers)
    for _ in range(rounds + 1):
        for name in names:
            started = time.perf_counter()
            calls.call(wrappers[name])
            seconds[name].append(time.perf_counter() - started)
        seconds["id_branch"].append(calls.time_id_branch(wrappers["patched"]))
        names.append(names.pop(0))  # so that no one always runs after the same other
    plain = seconds.pop("plain")[1:]  # the first round warms up
    ratios = {
        f"{name}_over_plain": spread([a / b for a, b in zip(values[1:], plain, strict=True)])
        for name, values in seconds.items()
    }
    wrappers.pop("plain_noise")
    operations = {name: calls.count_operations(several) for name, several in wrappers.items()}
    plain_seconds = round(statistics.median(plain), 3)
    return {
        "size": size,
        "rounds": rounds,
        "plain_seconds": plain_seconds,
        **ratios,
        "operations": operations,
    }


class UNetCalls:
    """One model, called as the sampler calls it: a positive and a negative in one batch."""

    def __init__(self, checkpoint: str, consistentid: str, size: int):
        import comfy.model_management
        import comfy.sd
        import torch
        from consistentid_pack.consistentid_core.families import FAMILIES
        from consistentid_pack.consistentid_core.networks.checkpoint import load_checkpoint
        from consistentid_pack.nodes.models.consistentid import ConsistentIDModel
        from consistentid_pack.nodes.sampling.lora import fitting_layers
        from consistentid_pack.nodes.sampling.roles import Roles

        self._model, *_ = comfy.sd.load_checkpoint_guess_config(
            checkpoint, output_vae=False, output_clip=False, output_clipvision=False
        )
        self._consistentid = ConsistentIDModel(load_checkpoint(consistentid))
        layers = fitting_layers(self._model, self._consistentid)
        self._blocks = {layer.index: layer.block for layer in layers if layer.is_cross}
        self._roles = Roles({name: [{"uuid": name}] for name in ("positive", "negative")})
        comfy.model_management.load_models_gpu([self._model])
        self._x = torch.randn(2, 4, size // 8, size // 8)
        self._sigma = torch.full((2,), 5.0)
        conditioning = {"c_crossattn": torch.randn(2, 77, self._consistentid.cross_attention_dim)}
        if FAMILIES[self._consistentid.family].has_picture_sizes:
            conditioning["y"] = torch.randn(2, self._model.model.adm_channels)
        self._conditioning = conditioning

    def patch(self, **options) -> list:
        """The wrapper of one made-up person."""
        from consistentid_pack.nodes.sampling.id_patch import IDAttentionPatch

        family, people = self._consistentid.family, (self._keys_values(1), self._keys_values(2))
        return [IDAttentionPatch(family, self._blocks, *people, **options)]

    def _keys_values(self, seed: int):
        import torch

        generator = torch.Generator().manual_seed(seed)
        face = torch.nn.functional.normalize(torch.randn(1, 512, generator=generator))
        return self._consistentid.keys_values(face, torch.randn(1, 257, 1280, generator=generator))

    def call(self, wrappers: list) -> None:
        """One UNet call with these APPLY_MODEL wrappers."""
        from consistentid_pack.nodes.sampling.roles import KEY

        options = {
            "cond_or_uncond": [1, 0],
            "uuids": ["negative", "positive"],
            "sigmas": self._sigma[:1],
            "wrappers": {"apply_model": {KEY: wrappers}},
            KEY: self._roles,
        }
        self._model.model.apply_model(self._x, self._sigma, transformer_options=options, **self._conditioning)

    def time_id_branch(self, wrappers: list) -> float:
        """Seconds of one UNet call that are spent on the ID tokens: the attention to them and the sum."""
        from consistentid_pack.nodes.sampling import id_attention

        spent = 0.0
        plain = id_attention.add_id_attention

        def timed(*args, **kwargs):
            nonlocal spent
            started = time.perf_counter()
            result = plain(*args, **kwargs)
            spent += time.perf_counter() - started
            return result

        id_attention.add_id_attention = timed
        try:
            self.call(wrappers)
        finally:
            id_attention.add_id_attention = plain
        return spent

    def count_operations(self, wrappers: list) -> int:
        """Tensor operations dispatched in one UNet call; views, which move no data, are left out."""
        from torch.utils._python_dispatch import TorchDispatchMode

        class Counter(TorchDispatchMode):
            count = 0

            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                self.count += not any(result.alias_info for result in function._schema.returns)
                return function(*args, **(kwargs or {}))

        self.call(wrappers)  # what a run prepares once is not part of a step
        with Counter() as counter:
            self.call(wrappers)
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
