"""LoRA Hooks (ConsistentID): the adapter's LoRA for a part of the sampling only."""

import comfy.hooks
from comfy_api.latest import io

from ..consistentid_core.networks.attention import lora_weights
from .host.inputs import percent, strength
from .models.consistentid import ConsistentIDModel
from .models.types import CATEGORY, ConsistentIDType
from .sampling.lora import fitting_layers


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


NODES = [LoraHooks]
