"""ID cross-attention on a cloned model, next to whatever else patches it.

The patch is an APPLY_MODEL wrapper. On every model call it copies the transformer
options and chains onto the attention replacement each block holds at that moment, so
the order of packs does not matter, no object is shared, and removing the node leaves
no trace. All layers are always replaced and only tensors change between calls: the core
compile node bakes in the structure of the options (HOST 1.9).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import comfy.patcher_extension
import torch

from ...consistentid_core.errors import ModelMismatchError
from ...consistentid_core.families import FAMILIES, Family
from ...consistentid_core.networks.leak_control import LeakControl
from ..models.consistentid import KeysValues
from .id_attention import IDAttention
from .id_layout import Block, Layout, Source, lay_out, people_of
from .places import Places
from .roles import KEY, Roles, record_roles
from .run_caches import LayoutKey, PlacesKey
from .schedule import Schedule
from .shown import DEFAULT, Area, Identity, Shown
from .spatial_mask import Window, batch_mask, window_of

#: Under this key the core compile node registers its wrapper.
COMPILE_KEY = "torch.compile"

#: More people than this would each get too little of the picture; a chain that long is a mistake.
MAX_PEOPLE = 8


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

    family: Family
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
        shown = roles.shown(chunks)
        layout = self._layout(roles, shown, window, x, dtype, executor.class_obj.model_sampling)
        places = None
        if self.mask is not None or self.leak_control.self_mask:
            places = self._places(roles, shown, roles.areas(chunks), window, x, dtype)
        layout.schedule.update(transformer_options["sigmas"])

        options = transformer_options.copy()
        replacements = options["patches_replace"] = options.get("patches_replace", {}).copy()
        attn2 = replacements["attn2"] = replacements.get("attn2", {}).copy()
        for block, (keys, values) in layout.blocks.items():
            # The host looks the triple up first and the pair only if there is none; so do we.
            previous = attn2[block] if block in attn2 else attn2.get(block[:2])
            attn2[block] = IDAttention(
                previous, keys, values, layout.schedule.weights, places, layout.shape_reading
            )
        if COMPILE_KEY in options.get("wrappers", {}).get(comfy.patcher_extension.WrappersMP.APPLY_MODEL, {}):
            kwargs[self._structure(layout, kwargs)] = None
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    def _structure(self, layout: Layout, arguments: Mapping) -> str:
        """A name for what a compiled model has baked in; as an argument no layer reads, it tells graphs apart.

        Guards on the transformer options are dropped by the compile node, so without it a graph made
        without the person, or without a mask, would be used again with one (HOST 1.9).
        """
        people = sum(name.startswith(KEY) for name in arguments)
        rows, tokens, _ = next(iter(layout.blocks.values()))[0].shape
        control = self.leak_control
        traits = (rows, tokens, self.mask is not None, control.norm_rescale, control.self_mask)
        return "_".join(map(str, (KEY, people, *traits)))

    def _layout(
        self,
        roles: Roles,
        shown: tuple[Shown, ...],
        window: Window | None,
        x: torch.Tensor,
        dtype: torch.dtype,
        model_sampling,
    ) -> Layout:
        """Keys and values laid out like the batch, made once per layout and run."""
        sources = [self._source(one) for one in shown]
        # Where all latents show the same, it does not matter which of them a window shows.
        is_batch = any(people_of(keys_values) > 1 for keys_values, _ in sources)
        frames = window if window and window.frames and is_batch else None
        key = LayoutKey(self, shown, frames, x.shape[0], x.device, dtype)
        if key not in roles.caches.layouts:
            per_chunk = x.shape[0] // len(shown)
            latents = frames.indices if frames else range(per_chunk)
            _require_latents(sources, roles.batch or per_chunk)
            if is_batch:
                _require_whole_batch(per_chunk, roles, window)
            # Asked now, not by the node: what a percent means may be changed by nodes after ours.
            percent_to_sigma = model_sampling.percent_to_sigma
            roles.caches.layouts[key] = lay_out(
                sources,
                latents,
                self.blocks,
                partial(
                    Schedule,
                    leak_control=self.leak_control,
                    sigma_range=None
                    if self.percents is None
                    else tuple(map(percent_to_sigma, self.percents)),
                    percent_to_sigma=percent_to_sigma,
                ),
                x.device,
                dtype,
            )
        return roles.caches.layouts[key]

    def _places(
        self,
        roles: Roles,
        shown: tuple[Shown, ...],
        areas: tuple[Area | None, ...],
        window: Window | None,
        x: torch.Tensor,
        dtype: torch.dtype,
    ) -> Places:
        """Where the ID tokens act, laid out like the batch, made once per layout and run."""
        key = PlacesKey(self, shown, areas, window, x.shape, x.device, dtype)
        if key not in roles.caches.places:
            mask = None if self.mask is None else self._mask_of_call(roles, shown, areas, window, x)
            roles.caches.places[key] = Places(
                mask, self.leak_control.self_mask, tuple(x.shape[-2:]), x.device, dtype
            )
        return roles.caches.places[key]

    def _mask_of_call(
        self,
        roles: Roles,
        shown: Sequence[Shown],
        areas: Sequence[Area | None],
        window: Window | None,
        x: torch.Tensor,
    ) -> torch.Tensor:
        """The mask for each latent of a model call: (batch, 1, h, w), in main memory.

        It is for the person of Apply ConsistentID: conditionings with one of their own have masks of their own.
        """
        size, per_chunk = roles.latent_size or x.shape[-2:], x.shape[0] // len(shown)
        if len(self.mask) > 1:
            _require_whole_batch(per_chunk, roles, window)
        mask = batch_mask(self.mask, size, areas, per_chunk, window, roles.batch)
        if mask.shape[-2] > x.shape[-2] or mask.shape[-1] > x.shape[-1]:
            raise ValueError(
                "Another node cuts the picture into tiles, and the mask of Apply ConsistentID cannot know where "
                "a tile lies. Leave the mask unconnected and give each person a masked conditioning with "
                "Set Identity, or switch the tiling off."
            )
        for one, rows in zip(shown, mask.split(per_chunk), strict=True):
            if isinstance(one, Identity):
                rows.fill_(1.0)
        return mask

    def _source(self, shown: Shown) -> Source:
        """Keys and values for one chunk, and the factor of the values."""
        if shown is DEFAULT:
            return self.identity, self.weight
        if isinstance(shown, Identity):
            if shown.family != self.family:
                raise ModelMismatchError(
                    f"A conditioning carries {shown}, but the model is patched for {FAMILIES[self.family].label}. "
                    "Give Set Identity the same ConsistentID model as Apply ConsistentID."
                )
            keys_values = shown.keys_values or self.no_identity
            return keys_values, shown.weight if self.is_first else 0.0
        return self.no_identity, self.weight


def _require_latents(sources: Sequence[Source], latents: int) -> None:
    people = max(people_of(keys_values) for keys_values, _ in sources)
    if people > latents:
        raise ValueError(
            f"The ID embedding holds {people} people, one per latent, but the batch has {latents} latents: some would "
            f"not be seen. Set the batch size of the latents to {people}, or choose another way to combine the photos "
            "in ID Embedding."
        )


def _require_whole_batch(per_chunk: int, roles: Roles, window: Window | None) -> None:
    """A window says which latents it shows; without one they must all be there."""
    is_window = window is not None and window.frames is not None
    if not is_window and roles.batch is not None and per_chunk < roles.batch:
        raise RuntimeError(
            f"Another node calls the model with {per_chunk} of {roles.batch} latents at a time, so ConsistentID cannot "
            "know which person or mask belongs to which latent. Remove the node that splits the batch, or use one "
            "person and one mask for all latents."
        )
