"""Measure what the pack costs: ratios of plain and patched UNet steps in one interleaved run.

    python tools/bench.py
    python tools/bench.py --size 512 --rounds 20
    python tools/bench.py --family sdxl --rounds 5      needs 16 GB of memory

Prints a table and writes benchmarks/latest.json, or latest_sdxl.json. Absolute times say little on a shared machine;
judge the patch by the ID branch alone and by the operations per UNet call.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import json
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.console import run_command
from tools.environment import prepare


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size", type=int, default=256, help="side of the picture in pixels (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=12, help="interleaved rounds (default: %(default)s)")
    parser.add_argument(
        "--family", choices=("sd15", "sdxl"), default="sd15", help="of the model (default: %(default)s)"
    )
    return prepare().run(["-m", "tools.measure", json.dumps(vars(parser.parse_args()))])


if __name__ == "__main__":
    run_command(main)
