"""``accelerate launch -m consistentid_core.training CONFIG``, or ``python -m`` for one process.

The models come through ComfyUI's own loaders, so ComfyUI is started first, without its server. What knows it
is the pack's ``nodes``; this file only finds the two.
"""

import importlib.util
import sys
from pathlib import Path

PACK = Path(__file__).resolve().parents[2]


def main() -> int:
    """Start ComfyUI and hand over to the pack's training command."""
    # Read by path: as part of the pack it would need ComfyUI to be there already.
    path = PACK / "nodes" / "training" / "start_host.py"
    spec = importlib.util.spec_from_file_location("consistentid_start_host", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"'{path}' is missing. Install the pack again.")
    start_host = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start_host)
    return int(start_host.main(PACK, sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
