import sys
from pathlib import Path

# Appended, not put first: our nodes/ must not hide ComfyUI's nodes.py.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.append(ROOT)

# Known from here on, so that pytest does not take tests/tools for the package of that name.
import tools  # noqa: E402, F401
