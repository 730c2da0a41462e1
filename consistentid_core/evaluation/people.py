"""The people of an evaluation: a folder of photos for each."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.sources import EXTENSIONS, Refusal, UnusableError, content_id, open_photo
from ..errors import EvaluationError
from ..files.quoting import quoted

#: In a person's folder: what is known besides the photos.
ABOUT = "person.json"
#: A photo of this name is the reference; else it is the first by name.
REFERENCE = "reference"
#: What a prompt calls somebody of whom nothing is known.
ANYBODY = "a person"
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


@dataclass(frozen=True)
class Person:
    """Somebody to be drawn.

    name: of the folder.  reference: the photo the model sees.  others: photos it never sees, to judge by.
    word: what a prompt calls them (a man, a woman, a person).  content: names the reference's content.
    """

    name: str
    reference: Path
    others: tuple[Path, ...] = ()
    word: str = ANYBODY
    content: str = ""


def find_people(folder: Path) -> tuple[list[Person], list[Refusal]]:
    """The people of a folder, by name, and what in it cannot be used.

    Every photo is opened once: one that is broken is refused here and not at the end of a run.
    Raises EvaluationError if there is no such folder or nobody in it.
    """
    if not folder.is_dir():
        raise EvaluationError(
            f"'{folder}' is no folder. Expected is a folder with a folder of photos for each person."
        )
    people, refused = [], []
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir() or entry.name.startswith("."):
            continue
        photos = []
        for path in _pictures(entry):
            try:
                open_photo(path.read_bytes())
                photos.append(path)
            except (UnusableError, OSError) as error:
                refused.append(Refusal(f"{entry.name}/{path.name}", "photo cannot be used", str(error)))
        if photos:
            people.append(_person(entry, photos))
        else:
            refused.append(Refusal(entry.name, "no usable photo", "nobody is drawn from this folder"))
    if not people:
        why = "".join(f"\n  {one.name}: {one.reason} ({one.detail})" for one in refused[:10])
        raise EvaluationError(
            f"Nobody is in '{folder}'. Expected is a folder of photos for each person; the first photo by name, or "
            f"one called {REFERENCE}, is the one the model sees.{why}"
        )
    return people, refused


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    )


def _person(folder: Path, photos: Sequence[Path]) -> Person:
    reference = next((photo for photo in photos if photo.stem.lower() == REFERENCE), photos[0])
    others = tuple(photo for photo in photos if photo != reference)
    return Person(folder.name, reference, others, _word(folder), content_id(reference.read_bytes()))


def _word(folder: Path) -> str:
    path = folder / ABOUT
    if not path.is_file():
        return ANYBODY
    try:
        word = json.loads(path.read_text("utf-8")).get("word", ANYBODY)
    except (ValueError, AttributeError) as error:
        raise EvaluationError(
            f'\'{path}\' is no JSON object such as {{"word": "a woman"}}: {quoted(error)}. Mend or delete it.'
        ) from error
    if not isinstance(word, str) or not word.strip():
        raise EvaluationError(f"'{path}': word is {quoted(word)}, expected a text such as a woman. Mend it.")
    word = word.strip()
    if not word.strip(".") or _NOT_IN_NAMES.search(word):  # a folder of pictures is called so
        raise EvaluationError(
            f"'{path}': word is {quoted(word)}, which is no name for a folder. Leave out signs such as / and :."
        )
    return word
