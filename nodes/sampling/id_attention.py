"""What one cross-attention block does with the ID tokens, next to whatever else replaces its attention."""

from collections.abc import Callable, Sequence

import comfy.ldm.modules.attention as host_attention
import torch

from ...consistentid_core.networks.attention import add_id_attention
from .schedule import ReadingShaper
from .spatial_mask import to_positions


class IDAttention:
    """Attention replacement of one block: what was there before, plus attention to the ID tokens."""

    def __init__(
        self,
        previous: Callable | None,
        keys: torch.Tensor,
        values: torch.Tensor,
        weights: torch.Tensor,
        mask: torch.Tensor | None = None,
        shape_reading: ReadingShaper | None = None,
    ):
        """keys, values: (rows, tokens, width) in the dtype and on the device of the queries; as many latents in a
        row as go into the batch share each.

        weights: (batch, 1, 1), what the values are weighted with.
        mask: (batch, 1, h, w) in latent size, where the ID tokens act; None for everywhere.
        """
        self.previous = previous
        self.keys = keys
        self.values = values
        self.weights = weights
        self.mask = mask
        self.shape_reading = shape_reading

    def __call__(self, q, k, v, extra_options):
        return self._read(q, k, v, extra_options)[1]

    def _read(self, q, k, v, extra_options) -> tuple[torch.Tensor, torch.Tensor]:
        """What is there without our people, and with those up to this one."""
        if isinstance(self.previous, IDAttention):
            # Readings are measured against the text: what other people add to it must not count.
            text, before = self.previous._read(q, k, v, extra_options)
        else:
            text = before = self._text(q, k, v, extra_options)
        keys, values, weights, mask = self.keys, self.values, self.weights, self.mask
        if q.shape[0] != weights.shape[0]:
            repeats = region_repeats(q.shape[0], weights.shape[0], extra_options["cond_or_uncond"])
            keys, values, weights = (repeat_chunks(one, repeats) for one in (keys, values, weights))
            mask = None if mask is None else repeat_chunks(mask, repeats)
        # Not the host's global choice: quantising kernels are made for long sequences, not for four tokens.
        return text, add_id_attention(
            before, q, keys, values, heads=extra_options["n_heads"],
            attention=host_attention.attention_pytorch,
            shape_reading=self._limited_to(text, weights, mask, extra_options),
        )  # fmt: skip

    def _text(self, q, k, v, extra_options) -> torch.Tensor:
        if self.previous is not None:
            return self.previous(q, k, v, extra_options)
        return host_attention.optimized_attention(
            q, k, v, extra_options["n_heads"],
            attn_precision=extra_options["attn_precision"], transformer_options=extra_options,
        )  # fmt: skip

    def _limited_to(
        self, text: torch.Tensor, weights: torch.Tensor, mask: torch.Tensor | None, extra_options
    ) -> Callable | None:
        """What the mask and the leak control leave of a reading; None if there is neither."""
        if mask is None and self.shape_reading is None:
            return None
        shape = extra_options["activations_shape"]

        def limit(reading):
            if self.shape_reading is not None:
                reading = self.shape_reading(text, reading, weights, shape)
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
