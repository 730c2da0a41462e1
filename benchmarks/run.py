"""Measure one group and keep its rows; started by tools/bench.py in a process of its own, with ComfyUI's Python."""

import importlib
import json
import os
import platform
import sys
from datetime import date

from tools.console import run_command, say

from . import results, table
from .groups import GROUPS
from .job import Job


def main() -> int:
    job = Job(**json.loads(sys.argv[1]), comfyui=os.environ["COMFYUI_PATH"])
    before = _load()
    rows = importlib.import_module(f"{__package__}.groups.{job.group}").measure(job)
    results.add(job.family, job.device, job.group, _conditions(job, before), rows)
    say(f"{GROUPS[job.group]}: {results.FAMILIES[job.family]}, {results.DEVICES[job.device]}")
    for row in rows.values():
        say(f"  {row['what']:<64} {table.cell(row)}")
    return 0


def _conditions(job: Job, load_before: float | None) -> dict:
    import torch

    return {
        "date": date.today().isoformat(),
        "size": job.size,
        "rounds": job.rounds,
        "machine": torch.cuda.get_device_name() if job.device == "cuda" else platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": [load_before, _load()],
        "torch": torch.__version__,
    }


def _load() -> float | None:
    """How many processes wanted a core during the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    run_command(main)
