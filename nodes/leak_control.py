"""Leak Control and LoRA Hooks: options of Apply ConsistentID, off unless connected."""

import comfy.hooks
from comfy_api.latest import io

from ..consistentid_core.networks.attention import lora_weights
from ..consistentid_core.networks.leak_control import CURVES, LeakControl
from .host.inputs import percent, strength
from .models.consistentid import ConsistentIDModel
from .models.types import CATEGORY, ConsistentIDType, LeakControlType
from .sampling.lora import fitting_layers


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
                io.Float.Input(
                    "early_factor",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Factor of the weight in the first part of sampling, where the composition forms: 0.5 "
                    "gives it to the prompt. The two phases of UniID (arXiv 2512.03964), which takes two "
                    "thirds for the first sixth. 1 is the original.",
                ),
                percent(
                    "early_share",
                    0.2,
                    "How much of sampling early_factor counts for.",
                ),
                io.Float.Input(
                    "norm_rescale",
                    default=0.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Brings what each layer reads from the ID tokens to this share of the length of "
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


class LoraHooks(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDLoraHooks",
            display_name="LoRA Hooks (ConsistentID)",
            category=CATEGORY,
            description="The adapter's LoRA as hooks, so that it can act in a part of the sampling only. "
            "Attach the hooks to positive and negative with Cond Set Props, and set lora_weight of Apply "
            "ConsistentID to 0.",
            search_aliases=["scheduled lora", "lora end", "lora hook"],
            inputs=[
                io.Model.Input("model", tooltip="The model the LoRA is for."),
                ConsistentIDType.Input("consistentid", tooltip="The adapter, from Load ConsistentID Model."),
                strength(
                    "lora_weight",
                    "Strength of the LoRA while it acts. 1 is the original.",
                ),
                percent(
                    "end_percent",
                    1.0,
                    "Where in sampling the LoRA stops acting. The original never stops it.",
                ),
            ],
            outputs=[io.Hooks.Output("hooks", tooltip="For Cond Set Props and other nodes that take hooks.")],
        )

    @classmethod
    def execute(
        cls, model, consistentid: ConsistentIDModel, lora_weight: float, end_percent: float
    ) -> io.NodeOutput:
        lora = lora_weights(consistentid.adapters, fitting_layers(model, consistentid))
        hooks = comfy.hooks.create_hook_lora(lora, strength_model=lora_weight, strength_clip=0.0)
        if end_percent < 1:
            keyframes = comfy.hooks.HookKeyframeGroup()
            keyframes.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.0))
            keyframes.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=end_percent))
            hooks.set_keyframes_on_hooks(keyframes)
        return io.NodeOutput(hooks)


NODES = [LeakControlNode, LoraHooks]
