"""Photos that could not be used: a line each, with a reason, so that nobody has to guess and no run tries again."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from . import storage
from .rows import Row
from .sources import CHANGED, Refusal

FOLDER = "quarantine"


def put(root: Path, rows: Iterable[Row]) -> None:
    """Note the rows that have a reason; one file each, so that writers do not meet."""
    for row in rows:
        if row["reason"]:
            _write(root, row["content_id"], row["name"], row["reason"], row["detail"])


def put_refusals(root: Path, refusals: Iterable[Refusal]) -> None:
    """Note what was refused before it had a content hash; told again, and not twice, by the next run."""
    text = json.dumps([vars(refusal) for refusal in refusals], ensure_ascii=False, indent=1)
    storage.write(root / FOLDER / "not_taken.json", text.encode())


def held(root: Path) -> dict[str, dict[str, Any]]:
    """By content: name, reason and detail of the photos not to be tried again.

    A photo that changed while it was built is not among them: it has another content now.
    """
    entries = {}
    for path in (root / FOLDER).glob("*.json"):
        entry = _read(path)
        if isinstance(entry, dict) and entry.get("reason") != CHANGED:
            entries[path.stem] = entry
    return entries


def refusals(root: Path) -> Iterator[dict[str, Any]]:
    """Everything that is not part of the set: name, reason, detail."""
    for path in sorted((root / FOLDER).glob("*.json")):
        entry = _read(path)
        yield from entry if isinstance(entry, list) else [entry] if isinstance(entry, dict) else []


def clear(root: Path) -> None:
    """Forget all of it, so that the next run tries every photo again."""
    for path in (root / FOLDER).glob("*.json"):
        path.unlink()


def _write(root: Path, content_id: str, name: str, reason: str, detail: str) -> None:
    text = json.dumps({"name": name, "reason": reason, "detail": detail}, ensure_ascii=False)
    storage.write(root / FOLDER / f"{content_id}.json", text.encode())


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
