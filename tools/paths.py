"""Where the commands keep things. Everything made is git-ignored and can be deleted at any time."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
HOST = ROOT / ".host"
COMFYUI = HOST / "ComfyUI"
STANDINS = HOST / "standins"  # laid out like ComfyUI's models folder
RUNS = HOST / "run"  # base directories of running servers
LOGS = HOST / "logs"
DIST = ROOT / "dist"  # archives of the pack
OUTPUT = ROOT / "output"
WORKFLOWS = ROOT / "workflows"
API_WORKFLOWS = WORKFLOWS / "api"  # the same for the queue API; here the template browser does not look
