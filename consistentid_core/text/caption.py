"""Aligning a face caption: which of its words carry which facial part.

Two ways. :func:`align_caption` is the original's, letter by letter, mistakes included: the
released weights are used with it, and parts and words are paired by rank.
:func:`align_caption_by_name` marks the caption as it is written and says which region each
marker belongs to.

Parts are named as in :mod:`..regions` (``Left_Eye``, or ``Eyes`` for both of a pair), in crop order.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ..regions import REGIONS, Region, region_named, region_of_part
from .markers import MARKER, strip_typed_markers

#: The order in which clauses are emitted: that of the pipelines, or of the evaluation code (SPEC 6.1).
Order = Literal["ears_first", "eyes_first"]
ORDERS: tuple[Order, ...] = ("ears_first", "eyes_first")

#: With the eyes first, the clauses have the order of the crops.
_TEXT_ORDER: dict[Order, tuple[Region, ...]] = {
    "ears_first": tuple(sorted(REGIONS, key=lambda region: region.text_rank)),
    "eyes_first": REGIONS,
}


@dataclass(frozen=True)
class AlignedCaption:
    """A caption with a marker after each word that carries a facial part.

    parts: names of the parts that found a word, in the order given.
    regions: the region of each marker, in text order; None if words and parts are paired by rank.
    missing: regions that were asked for and found no word.
    """

    text: str
    parts: tuple[str, ...]
    regions: tuple[str, ...] | None
    missing: tuple[str, ...]


# ---------------------------------------------------------------- the original's way

_WORD_OR_STOP = re.compile(r"\b\w+\b|[.,;!?]")
_CLAUSE_ENDS = ",.;"

#: The words that name a region, each in its one case and number.
_TRAINED_WORDS = {region.word: re.compile(rf"\b{region.word}\b") for region in REGIONS}


def align_caption(caption: str, parts: Sequence[str], *, order: Order = "ears_first") -> AlignedCaption:
    """Align as the original does; any text is accepted.

    Only words and ``. , ; ! ?`` survive, only lower-case ``face ears eyes nose mouth`` count, and
    clauses without a feature are dropped. A feature without a word corrupts the text
    (:func:`_collect_clauses`). Pairing is by rank: marker k belongs to part k, whatever its name.
    Source: SPEC 3.1.
    """
    features = _wanted(parts, order)
    text = _deduplicated(caption)
    missing = []
    # Backwards, as in the original; the result does not depend on it.
    for feature in reversed(features):
        word = _TRAINED_WORDS[region_named(feature).word].search(text)
        if word is None:
            missing.append(feature)
        else:
            text = f"{text[: word.end()]} {_feature_marker(feature)}{text[word.end() :]}"
    aligned = " ".join(_collect_clauses(text, features))
    for feature in features:
        aligned = aligned.replace(_feature_marker(feature), MARKER)
    return AlignedCaption(
        text=aligned,
        parts=tuple(part for part in parts if region_of_part(part) not in missing),
        regions=None,
        missing=tuple(feature for feature in features if feature in missing),
    )


def _wanted(parts: Iterable[str], order: Order) -> tuple[str, ...]:
    """The regions of the parts, once each, in the order of the text."""
    present = {region_of_part(part) for part in parts}
    return tuple(region.name for region in _TEXT_ORDER[order] if region.name in present)


def _feature_marker(feature: str) -> str:
    return f"<|{feature}|>"


def _deduplicated(caption: str) -> str:
    """Words and stops joined by spaces; a feature's second and later words become empty (step 1)."""
    seen = set()
    words = []
    for word in _WORD_OR_STOP.findall(caption):
        feature = word.lower()
        if feature in _TRAINED_WORDS:
            # An empty word leaves two spaces behind, as in the original.
            word = "" if feature in seen else word
            seen.add(feature)
        words.append(word)
    return " ".join(words)


def _collect_clauses(text: str, features: Iterable[str]) -> list[str]:
    """Cut the clause around each feature's marker out of the text, in turn (steps 4 and 5).

    A marker that is not there is "found" at -1. If no clause ends behind the place where its
    marker would then stop, the last character of the text is taken for its clause.
    """
    clauses = []
    for feature in features:
        marker = _feature_marker(feature)
        start = text.find(marker)
        end = start + len(marker)
        while start > 0 and text[start - 1] not in _CLAUSE_ENDS:
            start -= 1
        while end < len(text) and text[end] not in _CLAUSE_ENDS:
            end += 1
        # A start of -1 counts from the end on purpose, here and in the cut.
        clause = text[start:end].strip()
        if clause:
            clauses.append(f"{clause},")
            text = text[:start] + text[end:]
    return clauses


