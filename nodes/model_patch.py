"""ID cross-attention on a cloned model, next to whatever else patches it.

The patch is an APPLY_MODEL wrapper. On every model call it copies the transformer
options and chains onto the attention replacement each block holds at that moment, so
the order of packs does not matter, no object is shared, and removing the node leaves
no trace. All layers are always replaced and only tensors change between calls: the core
compile node bakes in the structure of the options (HOST 1.9).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import comfy.ldm.modules.attention as host_attention
import comfy.patcher_extension
import torch

from ..consistentid_core.attention import add_id_attention
from ..consistentid_core.errors import ModelMismatchError
from ..consistentid_core.leak_control import LeakControl
from .models import FAMILY_NAMES, KeysValues
from .roles import DEFAULT, KEY, Identity, Roles, Shown, record_roles
from .schedule import ReadingShaper, Schedule, StepTable
from .spatial_mask import Window, batch_mask, to_positions, window_of

#: ("input", 1, 0): side, block number, transformer index, as the host calls a block.
Block = tuple[str, int, int]

#: Under this key the core compile node registers its wrapper.
COMPILE_KEY = "torch.compile"

#: More people than this would each get too little of the picture; a chain that long is a mistake.
MAX_PEOPLE = 8


class IDAttention:
    """Attention replacement of one block: what was there before, plus attention to the ID tokens."""

    def __init__(
        self,
        previous: Callable | None,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None = None,
        shape_reading: ReadingShaper | None = None,
    ):
        """keys, values: (batch, tokens, width) in the dtype and on the device of the queries.

        mask: (batch, 1, h, w) in latent size, where the ID tokens act; None for everywhere.
        """
        self.previous = previous
        self.keys = keys
        self.values = values
        self.mask = mask
        self.shape_reading = shape_reading

    def __call__(self, q, k, v, extra_options):
        if self.previous is not None:
            text = self.previous(q, k, v, extra_options)
        else:
            text = host_attention.optimized_attention(
                q, k, v, extra_options["n_heads"],
                attn_precision=extra_options["attn_precision"], transformer_options=extra_options,
            )  # fmt: skip
        keys, values, mask = self.keys, self.values, self.mask
        if q.shape[0] != keys.shape[0]:
            repeats = region_repeats(q.shape[0], keys.shape[0], extra_options["cond_or_uncond"])
            keys, values = repeat_chunks(keys, repeats), repeat_chunks(values, repeats)
            mask = None if mask is None else repeat_chunks(mask, repeats)
        # Not the host's global choice: quantising kernels are made for long sequences, not for four tokens.
        return add_id_attention(
            text, q, keys, values, heads=extra_options["n_heads"],
            attention=host_attention.attention_pytorch,
            shape_reading=self._limited_to(mask, extra_options),
        )  # fmt: skip

    def _limited_to(self, mask: torch.Tensor | None, extra_options) -> Callable | None:
        """What the mask and the leak control leave of a reading; None if there is neither."""
        if mask is None and self.shape_reading is None:
            return None
        shape = extra_options["activations_shape"]

        def limit(text, reading):
            if self.shape_reading is not None:
                reading = self.shape_reading(text, reading, shape)
            return reading if mask is None else reading * to_positions(mask, shape)

        return limit


def region_repeats(queries: int, rows: int, order: Sequence[int]) -> list[int]:
    """How often each chunk of the batch is there, inside a layer where prompts are coupled by region.

    Packs that do so repeat the positive chunks once per region.
    queries, rows: batch of the queries, and of the model call.  order: its ``cond_or_uncond``.
    Raises RuntimeError if that does not explain the number of queries.
    """
    per_chunk, positives = rows // len(order), order.count(0)
    regions, rest = divmod(queries - per_chunk * (len(order) - positives), per_chunk * max(positives, 1))
    if rest != 0 or regions < 1 or positives == 0:
        raise RuntimeError(
            f"Another node changes the batch inside an attention layer from {rows} to {queries}, in a way ConsistentID "
            "does not know. Remove that node; for several prompts or people use masks on the conditionings, "
            "with Set Identity."
        )
    return [regions if which == 0 else 1 for which in order]


def repeat_chunks(batch: torch.Tensor, repeats: Sequence[int]) -> torch.Tensor:
    """Each chunk of a batch several times in a row."""
    chunks = zip(batch.chunk(len(repeats)), repeats, strict=True)
    return torch.cat([chunk for chunk, times in chunks for _ in range(times)])


@dataclass(frozen=True, eq=False)
class IDAttentionPatch:
    """One identity with its strength and range, as an APPLY_MODEL wrapper.

    blocks: the host's block for each adapter index of a cross-attention layer.
    identity, no_identity: keys and values of the ID tokens by adapter index.
    weight: factor of the ID attention.
    percents: the share of sampling within which it acts, as noise levels of the sampling in use; None for all of it.
    mask: (B, H, W), where in the picture the ID tokens act; None for everywhere.
    leak_control: further limits, not in the original.
    is_first: conditionings with an identity of their own are served by the first patch of a model only.
    """

    family: str
    blocks: Mapping[int, Block]
    identity: KeysValues
    no_identity: KeysValues
    weight: float = 1.0
    percents: tuple[float, float] | None = None
    mask: torch.Tensor | None = None
    leak_control: LeakControl = field(default_factory=LeakControl)
    is_first: bool = True

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
        dtype, window = executor.class_obj.get_dtype_inference(), window_of(transformer_options)
        chunks = roles.chunks(transformer_options["uuids"], x.shape[0], window and window.frames)
        prepared = self._prepared(roles, chunks, x, dtype, executor.class_obj)
        mask = None if self.mask is None else self._mask_of_call(roles, chunks, window, x, dtype)
        prepared.schedule.update(transformer_options["sigmas"])

        options = transformer_options.copy()
        replacements = options["patches_replace"] = options.get("patches_replace", {}).copy()
        attn2 = replacements["attn2"] = replacements.get("attn2", {}).copy()
        for block, (keys, values) in prepared.blocks.items():
            # The host looks the triple up first and the pair only if there is none; so do we.
            previous = attn2[block] if block in attn2 else attn2.get(block[:2])
            attn2[block] = IDAttention(previous, keys, values, mask, prepared.shape_reading)
        if COMPILE_KEY in options.get("wrappers", {}).get(comfy.patcher_extension.WrappersMP.APPLY_MODEL, {}):
            kwargs[self._structure(prepared, kwargs)] = None
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    def _structure(self, prepared: "_Prepared", arguments: Mapping) -> str:
        """A name for what a compiled model has baked in; as an argument no layer reads, it tells graphs apart.

        Guards on the transformer options are dropped by the compile node, so without it a graph made
        without the person, or without a mask, would be used again with one (HOST 1.9).
        """
        people = sum(name.startswith(KEY) for name in arguments)
        tokens = next(iter(prepared.blocks.values()))[0].shape[1]
        control = self.leak_control
        return f"{KEY}_{people}_{tokens}_{self.mask is not None}_{control.norm_limit}_{control.self_mask}"

    def _prepared(
        self, roles: Roles, chunks: Sequence, x: torch.Tensor, dtype: torch.dtype, model
    ) -> "_Prepared":
        """Keys and values laid out like the batch, made once per layout and run."""
        shown = roles.shown(chunks)
        key = (self, "tokens", shown, x.shape[0], x.device, dtype)
        if key not in roles.prepared:
            sources = [self._source(one) for one in shown]
            per_chunk = x.shape[0] // len(shown)
            # Asked now, not by the node: what a percent means may be changed by nodes after ours.
            sigma_range = self.percents and tuple(map(model.model_sampling.percent_to_sigma, self.percents))
            steps = StepTable(torch.ones(2) if roles.sigmas is None else roles.sigmas, x.device, dtype)
            roles.prepared[key] = self._lay_out(sources, per_chunk, steps, sigma_range, x.device, dtype)
        return roles.prepared[key]

    def _mask_of_call(
        self, roles: Roles, chunks: Sequence, window: Window | None, x: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        """The mask laid out like the batch, made once per layout and run."""
        areas = roles.areas(chunks)
        key = (self, "mask", areas, window, x.shape, x.device, dtype)
        if key not in roles.prepared:
            size, per_chunk = roles.latent_size or x.shape[-2:], x.shape[0] // len(chunks)
            mask = batch_mask(self.mask, size, areas, per_chunk, window, roles.batch)
            if mask.shape[-2] > x.shape[-2] or mask.shape[-1] > x.shape[-1]:
                raise ValueError(
                    "Another node cuts the picture into tiles, and the mask of Apply ConsistentID cannot know where "
                    "a tile lies. Leave the mask unconnected and give each person a masked conditioning with "
                    "Set Identity, or switch the tiling off."
                )
            roles.prepared[key] = mask.to(x.device, dtype)
        return roles.prepared[key]

    def _source(self, shown: Shown) -> tuple[KeysValues, float]:
        """Keys and values for one chunk, and the factor of the values."""
        if shown is DEFAULT:
            return self.identity, self.weight
        if isinstance(shown, Identity):
            if shown.family != self.family:
                raise ModelMismatchError(
                    f"A conditioning carries {shown}, but the model is patched for {FAMILY_NAMES[self.family]}. "
                    "Give Set Identity the same ConsistentID model as Apply ConsistentID."
                )
            keys_values = shown.keys_values or self.no_identity
            return keys_values, shown.weight if self.is_first else 0.0
        return self.no_identity, self.weight

    def _lay_out(
        self,
        sources: list[tuple[KeysValues, float]],
        per_chunk: int,
        steps: StepTable,
        sigma_range: tuple[float, float] | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "_Prepared":
        """One chunk per source, each of the latent batch size."""

        # People may have different numbers of tokens; repeating a whole set does not change what is read from it.
        tokens = math.lcm(*(next(iter(source.values()))[0].shape[1] for source, _ in sources))

        def batched(index: int, which: int) -> list[torch.Tensor]:
            several = (source[index][which] for source, _ in sources)
            return [one.repeat(1, tokens // one.shape[1], 1).expand(per_chunk, -1, -1) for one in several]

        keys = [torch.cat(batched(index, 0)).to(device, dtype) for index in self.blocks]
        values = [
            torch.cat([v * weight for v, (_, weight) in zip(batched(index, 1), sources, strict=True)])
            for index in self.blocks
        ]
        # One tensor for all layers, so that the range costs one multiplication per model call.
        full = torch.cat(values, dim=-1).to(device, dtype)
        schedule = Schedule(full, steps, self.leak_control, sigma_range)
        views = schedule.values.split([value.shape[-1] for value in values], dim=-1)
        blocks = dict(zip(self.blocks.values(), zip(keys, views, strict=True), strict=True))
        return _Prepared(schedule, blocks, schedule.reading_shaper())


@dataclass(frozen=True)
class _Prepared:
    """Keys and values for one batch layout. ``blocks`` holds views into the schedule's values."""

    schedule: Schedule
    blocks: Mapping[Block, tuple[torch.Tensor, torch.Tensor]]
    shape_reading: ReadingShaper | None
