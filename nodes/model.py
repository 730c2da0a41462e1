"""Load ConsistentID Model."""

from comfy_api.latest import io

from ..consistentid_core.finding import adapters_of
from ..consistentid_core.networks.checkpoint import load_checkpoint
from .host import folders, model_choice
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
                    *adapters_of(None),
                    tooltip="auto: the file that fits, found by what it holds. Or a file in models/consistentid: "
                    "ConsistentID-v1.bin (SD1.5) or ConsistentID_SDXL-v1.bin, or a safetensors conversion. Pickled "
                    "files are read without running code from them.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="With auto: the model that the file is for, if you have files for SD1.5 and for SDXL. It "
                    "is not changed.",
                ),
            ],
            outputs=[
                ConsistentIDType.Output(
                    "consistentid", tooltip="The adapter, for the other ConsistentID nodes."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, **_):
        return model_choice.stamps(model_name, *adapters_of(None))

    @classmethod
    def execute(cls, model_name: str, model=None) -> io.NodeOutput:
        family = None if model is None else model_choice.family_of_model(model)
        path = model_choice.find(model_name, *adapters_of(family))
        return io.NodeOutput(ConsistentIDModel(load_checkpoint(path, mapped=folders.maps_files())))


NODES = [LoadConsistentIDModel]
