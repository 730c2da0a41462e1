"""Measure what the pack costs: one command, one table (benchmarks/README.md).

    python tools/bench.py                              SD1.5 on the CPU, everything; about 16 GB of memory
    python tools/bench.py --family sdxl --rounds 5     SDXL
    python tools/bench.py --only step lora             some groups; the others keep their figures
    python tools/bench.py --device cuda                on a graphics card, in float16: SD1.5 512², SDXL 1024²

Figures go to benchmarks/results/*.json and into the table of benchmarks/README.md. Absolute times say little on a
shared machine; ratios are taken in turn, beside plain against plain as the noise floor.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import json
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import results, table
from benchmarks.groups import GROUPS
from tools.console import run_command, say
from tools.environment import prepare

#: Side of the picture in pixels: what people make with a graphics card, what is bearable without.
SIZES = {("sd15", "cpu"): 256, ("sdxl", "cpu"): 256, ("sd15", "cuda"): 512, ("sdxl", "cuda"): 1024}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", choices=results.FAMILIES, default="sd15", help="(default: %(default)s)")
    parser.add_argument("--device", choices=results.DEVICES, default="cpu", help="(default: %(default)s)")
    parser.add_argument("--size", type=int, help="side of the picture in pixels (default: 256; see above)")
    parser.add_argument("--rounds", type=int, default=8, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="GROUP")
    options = parser.parse_args()
    size = options.size or SIZES[options.family, options.device]

    environment = prepare()
    failed = []
    for group in options.only:
        job = {
            "group": group,
            "family": options.family,
            "device": options.device,
            "size": size,
            "rounds": options.rounds,
        }
        # A process for each: the next group gets all the memory, and a fault ends no other group.
        if environment.run(["-m", "benchmarks.run", json.dumps(job)]) != 0:
            failed.append(group)
        table.write()
    say(f"Written: {table.README}")
    if failed:
        say(f"Not measured: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    run_command(main)
