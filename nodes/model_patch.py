"""ID cross-attention on a cloned model, next to whatever else patches it.

The patch is an APPLY_MODEL wrapper. On every model call it copies the transformer
options and chains onto the attention replacement each block holds at that moment, so
the order of packs does not matter, no object is shared, and removing the node leaves
no trace. All layers are always replaced and only tensors change between calls: the core
compile node bakes in the structure of the options (HOST 1.9).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import comfy.ldm.modules.attention as host_attention
import comfy.patcher_extension
import torch

from .roles import KEY, Roles, record_roles

#: ("input", 1, 0): side, block number, transformer index, as the host calls a block.
Block = tuple[str, int, int]
BlockKeysValues = Mapping[Block, tuple[torch.Tensor, torch.Tensor]]


class IDAttention:
    """Attention replacement of one block: what was there before, plus attention to the ID tokens."""

    def __init__(self, previous: Callable | None, keys: torch.Tensor, values: torch.Tensor):
        """keys, values: (batch, tokens, width) in the dtype and on the device of the queries."""
        self.previous = previous
        self.keys = keys
        self.values = values

    def __call__(self, q, k, v, extra_options):
        if self.previous is not None:
            text = self.previous(q, k, v, extra_options)
        else:
            text = host_attention.optimized_attention(
                q, k, v, extra_options["n_heads"],
                attn_precision=extra_options["attn_precision"], transformer_options=extra_options,
            )  # fmt: skip
        # Not the host's global choice: quantising kernels are made for long sequences, not for four tokens.
        return text + host_attention.attention_pytorch(q, self.keys, self.values, extra_options["n_heads"])


@dataclass(frozen=True, eq=False)
class IDAttentionPatch:
    """One identity with its strength and range, as an APPLY_MODEL wrapper.

    identity, no_identity: keys and values of the ID tokens, (1, tokens, width) per block.
    weight: factor of the ID attention.
    sigma_start, sigma_end: noise levels between which it acts, both included.
    """

    identity: BlockKeysValues
    no_identity: BlockKeysValues
    weight: float
    sigma_start: float
    sigma_end: float
    always: bool

    def install(self, model) -> None:
        """Register on a model that was cloned for us."""
        wrappers = comfy.patcher_extension.WrappersMP
        if record_roles not in model.get_wrappers(wrappers.SAMPLER_SAMPLE, KEY):
            model.add_wrapper_with_key(wrappers.SAMPLER_SAMPLE, KEY, record_roles)
        model.add_wrapper_with_key(wrappers.APPLY_MODEL, KEY, self)

    def __call__(
        self,
        executor,
        x,
        t,
        c_concat=None,
        c_crossattn=None,
        control=None,
        transformer_options=None,
        **kwargs,
    ):
        transformer_options = transformer_options or {}
        roles: Roles | None = transformer_options.get(KEY)
        if roles is None:
            raise RuntimeError(
                "A sampler called the model without going through ComfyUI's guider, so ConsistentID cannot know "
                "which conditioning shows the person. Use a sampler node that goes through a guider, as core ones do."
            )
        pattern = roles.shows_identity(transformer_options["uuids"])
        dtype = executor.class_obj.get_dtype_inference()
        key = (self, pattern, x.shape[0], x.device, dtype)
        if key not in roles.prepared:
            roles.prepared[key] = self._prepare(pattern, x.shape[0] // len(pattern), x.device, dtype)
        prepared = roles.prepared[key]
        if not self.always:
            prepared.gate(transformer_options["sigmas"], self.sigma_start, self.sigma_end)

        options = transformer_options.copy()
        replacements = options["patches_replace"] = options.get("patches_replace", {}).copy()
        attn2 = replacements["attn2"] = replacements.get("attn2", {}).copy()
        for block, (keys, values) in prepared.blocks.items():
            # The host looks the triple up first and the pair only if there is none; so do we.
            previous = attn2.get(block) or attn2.get(block[:2])
            attn2[block] = IDAttention(previous, keys, values)
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    def _prepare(self, pattern: tuple[bool, ...], per_chunk: int, device, dtype) -> "_Prepared":
        """Keys and values laid out like the batch: one chunk per conditioning, each of the latent batch size."""
        blocks = list(self.identity)
        sources = [self.identity if shows else self.no_identity for shows in pattern]

        def batched(block: Block, which: int) -> torch.Tensor:
            return torch.cat([source[block][which].expand(per_chunk, -1, -1) for source in sources])

        keys = {block: batched(block, 0).to(device, dtype) for block in blocks}
        values = [batched(block, 1) * self.weight for block in blocks]
        widths = [value.shape[-1] for value in values]
        # One tensor for all layers, so that the range costs one multiplication per model call.
        full = torch.cat(values, dim=-1).to(device, dtype)
        gated = full if self.always else torch.empty_like(full)
        views = dict(zip(blocks, gated.split(widths, dim=-1), strict=True))
        return _Prepared(full, gated, {block: (keys[block], views[block]) for block in blocks})


@dataclass(frozen=True)
class _Prepared:
    """Keys and values for one batch layout. ``blocks`` holds views into ``gated``."""

    full: torch.Tensor
    gated: torch.Tensor
    blocks: BlockKeysValues

    def gate(self, sigmas: torch.Tensor, start: float, end: float) -> None:
        """Let the values act inside the range and be zero outside, without the host reading a tensor."""
        active = (sigmas[0] <= start) & (sigmas[0] >= end)
        torch.mul(self.full, active, out=self.gated)
