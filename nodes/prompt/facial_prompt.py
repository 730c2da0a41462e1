"""A prompt whose facial words carry the parts of a face, as CONDITIONING.

The positive switches at the merge point from the text alone to the fused text; the
negative carries the "nothing" of the unconditional branch at the same rows throughout
(SPEC 4, 5). Everything is native conditioning, so any sampler works.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from ...consistentid_core.errors import ModelMismatchError
from ...consistentid_core.faces.face_parts import FaceParts
from ...consistentid_core.families import FAMILIES
from ...consistentid_core.regions import REGION_NAMES, region_of_part
from ...consistentid_core.text.pairing import (
    AS_MODE,
    BY_NAME,
    PADDING,
    Pairing,
    marked_words,
    pair_by_name,
    pair_by_rank,
)
from ...consistentid_core.text.prompt import AssembledPrompt, Mode, assemble
from ...consistentid_core.text.tokens import CONTEXT_LENGTH
from ..models.consistentid import ConsistentIDModel
from ..person.clip_features import check_is_connected, zero_image
from ..person.facial_features import region_vectors, zero_vector
from .conditioning import Conditioning, in_one_batch, sizes_of, switch, with_options
from .tokens import (
    FacialTokens,
    HostTokens,
    clean_tokens,
    clip_family,
    original_plain_tokens,
    original_tokens,
    same_tokens,
    token_counter,
)


@dataclass(frozen=True)
class FacialPrompt:
    """The conditioning and how it came about, for showing it.

    positions: the facial rows.  regions: for each the region whose crop was fused; None for the
    original's padding.  notes: sentences for the user about what was left out or moved.
    """

    positive: Conditioning
    negative: Conditioning
    assembled: AssembledPrompt
    positions: tuple[int, ...]
    regions: tuple[str | None, ...]
    notes: tuple[str, ...]


def encode_facial_prompt(
    clip,
    clip_vision,
    consistentid: ConsistentIDModel,
    face_parts: FaceParts,
    *,
    prompt: str,
    negative_prompt: str,
    caption: str,
    mode: Mode,
    merge_percent: float,
    size_from: Conditioning | None = None,
) -> FacialPrompt:
    """Encode a prompt with its description of the face, and the negative that belongs to it.

    clip_vision: None for a person from a file, who needs none.
    merge_percent: 0..1, from where on in sampling the fused text is used.
    size_from: an SDXL conditioning whose sizes both results take over.
    Of several people, one per latent, the embeds have a row in the batch each; what is shown is the first one's.
    Raises ModelMismatchError if CLIP and adapter are of different families, PromptError for a prompt
    that cannot be encoded, ValueError for a ``size_from`` without sizes or if CLIP vision is missing.
    """
    _require_same_family(clip, consistentid)
    check_is_connected(clip_vision, face_parts=face_parts)
    sizes = {} if size_from is None else sizes_of(size_from, consistentid.family)
    texts = _Texts(clip, mode)
    nothing = zero_vector(consistentid, zero_image(clip_vision, face_parts))

    def encode(number: int, person: FaceParts) -> _Encoded:
        assembled = assemble(
            prompt, caption, part_names(person),
            family=consistentid.family, mode=mode, count_tokens=token_counter(clip),
        )  # fmt: skip
        facial, marked = texts.facial(assembled.text), texts.marked(assembled.text)
        regions = _pair(assembled, facial, person.pairing)
        strengths = [1.0 if region is PADDING else person.strength(region) for region in regions]
        # Asked here: a prompt without facial words costs no pass through CLIP.
        vectors = region_vectors(consistentid, clip_vision, face_parts)[number] if any(regions) else {}
        parts = [nothing if region is PADDING else vectors[region] for region in regions]
        unweighted = FacialTokens({}, facial.positions, (1.0,) * len(regions))
        return _Encoded(
            assembled,
            facial,
            regions,
            text=texts.text_only(assembled),
            fused=fuse(marked, facial, parts, strengths, consistentid, clip),
            # With the same strengths: at 0 both branches are as if the part were switched off.
            negative=fuse(
                texts.plain(negative_prompt),
                unweighted,
                [nothing] * len(regions),
                strengths,
                consistentid,
                clip,
            ),
        )

    people = [encode(*one) for one in enumerate(face_parts.people)]
    first = people[0]
    positive = fused = in_one_batch([one.fused for one in people])
    if any(one.regions or one.text is not texts.marked(one.assembled.text) for one in people):
        positive = switch(in_one_batch([one.text for one in people]), fused, merge_percent)
    return FacialPrompt(
        positive=with_options(positive, sizes),
        negative=with_options(in_one_batch([one.negative for one in people]), sizes),
        assembled=first.assembled,
        positions=first.facial.positions,
        regions=first.regions,
        notes=first.assembled.notes + _cut_notes(first.facial) + _batch_notes(len(people)),
    )


@dataclass(frozen=True)
class _Encoded:
    """The prompt of one person. text: without parts, as before the merge point."""

    assembled: AssembledPrompt
    facial: FacialTokens
    regions: tuple[str | None, ...]
    text: Conditioning
    fused: Conditioning
    negative: Conditioning


class _Texts:
    """Encodes each text once: several people usually share theirs."""

    def __init__(self, clip, mode: Mode):
        marked_tokens, plain_tokens = (
            (original_tokens, original_plain_tokens) if mode == "original" else (clean_tokens, _host_tokens)
        )
        encode = clip.encode_from_tokens_scheduled
        #: Tokens of a text with markers, and its encoding.
        self.facial = cache(lambda text: marked_tokens(clip, text))
        self.marked = cache(lambda text: encode(self.facial(text).tokens))
        #: Tokens of a text without, and its encoding.
        self.plain_tokens = cache(lambda text: plain_tokens(clip, text))
        self.plain = cache(lambda text: encode(self.plain_tokens(text)))

    def text_only(self, assembled: AssembledPrompt) -> Conditioning:
        # Usually the same tokens: the marked words differ from the plain ones by their rows only.
        if same_tokens(self.plain_tokens(assembled.text_only), self.facial(assembled.text).tokens):
            return self.marked(assembled.text)
        return self.plain(assembled.text_only)


def part_names(face_parts: FaceParts) -> tuple[str, ...]:
    """One part per region that any of the photos shows, in crop order; of several photos the first counts."""
    names: dict[str, str] = {}
    for photo in face_parts.photos:
        for part in photo.parts:
            names.setdefault(part.region, part.name)
    return tuple(names[region] for region in REGION_NAMES if region in names)


def fuse(
    conditioning: Conditioning,
    facial: FacialTokens,
    parts: Sequence[torch.Tensor],
    strengths: Sequence[float],
    consistentid: ConsistentIDModel,
    clip,
) -> Conditioning:
    """A copy of a conditioning with facial parts fused into its rows.

    parts: one vector (D,) per position. Rows beyond a shorter conditioning are skipped.
    strengths: one per position, how far its row is moved from plain (0) to fused (1) and beyond.
    A word's weight acts on the fused row, by the formula the host uses for plain rows.
    """
    encoder = consistentid.facial_encoder
    result = []
    for embeds, options in conditioning:
        inside = [k for k, position in enumerate(facial.positions) if position < embeds.shape[1]]
        if inside:
            rows = [facial.positions[k] for k in inside]
            vectors = torch.stack([parts[k] for k in inside])
            fused = encoder.loaded().fuse(embeds[0, rows].to(encoder.device), vectors.to(encoder.device))
            embeds = embeds.clone()
            embeds[0, rows] = _moved(embeds[0, rows], fused.to(embeds), [strengths[k] for k in inside])
            _apply_weights(embeds, rows, [facial.weights[k] for k in inside], clip)
        result.append([embeds, dict(options)])
    return result


def _moved(plain: torch.Tensor, fused: torch.Tensor, strengths: Sequence[float]) -> torch.Tensor:
    """Rows (n, D) between plain (strength 0) and fused (1), or beyond; at 1 exactly the fused ones."""
    factors = torch.tensor(strengths, dtype=plain.dtype, device=plain.device).unsqueeze(1)
    return torch.where(factors == 1.0, fused, plain + factors * (fused - plain))


def _apply_weights(embeds: torch.Tensor, rows: list[int], weights: list[float], clip) -> None:
    """Weigh rows in place as the host does: away from the embedding of an empty prompt."""
    if all(weight == 1.0 for weight in weights):
        return
    empty = clip.encode_from_tokens_scheduled(clip.tokenize(""))[0][0].to(embeds)
    for row, weight in zip(rows, weights, strict=True):
        base = empty[0, row % empty.shape[1]]
        embeds[0, row] = (embeds[0, row] - base) * weight + base


def _pair(assembled: AssembledPrompt, facial: FacialTokens, pairing: Pairing) -> tuple[str | None, ...]:
    """The region for each facial row: as asked for, else by name where the prompt says so and by rank otherwise."""
    count = len(facial.positions)
    regions = [region_of_part(part) for part in assembled.parts]
    if assembled.regions is not None and pairing in (AS_MODE, BY_NAME):
        return assembled.regions
    if pairing == BY_NAME:
        return pair_by_name(marked_words(assembled.text)[:count], regions)
    return pair_by_rank(count, regions)


def _cut_notes(facial: FacialTokens) -> tuple[str, ...]:
    if not facial.cut:
        return ()
    return (
        f"{facial.cut} facial words lie beyond the first {CONTEXT_LENGTH} tokens and carry no part, as in the "
        "original. Shorten prompt or caption, or choose the clean mode.",
    )


def _batch_notes(people: int) -> tuple[str, ...]:
    return () if people == 1 else (f"Shown is the first of {people} people; each latent has its own.",)


def _host_tokens(clip, text: str) -> HostTokens:
    return clip.tokenize(text)


def _require_same_family(clip, consistentid: ConsistentIDModel) -> None:
    family = clip_family(clip)
    if family != consistentid.family:
        raise ModelMismatchError(
            f"The connected CLIP belongs to {FAMILIES[family].label}, but this ConsistentID adapter is made for "
            f"{FAMILIES[consistentid.family].label}. Load checkpoint and adapter of one family."
        )