# ---------------------------------------------------------------- pairing by name

# The host looks for an embedding's name behind spaces, too.
_EMBEDDING = r"embedding:\s*\S+"

# A word ends where its letters end; an accent written as a character of its own belongs to the letter.
_WORD_END = r"(?![\w\u0300-\u036f])"


def _word_outside_embeddings(words: Iterable[str]) -> re.Pattern[str]:
    """Matches embeddings and these words; a group ``word`` is set for a word."""
    return re.compile(rf"{_EMBEDDING}|\b(?P<word>(?i:{'|'.join(words)})){_WORD_END}")


#: By region: the trained word, then its other forms.
_WORDS = {
    region.name: [_word_outside_embeddings(words) for words in (region.words[:1], region.words[1:]) if words]
    for region in REGIONS
}

# Escaped characters come first, so that `\(` is no bracket.
_SYNTAX = re.compile(r"\\.|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<stop>[.,;!?]+|\n)", re.DOTALL)


def align_caption_by_name(caption: str, parts: Sequence[str]) -> AlignedCaption:
    """Mark the caption as it is written, each marker with the region it belongs to.

    Ignores case and number (``eye``, ``lips``), but prefers the word the weights were trained
    with; never looks inside ``embedding:name``. A region without a word is reported and changes
    nothing else. Marker words typed into the caption are removed.

    The text keeps the form of the training texts: clauses closed by commas, those that name a
    region in the order face, ears, eyes, nose, mouth. The original drops the other clauses; here
    they stay behind the one they follow. Brackets are never cut: clauses end at ``. , ; ! ?``
    before a space, or at a line end, outside brackets.
    """
    caption = strip_typed_markers(caption)
    wanted = _wanted(parts, "ears_first")
    ends = {region: end for region in wanted if (end := _find_word(caption, region)) is not None}

    clauses = [
        _Clause(
            text=caption[start:stop],
            marks=sorted((end - start, region) for region, end in ends.items() if start < end <= stop),
        )
        for start, stop in _clause_spans(caption)
    ]
    clauses = _in_trained_order(clauses, wanted)
    return AlignedCaption(
        text=" ".join(f"{clause.marked()}," for clause in clauses),
        parts=tuple(part for part in parts if region_of_part(part) in ends),
        regions=tuple(region for clause in clauses for _, region in clause.marks),
        missing=tuple(region for region in wanted if region not in ends),
    )


@dataclass(frozen=True)
class _Clause:
    """marks: (where the word ends in the text, its region), ascending."""

    text: str
    marks: list[tuple[int, str]]

    def marked(self) -> str:
        text = self.text
        for end, _ in reversed(self.marks):
            text = f"{text[:end]} {MARKER}{text[end:]}"
        return text


def _in_trained_order(clauses: list[_Clause], features: tuple[str, ...]) -> list[_Clause]:
    """Sort clauses by the first of the features they name; the others follow their predecessor."""
    ranked = []
    rank = -1  # What comes before the first feature stays first.
    for clause in clauses:
        if clause.marks:
            rank = min(features.index(region) for _, region in clause.marks)
        ranked.append((rank, clause))
    return [clause for _, clause in sorted(ranked, key=lambda item: item[0])]


def _find_word(caption: str, region: str) -> int | None:
    """Where the region's word ends in the caption, or None if no word names it."""
    for pattern in _WORDS[region]:
        for match in pattern.finditer(caption):
            if match["word"]:
                return match.end()
    return None


def _clause_spans(caption: str) -> list[tuple[int, int]]:
    """Start and end of each non-empty clause, without the stop that closes it.

    A caption whose brackets do not match is one clause, because moving its pieces would change
    what its brackets enclose.
    """
    cuts = [(0, 0)]
    depth = 0
    for match in _SYNTAX.finditer(caption):
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth -= 1
            if depth < 0:
                break
        elif match["stop"] and depth == 0 and _ends_clause(caption, match):
            cuts.append(match.span())
    if depth != 0:
        cuts = [(0, 0)]
    cuts.append((len(caption), len(caption)))
    spans = []
    for (_, start), (stop, _) in pairwise(cuts):
        clause = caption[start:stop]
        if clause.strip():
            spans.append((start + len(clause) - len(clause.lstrip()), start + len(clause.rstrip())))
    return spans


def _ends_clause(caption: str, stop: re.Match[str]) -> bool:
    """Whether a space, or nothing, follows a stop: otherwise it is inside a word or number, as in 1.5."""
    behind = caption[stop.end() : stop.end() + 1]
    return stop[0] == "\n" or not behind or behind.isspace()
