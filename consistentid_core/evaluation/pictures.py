"""The pictures to score, wherever they come from: a run, MultiID-Bench's folders, or a folder with a table."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.sources import EXTENSIONS, Refusal
from ..errors import EvaluationError
from ..files.quoting import quoted
from .plan import FILE as PLAN_FILE
from .plan import OF_A_PERSON, Plan, read_plan
from .prompts import NO_CATEGORY
from .run import picture_of, record_of

#: In a folder of pictures, unless another is named.
TABLES = ("table.csv", "table.json")
#: MultiID-Bench: a folder for each case.
_DRAWN, _TARGET, _ABOUT, _REFERENCE = "out", "ori", "meta.json", "ref_"
#: Between several values in one field of a CSV file.
_SEVERAL = ";"


@dataclass(frozen=True)
class Subject:
    """Whom a picture is to show.  others: photos that the model did not see."""

    name: str
    reference: Path
    others: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Item:
    """One picture.

    name: unique.  prompt: as the user wrote it; empty if unknown.
    plain: the same without anybody; None if there is none.
    seconds, phase: how long it took and under which condition; 0 and empty if unknown.
    """

    name: str
    picture: Path
    subjects: tuple[Subject, ...]
    prompt: str = ""
    category: str = NO_CATEGORY
    plain: Path | None = None
    seconds: float = 0.0
    phase: str = ""
    seed: int | None = None


@dataclass
class Collection:
    """name: of the whole.  settings: how it was made, to be printed.  problems: what could not be taken."""

    name: str
    items: list[Item]
    settings: dict[str, Any] = field(default_factory=dict)
    problems: list[Refusal] = field(default_factory=list)


def collect(folder: Path, table: Path | None = None) -> Collection:
    """The pictures of a folder.

    table: CSV or JSON with a row for each picture; else the folder is a run, MultiID-Bench's, or has a table in it.
    Raises EvaluationError if it is none of these or has no picture that can be scored.
    """
    if not folder.is_dir():
        raise EvaluationError(f"'{folder}' is no folder. Name a run, or a folder of pictures.")
    table = table or next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is not None:
        found = _from_table(folder, table)
    elif (folder / PLAN_FILE).is_file():
        found = _from_run(folder, read_plan(folder))
    elif cases := sorted(path.parent for path in folder.glob(f"*/{_DRAWN}.*") if _is_picture(path)):
        found = _from_cases(folder, cases)
    else:
        raise EvaluationError(
            f"'{folder}' is neither a run ({PLAN_FILE}) nor MultiID-Bench's layout (<case>/{_DRAWN}.jpg), and has no "
            f"{' or '.join(TABLES)}. Write a table with the columns picture and reference, or name one with --table."
        )
    if not found.items:
        why = "".join(f"\n  {one.name}: {one.reason} ({one.detail})" for one in found.problems[:10])
        raise EvaluationError(f"'{folder}' has no picture that can be scored.{why}")
    return found


# ---------------------------------------------------------------- a run


def _from_run(folder: Path, plan: Plan) -> Collection:
    people = {person.name: Subject(person.name, person.reference, person.others) for person in plan.people}
    words = {person.name: person.word for person in plan.people}
    notes = {job: record_of(folder, plan, job) for job in plan.jobs}
    plain = {
        (job.prompt, job.number, job.name.split("/")[1]): picture_of(folder, job)
        for job, note in notes.items()
        if note is not None and job.kind != OF_A_PERSON
    }
    items, missing = [], []
    for job, note in notes.items():
        if note is None:
            missing.append(Refusal(job.name, "not drawn", "run goes on with it"))
        elif job.kind == OF_A_PERSON:
            items.append(
                Item(
                    job.name,
                    picture_of(folder, job),
                    (people[job.person],),
                    job.text,
                    job.category,
                    plain.get((job.prompt, job.number, words[job.person])),
                    float(note.get("seconds", 0.0)),
                    str(note.get("phase", "")),
                    job.seed,
                )
            )
    drawn = [note for note in notes.values() if note is not None]
    settings = {
        "protocol": plan.title,
        **plan.settings,
        "seed": plan.seed,
        "people": len(plan.people),
        "prompts": len({job.prompt for job in plan.jobs}),
        "device": ", ".join(sorted({note.get("device", "") for note in drawn} - {""})),
        "ComfyUI": ", ".join(sorted({note.get("comfyui", "") for note in drawn} - {""})),
        "models": ", ".join(_models(plan)),
        **({"notes": " ".join(plan.notes)} if plan.notes else {}),
    }
    return Collection(folder.resolve().name, items, settings, missing)


def _models(plan: Plan) -> list[str]:
    """The files that the workflow names."""
    named = (
        value
        for node in plan.workflow.values()
        for name, value in node["inputs"].items()
        if name.endswith("_name") and isinstance(value, str) and "." in value
    )
    return list(dict.fromkeys(named))


# ---------------------------------------------------------------- MultiID-Bench


def _from_cases(folder: Path, cases: Sequence[Path]) -> Collection:
    items, problems = [], []
    for case in cases:
        references = sorted(
            path for path in case.iterdir() if path.stem.startswith(_REFERENCE) and _is_picture(path)
        )
        if not references:
            problems.append(Refusal(case.name, "no reference", f"expected {_REFERENCE}1.jpg and so on"))
            continue
        about, fault = _about(case)
        if fault is not None:
            problems.append(fault)
        target = _one_of(case, _TARGET)
        # All people are in the target; which face there is whose, the recogniser says.
        others = () if target is None else (target,)
        subjects = tuple(Subject(f"{case.name}/{path.stem}", path, others) for path in references)
        drawn = _one_of(case, _DRAWN)
        assert drawn is not None
        category = f"{len(references)} {'person' if len(references) == 1 else 'people'}"
        items.append(Item(case.name, drawn, subjects, str(about.get("prompt", "")), category))
    without = sum(
        1
        for path in folder.iterdir()
        if path.is_dir() and path not in cases and any(path.glob(f"{_REFERENCE}*"))
    )
    if without:
        problems.append(Refusal(f"{without} cases", "no picture", f"expected {_DRAWN}.jpg in each"))
    return Collection(
        folder.resolve().name, items, {"layout": "MultiID-Bench", "cases": len(items)}, problems
    )


def _about(case: Path) -> tuple[Mapping[str, Any], Refusal | None]:
    try:
        content = json.loads((case / _ABOUT).read_text("utf-8"))
        if not isinstance(content, dict) or not isinstance(content.get("prompt"), str):
            raise ValueError("it has no text under the key prompt")
        return content, None
    except (OSError, ValueError) as error:
        return {}, Refusal(
            f"{case.name}/{_ABOUT}", "no prompt", f"{quoted(error)}; CLIP-T leaves this picture out"
        )


def _one_of(folder: Path, stem: str) -> Path | None:
    return next((path for path in sorted(folder.glob(f"{stem}.*")) if _is_picture(path)), None)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS


# ---------------------------------------------------------------- a table


def _from_table(folder: Path, table: Path) -> Collection:
    rows = _rows(table)
    items, problems = [], []
    names: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        try:
            item = _item(row, table.parent)
        except (KeyError, ValueError) as error:
            problems.append(Refusal(f"{table.name}, row {number}", "cannot be used", str(error).strip('"')))
            continue
        count = names[item.name] = names.get(item.name, 0) + 1
        if count > 1:
            problems.append(Refusal(item.name, "named twice", f"row {number} of {table.name} is left out"))
            continue
        items.append(item)
    return Collection(folder.resolve().name, items, {"table": table.name}, problems)


def _rows(table: Path) -> list[Mapping[str, Any]]:
    try:
        text = table.read_text("utf-8-sig")
        if table.suffix.lower() == ".csv":
            return list(csv.DictReader(io.StringIO(text)))
        content = json.loads(text)
        rows = content["pictures"] if isinstance(content, dict) else content
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("expected a list of objects")
        return rows
    except OSError as error:
        raise EvaluationError(
            f"'{table}' cannot be read: {error.strerror}. Name a table that is there."
        ) from error
    except (ValueError, KeyError, csv.Error) as error:
        raise EvaluationError(
            f"'{table.name}' is no table of pictures: {quoted(error)}. Expected is CSV with the columns picture and "
            "reference, or JSON with a list of objects that have these keys."
        ) from error


def _item(row: Mapping[str, Any], folder: Path) -> Item:
    """The picture of a row. Raises ValueError, in words, for what is missing."""
    picture, references = _text(row, "picture"), _several(row, "reference")
    if not picture or not references:
        missing = "picture" if not picture else "reference"
        raise ValueError(f"it has no {missing}; each row needs the columns picture and reference")
    people = _several(row, "person") or [Path(one).stem for one in references]
    if len(people) != len(references):
        raise ValueError(f"it names {len(people)} people and {len(references)} references")
    others = tuple(folder / one for one in _several(row, "others"))
    subjects = tuple(
        Subject(person, folder / reference, others)
        for person, reference in zip(people, references, strict=True)
    )
    plain = _text(row, "plain")
    seconds = row.get("seconds") or 0
    try:
        seconds = float(seconds)
    except (TypeError, ValueError):
        raise ValueError(f"seconds is {quoted(seconds)}, expected a number") from None
    return Item(
        picture,
        folder / picture,
        subjects,
        _text(row, "prompt"),
        _text(row, "category") or NO_CATEGORY,
        folder / plain if plain else None,
        seconds,
        _text(row, "phase"),
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is {type(value).__name__}, expected a text")
    return value.strip()


def _several(row: Mapping[str, Any], key: str) -> list[str]:
    value = row.get(key)
    if isinstance(value, list):
        return [str(one) for one in value]
    return [one.strip() for one in _text(row, key).split(_SEVERAL) if one.strip()]
