"""Prompt lists: ours and a user's."""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import EvaluationError
from ..files.quoting import quoted

#: In a prompt, where what the person is called goes.
PERSON = "{person}"
#: PhotoMaker's trigger word. The list released with the paper has it in 195 of 675 rows; no other model knows it.
TRIGGER = "img"
#: Category of prompts without one.
NO_CATEGORY = "prompts"

_TRIGGER = re.compile(rf"\b{TRIGGER}\b", re.IGNORECASE)
_MOST = 10_000


@dataclass(frozen=True)
class Prompt:
    """name: unique in its list, fit for a file name.  text: with ``{person}`` where the person is named."""

    name: str
    text: str
    category: str = NO_CATEGORY

    def about(self, word: str) -> str:
        """The text, naming somebody."""
        return self.text.replace(PERSON, word)


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of a file.

    ``.txt``: one a line, a line ``# action`` begins a category. ``.json``: texts, or objects with prompt and
    category, or an object category -> texts. ``.csv``: columns prompt and, if wanted, category.
    The trigger word of another model is taken out. Raises EvaluationError for a file that holds none.
    """
    readers = {".txt": _from_text, ".json": _from_json, ".csv": _from_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise EvaluationError(
            f"'{path.name}' is no list of prompts by its name. Expected .txt, .json or .csv."
        )
    try:
        rows = list(reader(path.read_text("utf-8-sig")))
    except OSError as error:
        raise EvaluationError(
            f"'{path}' cannot be read: {error.strerror}. Name a list of prompts."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"'{path.name}' is no list of prompts: {quoted(error)}. Expected texts, or rows with prompt and category."
        ) from error
    return named(rows, path.name)


def named(rows: Iterable[tuple[str, str]], source: str) -> list[Prompt]:
    """Prompts of (text, category), cleaned, counted within their category."""
    prompts: list[Prompt] = []
    counts: dict[str, int] = {}
    for text, category in rows:
        clean = without_trigger(text)
        if not clean:
            continue
        counts[category] = counts.get(category, 0) + 1
        stem = re.sub(r"\W+", "_", category).strip("_").lower() or NO_CATEGORY
        prompts.append(Prompt(f"{stem}_{counts[category]:02}", clean, category))
    if not 0 < len(prompts) <= _MOST:
        raise EvaluationError(
            f"'{source}' holds {len(prompts):,} prompts. Expected are 1 to {_MOST:,} texts, one a row."
        )
    if len({prompt.name for prompt in prompts}) < len(prompts):
        raise EvaluationError(f"'{source}' has categories that differ in signs only. Give them other names.")
    return prompts


def without_trigger(text: str) -> str:
    """The text without the trigger word of another model, and with single spaces."""
    return re.sub(r"\s+([,.])", r"\1", " ".join(_TRIGGER.sub(" ", text).split()))


def count_categories(prompts: Sequence[Prompt]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for prompt in prompts:
        counts[prompt.category] = counts.get(prompt.category, 0) + 1
    return counts


def _from_text(text: str) -> Iterable[tuple[str, str]]:
    category = NO_CATEGORY
    for line in text.splitlines():
        if line.startswith("#"):
            category = line.lstrip("# ").strip() or NO_CATEGORY
        elif line.strip():
            yield line, category


def _from_json(text: str) -> Iterable[tuple[str, str]]:
    content: Any = json.loads(text)
    if isinstance(content, dict):
        return [(_text(one), str(category)) for category, several in content.items() for one in several]
    return [
        (_text(row["prompt"]), str(row.get("category") or NO_CATEGORY))
        if isinstance(row, dict)
        else (_text(row), NO_CATEGORY)
        for row in content
    ]


def _from_csv(text: str) -> Iterable[tuple[str, str]]:
    for row in csv.DictReader(io.StringIO(text)):
        yield row["prompt"] or "", row.get("category") or NO_CATEGORY


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a prompt is {type(value).__name__}")
    return value
