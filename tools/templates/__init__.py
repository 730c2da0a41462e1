"""The shipped workflows, described in Python and drawn by ComfyUI's own interface (tools/make_workflows.py)."""
