"""ConsistentID for ComfyUI: portraits of a person from a single photo.

ComfyUI imports this file; everything else is imported from here, relatively,
because the host loads the pack under a name of its own making.
"""

from .nodes import comfy_entrypoint

WEB_DIRECTORY = "./web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
