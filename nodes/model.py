"""Load ConsistentID Model."""

from comfy_api.latest import io

from ..consistentid_core.files.catalogue import CONSISTENTID_SD15, CONSISTENTID_SDXL
from ..consistentid_core.networks.checkpoint import load_checkpoint
from .host import folders
from .host.inputs import weights_file
from .models.consistentid import ConsistentIDModel
from .models.types import CATEGORY, ConsistentIDType


class LoadConsistentIDModel(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDModelLoader",
            display_name="Load ConsistentID Model",
            category=CATEGORY,
            description="Loads the ConsistentID weights. SD1.5 and SDXL files are told apart by their content.",
            search_aliases=["face id", "identity", "ipadapter", "consistent id"],
            inputs=[
                weights_file(
                    "model_name",
                    CONSISTENTID_SD15,
                    CONSISTENTID_SDXL,
                    tooltip="A file in models/consistentid: ConsistentID-v1.bin (SD1.5) or ConsistentID_SDXL-v1.bin, "
                    "or a safetensors conversion. Pickled files are read without running code from them.",
                )
            ],
            outputs=[
                ConsistentIDType.Output(
                    "consistentid", tooltip="The adapter, for the other ConsistentID nodes."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str):
        return folders.file_stamp(model_name, folders.CONSISTENTID)

    @classmethod
    def execute(cls, model_name: str) -> io.NodeOutput:
        path = folders.find_weights(model_name, folders.CONSISTENTID)
        return io.NodeOutput(ConsistentIDModel(load_checkpoint(path, mapped=folders.maps_files())))


NODES = [LoadConsistentIDModel]
