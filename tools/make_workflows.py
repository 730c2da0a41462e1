"""Draw the shipped workflows anew, in ComfyUI's own interface: workflows/*.json and workflows/api/*_api.json.

    python tools/make_workflows.py                    all of them
    python tools/make_workflows.py consistentid_sd15  some of them

What they contain is described in tools/templates; run this after changing it, or after changing a node's
inputs. It needs Chromium and Node.js as the browser tests do.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.console import run_command
from tools.environment import prepare


def main() -> int:
    return prepare(tests=True).run(["-m", "tools.templates.make", *sys.argv[1:]])


if __name__ == "__main__":
    run_command(main)
