"""Sweep and Contact Sheet: two settings tried against each other, on one picture with a score in each cell."""

from collections.abc import Sequence

import torch
from comfy_api.latest import io

from ..consistentid_core.evaluation.contact_sheet import FARTHEST, Axis, cross, draw_sheet, read_values
from .host.older import SHOWN_ON_CACHED_RUNS
from .host.pictures import to_image, to_pictures
from .models.types import CATEGORY


class Sweep(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDSweep",
            display_name="Sweep",
            category=CATEGORY,
            description="Two settings, every value of one with every value of the other. Whatever is connected behind "
            "runs once for each pair; Contact Sheet puts the pictures together.",
            search_aliases=["xy plot", "grid", "parameter sweep", "compare settings"],
            inputs=[
                io.String.Input(
                    "across",
                    default="0.3, 0.6, 0.9",
                    tooltip="The values of the first setting, with commas between them: the columns.",
                ),
                io.String.Input(
                    "down",
                    default="0.6, 0.8, 1.0",
                    tooltip="The values of the second setting: the rows.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    "across", is_output_list=True, tooltip="For the first setting, and Contact Sheet."
                ),
                io.Float.Output(
                    "down", is_output_list=True, tooltip="For the second setting, and Contact Sheet."
                ),
            ],
        )

    @classmethod
    def execute(cls, across: str, down: str) -> io.NodeOutput:
        return io.NodeOutput(*cross(read_values(across, "across"), read_values(down, "down")))


class ContactSheet(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDContactSheet",
            display_name="Contact Sheet",
            category=CATEGORY,
            description="Puts the pictures of a Sweep together on one, with the values beside them and the score in "
            "each cell.",
            search_aliases=["xy plot", "grid", "image grid", "compare settings"],
            is_input_list=True,
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The pictures, one or a batch for each pair; of a batch the first is shown.",
                ),
                *(
                    io.Float.Input(
                        name,
                        min=-FARTHEST,
                        max=FARTHEST,
                        force_input=True,
                        tooltip="From Sweep: the value each picture was made with.",
                    )
                    for name in ("across", "down")
                ),
                io.Float.Input(
                    "scores",
                    min=-1.0,
                    max=1.0,
                    force_input=True,
                    optional=True,
                    tooltip="From Face Likeness. The best cell is green; of a batch the mean is shown.",
                ),
                io.String.Input(
                    "across_name", default="across", optional=True, tooltip="What the columns are."
                ),
                io.String.Input("down_name", default="down", optional=True, tooltip="What the rows are."),
                io.Int.Input(
                    "cell_size",
                    default=256,
                    min=64,
                    max=1024,
                    step=16,
                    optional=True,
                    tooltip="The longer side of a picture on the sheet, in pixels.",
                ),
            ],
            outputs=[io.Image.Output("sheet", tooltip="The whole sheet, for Preview Image or Save Image.")],
        )

    @classmethod
    def execute(
        cls,
        image: list[torch.Tensor],
        across: list[float],
        down: list[float],
        scores: list[float] | None = None,
        across_name: Sequence[str] = ("across",),
        down_name: Sequence[str] = ("down",),
        cell_size: Sequence[int] = (256,),
    ) -> io.NodeOutput:
        pictures = [to_pictures(batch)[0] for batch in image]
        sheet = draw_sheet(
            pictures,
            Axis(across_name[0], tuple(across)),
            Axis(down_name[0], tuple(down)),
            None if not scores or scores[0] is None else scores,
            cell_size[0],
        )
        return io.NodeOutput(to_image([sheet]))


NODES = [Sweep, ContactSheet]
