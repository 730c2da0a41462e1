"""Everything that knows ComfyUI: node schemas and the wiring to the core."""

from comfy_api.latest import ComfyExtension, io

from . import (
    apply,
    captioner,
    crop,
    embedding,
    encode,
    face_parser,
    identity,
    leak_control,
    likeness,
    lora_hooks,
    mix,
    model,
    part_likeness,
    saved_people,
    simple,
    sweep,
    train,
)
from .host import file_status, folders, help_page, people_files, web_files
from .host.checked_inputs import check_inputs
from .models.types import CARRIED

#: In the order of the node menu: loaders, the photo, the prompt, the model, training.
NODES: list[type[io.ComfyNode]] = [
    check_inputs(node, CARRIED)
    for topic in (
        model,
        crop,
        face_parser,
        mix,
        captioner,
        embedding,
        saved_people,
        encode,
        apply,
        identity,
        leak_control,
        lora_hooks,
        simple,
        train,
        likeness,
        part_likeness,
        sweep,
    )
    for node in topic.NODES
]


class ConsistentIDExtension(ComfyExtension):
    async def on_load(self) -> None:
        folders.register()
        web_files.serve()
        help_page.register()
        file_status.register()
        people_files.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> ConsistentIDExtension:
    return ConsistentIDExtension()
