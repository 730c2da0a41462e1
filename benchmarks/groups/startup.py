"""Importing the pack, in fresh processes that have ComfyUI's own modules loaded, as at its start-up."""

import subprocess
import sys

from tools import paths

from ..job import Job
from ..rows import Row, seconds

_CODE = """
import importlib.util, sys, time
host, root = sys.argv[1:]
sys.path.insert(0, host)
sys.argv = ["main.py", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import nodes, server, comfy_api.latest, comfy_extras.nodes_images
started = time.process_time()
spec = importlib.util.spec_from_file_location("pack", root + "/__init__.py", submodule_search_locations=[root])
module = importlib.util.module_from_spec(spec)
sys.modules["pack"] = module
spec.loader.exec_module(module)
print(time.process_time() - started)
"""


def measure(job: Job) -> dict[str, Row]:
    command = [sys.executable, "-c", _CODE, job.comfyui, str(paths.ROOT)]
    taken = []
    for _ in range(job.rounds + 1):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        taken.append(float(done.stdout.strip().splitlines()[-1]))
    return {"import": seconds("importing the pack", taken[1:])}
