import sys
from pathlib import Path

# Appended, not put first: our nodes/ must not hide ComfyUI's nodes.py.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.append(ROOT)
