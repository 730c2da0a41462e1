"""ComfyUI and the pack inside this process, as a server has them at start-up."""

import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

from . import paths

#: The name the pack is imported under; ComfyUI's own is a path.
PACK = "consistentid_pack"


def start_host(comfyui: str, arguments: Sequence[str] = ("--cpu",)) -> ModuleType:
    """Make ComfyUI and the pack importable; returns the pack.

    comfyui: its folder.  arguments: of its command line.
    """
    sys.path.insert(0, comfyui)
    sys.argv = ["main.py", *arguments]
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.cli_args

    spec = importlib.util.spec_from_file_location(
        PACK, paths.ROOT / "__init__.py", submodule_search_locations=[str(paths.ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACK] = module
    spec.loader.exec_module(module)
    importlib.import_module(f"{PACK}.nodes.host.folders").register()  # as when a server loads the nodes
    return module
