"""The frozen models with a memory: what the encoders said of a picture or text is looked up before it is computed.

Pictures and texts are encoded one at a time, with a memory or without: what is said of one then does not depend on
the others of its batch, so that a run with a cache has the bits of one without, and two processes those of one.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

import torch
from torch import Tensor

from ..text.markers import MARKER
from .cache import FeatureCache, content_key
from .frozen import EncodedTexts, FrozenModels

#: An encoder is known by what it says of these: of noise, and of a sentence with facial words.
_PROBE_TEXT = (
    f"Caption:A woman of 35 smiles. Detail:a face {MARKER}, two eyes {MARKER}, a nose {MARKER}, ., By a lake"
)
_PROBE_SIDE = 64


class CachedModels:
    """Frozen models (:class:`.frozen.FrozenModels`) around others."""

    def __init__(
        self, frozen: FrozenModels, cache: FeatureCache | None = None, *, keeps_latents: bool = True
    ):
        """cache: None for none.

        keeps_latents: not worth its room where squares are cut at random places.
        """
        self._frozen, self._cache, self._keeps_latents = frozen, cache, keeps_latents
        self.family, self.predicts, self.device = frozen.family, frozen.predicts, frozen.device
        self.cross_attention_dim, self.layers = frozen.cross_attention_dim, frozen.layers
        self.unet_module, self.alphas_cumprod = frozen.unet_module, frozen.alphas_cumprod
        self.unet = frozen.unet
        self._nothing: dict[tuple[int, ...], Tensor] = {}
        # Tokenisers are not made for two threads at a time, and the next batch is prepared beside this one.
        self._tokeniser = Lock()
        self._folders: dict[str, str] = {}
        if cache:
            self._recognise()

    def encode_pictures(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the latents."""
        found = [self._latents(one[None]) for one in pixels]
        return (
            torch.cat([one["mean"] for one in found]).to(self.device),
            torch.cat([one["deviation"] for one in found]).to(self.device),
        )

    def encode_clip(self, pixel_values: Tensor) -> Tensor:
        """Penultimate hidden states, (n, 257, 1280)."""
        return torch.cat([self._hidden(one[None]) for one in pixel_values])

    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Rows, pooled rows and facial words of texts with markers."""
        found = [self._text(text) for text in texts]
        columns = {name: torch.cat([one[name] for one in found]).to(self.device) for name in found[0]}
        return EncodedTexts(columns["rows"], columns.get("pooled"), columns["indices"], columns["valid"])

    def count_tokens(self, text: str) -> int:
        """Length of a text with start, end and one token per marker."""
        with self._tokeniser:
            return self._frozen.count_tokens(text)

    def _latents(self, pixels: Tensor) -> Mapping[str, Tensor]:
        def compute() -> dict[str, Tensor]:
            mean, deviation = self._frozen.encode_pictures(pixels)
            return {"mean": mean, "deviation": deviation}

        return self._remembered("latents", (pixels,), compute) if self._keeps_latents else compute()

    def _hidden(self, pixel_values: Tensor) -> Tensor:
        def compute() -> dict[str, Tensor]:
            return {"hidden": self._frozen.encode_clip(pixel_values)}

        if pixel_values.any():
            return self._remembered("clip", (pixel_values,), compute)["hidden"].to(self.device)
        # The zero image stands for every missing part: several times a batch.
        shape = tuple(pixel_values.shape)
        if shape not in self._nothing:
            self._nothing[shape] = compute()["hidden"].to(self.device)
        return self._nothing[shape]

    def _text(self, text: str) -> Mapping[str, Tensor]:
        def compute() -> dict[str, Tensor]:
            with self._tokeniser:
                found = self._frozen.encode_texts([text])
            pooled = {} if found.pooled is None else {"pooled": found.pooled}
            return {"rows": found.rows, "indices": found.indices, "valid": found.valid, **pooled}

        return self._remembered("texts", (text,), compute)

    def _remembered(
        self, kind: str, contents: tuple[Tensor | str, ...], compute: Callable[[], dict[str, Tensor]]
    ) -> Mapping[str, Tensor]:
        if self._cache is None or kind not in self._folders:
            return compute()
        key = content_key(*contents)
        found = self._cache.get(self._folders[kind], key)
        if found is None:
            found = compute()
            self._cache.put(self._folders[kind], key, found)
        return found

    @torch.no_grad()
    def _recognise(self) -> None:
        """Name the folder of each encoder by its answers, which no other weights or precision give to the bit."""
        generator = torch.Generator().manual_seed(0)
        pixels = torch.rand(1, 3, _PROBE_SIDE, _PROBE_SIDE, generator=generator)
        pixel_values = torch.randn(1, 3, 224, 224, generator=generator)
        answers = {
            "latents": self._frozen.encode_pictures(pixels),
            "clip": (self._frozen.encode_clip(pixel_values),),
            "texts": tuple(self._text(_PROBE_TEXT).values()),
        }
        self._folders = {kind: f"{kind}-{content_key(*answer)[:16]}" for kind, answer in answers.items()}
