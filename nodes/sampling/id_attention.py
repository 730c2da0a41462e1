"""What one cross-attention block does with the ID tokens, next to whatever else replaces its attention."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import comfy.ldm.modules.attention as host_attention
import torch

from ...consistentid_core.networks.attention import add_id_attention
from .places import Place, Places
from .schedule import ReadingShaper


class IDAttention:
    """Attention replacement of one block: what was there before, plus attention to the ID tokens."""

    def __init__(
        self,
        previous: Callable | None,
        keys: torch.Tensor,
        values: torch.Tensor,
        weights: torch.Tensor,
        places: Places | None = None,
        shape_reading: ReadingShaper | None = None,
    ):
        """keys, values: (rows, tokens, width) in the dtype and on the device of the queries; as many latents in a
        row as go into the batch share each.

        weights: (batch, 1, 1), what the values are weighted with.
        places: where the ID tokens act; None for everywhere.
        """
        self.previous = previous
        self.keys = keys
        self.values = values
        self.weights = weights
        self.places = places
        self.shape_reading = shape_reading

    def __call__(self, q, k, v, extra_options, **more):
        """extra_options: as the host passes them. Other packs call with fewer, so only ``n_heads`` must be there."""
        return self._read(q, k, v, extra_options, more)[1]

    def _read(self, q, k, v, extra_options: Mapping, more: Mapping) -> tuple[torch.Tensor, torch.Tensor]:
        """What is there without our people, and with those up to this one."""
        if isinstance(self.previous, IDAttention):
            # Readings are measured against the text: what other people add to it must not count.
            text, before = self.previous._read(q, k, v, extra_options, more)
        else:
            text = before = self._text(q, k, v, extra_options, more)
        keys, values, weights = self.keys, self.values, self.weights
        place = None if self.places is None else self.places.at(q.shape[1], extra_options)
        if q.shape[0] != weights.shape[0]:
            order = extra_options.get("cond_or_uncond", ())
            repeats = region_repeats(q.shape[0], weights.shape[0], order)
            keys, values, weights = (repeat_chunks(one, repeats) for one in (keys, values, weights))
            if place is not None and place.mask is not None:
                place = place._replace(mask=repeat_chunks(place.mask, repeats))
        return text, add_id_attention(
            before, q, keys, values, heads=extra_options["n_heads"],
            attention=attention_for(extra_options, q.dtype),
            shape_reading=self._limited_to(text, weights, place),
        )  # fmt: skip

    def _text(self, q, k, v, extra_options: Mapping, more: Mapping) -> torch.Tensor:
        if self.previous is not None:
            return self.previous(q, k, v, extra_options, **more)
        return host_attention.optimized_attention(
            q, k, v, extra_options["n_heads"],
            attn_precision=extra_options.get("attn_precision"), transformer_options=extra_options, **more,
        )  # fmt: skip

    def _limited_to(self, text: torch.Tensor, weights: torch.Tensor, place: Place | None) -> Callable | None:
        """What the mask and the leak control leave of a reading; None if there is neither."""
        if place is None and self.shape_reading is None:
            return None

        def limit(reading):
            if self.shape_reading is not None:
                reading = self.shape_reading(text, reading, weights, place)
            return reading if place is None or place.mask is None else reading * place.mask

        return limit


def attention_for(extra_options: Mapping[str, Any], dtype: torch.dtype) -> Callable[..., torch.Tensor]:
    """What the ID tokens are read with: not the host's global choice, whose quantising kernels are made for long
    sequences and not for four tokens, but in the precision the layer or the host asks for.
    """
    precision = host_attention.get_attn_precision(extra_options.get("attn_precision"), dtype)
    if precision is None or precision == dtype:
        return host_attention.attention_pytorch
    return partial(_attention_in, precision)


def _attention_in(precision: torch.dtype, q, k, v, heads: int) -> torch.Tensor:
    upcast = (one.to(precision) for one in (q, k, v))
    return host_attention.attention_pytorch(*upcast, heads).to(q.dtype)


def region_repeats(queries: int, rows: int, order: Sequence[int]) -> list[int]:
    """How often each chunk of the batch is there, inside a layer where prompts are coupled by region.

    Packs that do so repeat every chunk but those of number 1, in their eyes the negative, once per region.
    queries, rows: batch of the queries, and of the model call.  order: its ``cond_or_uncond``.
    Raises RuntimeError if that does not explain the number of queries.
    """
    repeated = sum(which != 1 for which in order)
    if repeated:
        per_chunk = rows // len(order)
        regions, rest = divmod(queries - per_chunk * (len(order) - repeated), per_chunk * repeated)
        if rest == 0 and regions >= 1:
            return [1 if which == 1 else regions for which in order]
    raise RuntimeError(
        f"Another node changes the batch inside an attention layer from {rows} to {queries}, in a way ConsistentID "
        "does not know. Remove that node; for several prompts or people use masks on the conditionings, "
        "with Set Identity."
    )


def repeat_chunks(batch: torch.Tensor, repeats: Sequence[int]) -> torch.Tensor:
    """Each chunk of a batch several times in a row."""
    chunks = zip(batch.chunk(len(repeats)), repeats, strict=True)
    return torch.cat([chunk for chunk, times in chunks for _ in range(times)])
