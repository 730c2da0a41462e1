"""A prompt whose facial words carry the parts of a face, as CONDITIONING.

The positive switches at the merge point from the text alone to the fused text; the
negative carries the "nothing" of the unconditional branch at the same rows throughout
(SPEC 4, 5). Everything is native conditioning, so any sampler works.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ...consistentid_core.errors import ModelMismatchError
from ...consistentid_core.faces.face_parts import FaceParts
from ...consistentid_core.families import FAMILIES, FamilyTraits
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
from .fusion import FacialRow, fuse
from .texts import Texts
from .tokens import FacialTokens, clip_family, token_counter


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
    caption: a description of the face; empty for the fixed sentence of the adapter's family.
    merge_percent: 0..1, from where on in sampling the fused text is used.
    size_from: an SDXL conditioning whose sizes both results take over.
    Of several people, one per latent, the embeds have a row in the batch each; what is shown is the first one's.
    Raises ModelMismatchError if CLIP and adapter are of different families, PromptError for a prompt
    that cannot be encoded, ValueError for a ``size_from`` without sizes or if CLIP vision is missing.
    """
    family = _common_family(clip, consistentid)
    check_is_connected(clip_vision, face_parts=face_parts)
    sizes = {} if size_from is None else sizes_of(size_from, consistentid.family)
    description = caption if caption.strip() else family.default_caption
    texts = Texts(clip, mode)
    nothing = zero_vector(consistentid, zero_image(clip_vision, face_parts))

    people = []
    for person in face_parts.people:
        assembled = assemble(
            prompt, description, part_names(person),
            family=family.key, mode=mode, count_tokens=token_counter(clip),
        )  # fmt: skip
        facial = texts.facial(assembled.text)
        people.append(_PersonsPrompt(person, assembled, facial, _pair(assembled, facial, person.pairing)))

    # A prompt without facial words costs no pass through CLIP vision.
    has_parts = any(region is not PADDING for one in people for region in one.regions)
    vectors = region_vectors(consistentid, clip_vision, face_parts) if has_parts else [{} for _ in people]
    rows = [one.rows(known, nothing) for one, known in zip(people, vectors, strict=True)]

    def fuse_each(plain: Iterable[Conditioning], facial: Iterable[Sequence[FacialRow]]) -> Conditioning:
        """Each person's rows fused into that person's conditioning, and all of them in one batch."""
        return in_one_batch([fuse(*own, consistentid, clip) for own in zip(plain, facial, strict=True)])

    marked = [texts.marked(one.assembled.text) for one in people]
    positive = fuse_each(marked, rows)
    text_only = [texts.text_only(one.assembled) for one in people]
    if any(rows) or any(one is not other for one, other in zip(text_only, marked, strict=True)):
        positive = switch(in_one_batch(text_only), positive, merge_percent)
    # With the same strengths: at 0 both branches are as if the part were switched off.
    without_parts = [[replace(row, part=nothing, weight=1.0) for row in own] for own in rows]
    negative = fuse_each([texts.plain(negative_prompt)] * len(people), without_parts)

    first = people[0]
    return FacialPrompt(
        positive=with_options(positive, sizes),
        negative=with_options(negative, sizes),
        assembled=first.assembled,
        positions=first.facial.positions,
        regions=first.regions,
        notes=(
            *_caption_notes(caption, family),
            *first.assembled.notes,
            *_cut_notes(first.facial),
            *_batch_notes(len(people)),
        ),
    )


@dataclass(frozen=True)
class _PersonsPrompt:
    """The prompt of one person. regions: for each facial row the region whose part it takes, or the padding."""

    person: FaceParts
    assembled: AssembledPrompt
    facial: FacialTokens
    regions: tuple[str | None, ...]

    def rows(self, vectors: Mapping[str, torch.Tensor], nothing: torch.Tensor) -> list[FacialRow]:
        """The facial rows. vectors: of the person's parts, by region.  nothing: that of the padding."""
        rows = []
        for position, region, weight in zip(
            self.facial.positions, self.regions, self.facial.weights, strict=True
        ):
            if region is PADDING:
                rows.append(FacialRow(position, nothing, weight=weight))
            else:
                rows.append(FacialRow(position, vectors[region], self.person.strength(region), weight))
        return rows


def part_names(face_parts: FaceParts) -> tuple[str, ...]:
    """One part per region that any of the photos shows, in crop order; of several photos the first counts."""
    names: dict[str, str] = {}
    for photo in face_parts.photos:
        for part in photo.parts:
            names.setdefault(part.region, part.name)
    return tuple(names[region] for region in REGION_NAMES if region in names)


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


def _caption_notes(caption: str, family: FamilyTraits) -> tuple[str, ...]:
    if caption.strip():
        return ()
    return (f"The caption is empty: the fixed sentence for {family.label} takes its place.",)


def _common_family(clip, consistentid: ConsistentIDModel) -> FamilyTraits:
    clips, adapters = FAMILIES[clip_family(clip)], FAMILIES[consistentid.family]
    if clips is not adapters:
        raise ModelMismatchError(
            f"The connected CLIP belongs to {clips.label}, but this ConsistentID adapter is made for "
            f"{adapters.label}. Load checkpoint and adapter of one family."
        )
    return adapters
