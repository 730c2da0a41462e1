"""What training would use of a set, ours or the original's: counted, and every fault named.

A fault is something training would stumble over or read as nothing without a word.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import ConsistentIDError
from ..faces.face_parts import find_parts
from ..regions import CLASSES, region_of_part
from ..text.caption import align_caption
from ..text.tokens import CONTEXT_LENGTH, mark_tokens, plain_characters
from ..text.training_text import MAX_ALIGNED_LENGTH, training_text, training_tokens
from .folder_store import load_portrait, record_files
from .portrait import Portrait
from .reading import open_portraits
from .records import JSON, Record, read_record

Tokenizer = Callable[[str], list[int]]

#: Faults, as they are counted.
MISSING_KEYS = "record without a needed key"
UNREADABLE = "record that cannot be read"
WRONG_PATH = "file that is not there"
DAMAGED = "file that cannot be read"
WRONG_LABELS = "label map with values that are no classes"
WRONG_SHAPE = "label map of another shape than the picture"
NO_VECTOR = "no face vector: training takes zeros"
NO_CAPTION = "no caption of the face"
NO_PARTS = "no facial part found"
TOO_LONG = f"face caption over {MAX_ALIGNED_LENGTH} characters with markers: training leaves it out"
NO_WORDS = "no word of the text carries a part"
CUT = "facial words beyond the 77 tokens"

#: These do not stop training, but it learns less from the portrait.
WEAK = (NO_VECTOR, TOO_LONG, NO_WORDS, CUT, WRONG_SHAPE)

_NEEDED = {"origin": "origin_IMG", "label_map": "parsing_mask_IMG"}


@dataclass
class Findings:
    """portraits: looked at.  usable: those training can read.  faults: by kind, with the first few names.

    parts: found, by region.  carried: how many words of a text carry a part -> how many portraits.
    counted_tokens: whether there was a tokenizer; without one the limits of 77 tokens were not checked.
    """

    portraits: int = 0
    usable: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    carried: Counter[int] = field(default_factory=Counter)
    counted_tokens: bool = False

    @property
    def exit_code(self) -> int:
        """0: all is well. 1: training would lose portraits or read less of them. 2: nothing to train on."""
        if not self.usable:
            return 2
        return 1 if self.counts else 0

    def add(self, kind: str, name: str) -> None:
        """Count a fault; the first names of a kind are kept."""
        self.counts[kind] += 1
        names = self.faults.setdefault(kind, [])
        if len(names) < 5:
            names.append(name)


def check_set(
    root: Path, *, tokenize: Tokenizer | None = None, each: Callable[[], None] = lambda: None
) -> Findings:
    """Look at every portrait of a set.

    tokenize: a piece of text -> CLIP-L ids without start and end.  each: called after every portrait.
    Raises MissingModelError if there is no set, CheckpointError if the index of its shards is damaged.
    """
    findings = Findings(counted_tokens=tokenize is not None)
    for name, portrait in _portraits(root, findings):
        findings.portraits += 1
        if portrait is not None:
            _check(name, portrait, findings, tokenize)
        each()
    return findings


def describe(findings: Findings) -> str:
    """The findings as lines of text."""
    lines = [f"{findings.portraits:,} portraits, {findings.usable:,} of them usable for training"]
    if findings.usable:
        parts = ", ".join(f"{name} {count:,}" for name, count in findings.parts.most_common())
        lines.append(f"parts found: {parts or 'none'}")
        carried = ", ".join(f"{words}: {count:,}" for words, count in sorted(findings.carried.items()))
        lines.append(f"words that carry a part, per portrait: {carried}")
    if not findings.counted_tokens:
        lines.append(
            f"The {CONTEXT_LENGTH} tokens of a text were not counted: --tokenizer names a folder with CLIP's tokenizer "
            "such as comfy/sd1_tokenizer of ComfyUI."
        )
    for kind, count in findings.counts.most_common():
        weight = "weaker" if kind in WEAK else "lost"
        names = ", ".join(findings.faults[kind])
        more = (
            f" and {count - len(findings.faults[kind]):,} more" if count > len(findings.faults[kind]) else ""
        )
        lines.append(f"{weight}: {kind} ({count:,}): {names}{more}")
    return "\n".join(lines)


def _portraits(root: Path, findings: Findings) -> Iterator[tuple[str, Portrait | None]]:
    """Every portrait with its name; None where something of it is missing, which is noted."""
    if not (root / JSON).is_dir():
        portraits = open_portraits(root)
        for index in range(len(portraits)):
            try:
                portrait = portraits[index]
            except (ConsistentIDError, OSError, ValueError, KeyError) as error:
                findings.add(DAMAGED, f"portrait {index}: {error}")
                yield str(index), None
                continue
            yield portrait.key, portrait
        return
    for path in record_files(root):
        name = path.relative_to(root / JSON).as_posix()
        try:
            record = read_record(path)
        except (ConsistentIDError, OSError):
            findings.add(UNREADABLE, name)
            yield name, None
            continue
        yield name, _load(record, root, name, findings)


def _load(record: Record, root: Path, name: str, findings: Findings) -> Portrait | None:
    missing = [key for kind, key in _NEEDED.items() if not getattr(record, kind)]
    if missing:
        findings.add(MISSING_KEYS, f"{name} ({', '.join(missing)})")
        return None
    try:
        for kind in ("origin", "label_map", "id_original", "id_resized"):
            if getattr(record, kind) and not record.path(kind, root).is_file():
                findings.add(WRONG_PATH, f"{name} ({record.path(kind, root).relative_to(root)})")
                return None
        return load_portrait(record, root)
    except (ConsistentIDError, OSError, ValueError, SyntaxError) as error:
        findings.add(DAMAGED, f"{name} ({str(error)[:120]})")
        return None


def _check(name: str, portrait: Portrait, findings: Findings, tokenize: Tokenizer | None) -> None:
    if portrait.label_map.ndim != 2 or portrait.label_map.max(initial=0) >= len(CLASSES):
        findings.add(WRONG_LABELS, f"{name} (up to {int(np.max(portrait.label_map))})")
        return
    parts = tuple(part.name for part in find_parts(portrait.label_map))
    for is_so, kind in ((not parts, NO_PARTS), (not portrait.face_caption, NO_CAPTION)):
        if is_so:
            findings.add(kind, name)
            return
    findings.usable += 1
    findings.parts.update(region_of_part(part) for part in parts)
    if not portrait.has_face:
        findings.add(NO_VECTOR, name)
    aligned = align_caption(portrait.face_caption, parts)
    if len(aligned.text) > MAX_ALIGNED_LENGTH:
        findings.add(TOO_LONG, f"{name} ({len(aligned.text)})")
    words = _carried(portrait, parts, findings, tokenize, name)
    findings.carried[words] += 1
    if words == 0:
        findings.add(NO_WORDS, name)


def _carried(
    portrait: Portrait, parts: tuple[str, ...], findings: Findings, tokenize: Tokenizer | None, name: str
) -> int:
    """How many words of the training text carry a part."""
    if tokenize is None:
        aligned = align_caption(portrait.face_caption, parts)
        return 0 if len(aligned.text) > MAX_ALIGNED_LENGTH else len(aligned.parts)
    text = training_text(
        portrait.general_caption,
        portrait.face_caption,
        parts,
        count_tokens=lambda text: mark_tokens(text, lambda piece: tokenize(plain_characters(piece))).length,
    )
    carried = sum(training_tokens(text.text, tokenize).valid)
    if carried < len(text.parts) and text.text != portrait.general_caption:
        findings.add(CUT, name)
    return carried
