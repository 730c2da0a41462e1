"""Leak Control: options of Apply ConsistentID, off unless connected."""

from comfy_api.latest import io

from ..consistentid_core.networks.leak_control import CURVES, LeakControl
from .host.inputs import percent
from .models.types import CATEGORY, LeakControlType


class LeakControlNode(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDLeakControl",
            display_name="Leak Control",
            category=CATEGORY,
            description="Keeps hair, clothes, light and background of the photo out of the picture: says "
            "when, where and how strongly the ID tokens may act. With its defaults it changes nothing.",
            search_aliases=["identity strength", "weight curve", "spatial id", "face id", "background leak"],
            inputs=[
                io.Combo.Input(
                    "curve",
                    options=list(CURVES),
                    tooltip="How the weight changes in the course of sampling: rising (in), falling (out), or "
                    "strongest in the middle. constant is the original.",
                ),
                _up_to_two(
                    "early_factor",
                    1.0,
                    "Factor of the weight in the first part of sampling, where the composition forms: 0.5 "
                    "gives it to the prompt. The two phases of UniID (arXiv 2512.03964), which takes two "
                    "thirds for the first sixth. 1 is the original.",
                ),
                percent(
                    "early_share",
                    0.2,
                    "How much of sampling early_factor counts for.",
                ),
                _up_to_two(
                    "norm_rescale",
                    0.0,
                    "Brings what each layer reads from the ID tokens to this share of the length of "
                    "what it reads from the text, times the weight: neither can drown the other. The "
                    "normalised rescaling of UniID (arXiv 2512.03964), which takes 1. 0: off, the original.",
                ),
                io.Boolean.Input(
                    "self_mask",
                    default=False,
                    tooltip="The ID tokens act only where the picture responds to them: around the centre up to "
                    "0.3 of sampling, on the face then, and half open from 0.7 on. The mask of SpatialID (arXiv "
                    "2602.13994). Off is the original.",
                ),
            ],
            outputs=[LeakControlType.Output("leak_control", tooltip="For Apply ConsistentID.")],
        )

    @classmethod
    def execute(
        cls, curve: str, early_factor: float, early_share: float, norm_rescale: float, self_mask: bool
    ) -> io.NodeOutput:
        return io.NodeOutput(LeakControl(curve, early_factor, early_share, norm_rescale, self_mask))


def _up_to_two(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=2.0, step=0.05, tooltip=tooltip)


NODES = [LeakControlNode]
