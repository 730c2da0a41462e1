"""Everything that knows ComfyUI: node schemas and the wiring to the core."""

from comfy_api.latest import ComfyExtension, io

from . import folders

NODES: list[type[io.ComfyNode]] = []


class ConsistentIDExtension(ComfyExtension):
    async def on_load(self) -> None:
        folders.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> ConsistentIDExtension:
    return ConsistentIDExtension()
