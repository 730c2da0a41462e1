"""Building a set in one process, and what every engine has in common: what is left to do, and where it goes.

A portrait is done when its record (folders) or its shard (shards) is whole; a photo that cannot be used is
done when its reason is noted. Both are read at the start, so a run that ended anywhere goes on from there.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from . import quarantine, storage
from .folder_store import FolderStore
from .progress import Progress
from .records import JSON
from .rows import Row, first_row
from .shard_store import FOLDER as SHARDS
from .shard_store import ShardStore
from .sources import DUPLICATE, Refusal, Source, find_sources, hash_sources
from .steps import STEPS, Settings, Step, guarded

#: Hashes of the photos, so that a second start reads none of them again.
MANIFEST = "sources.json"
#: The list is kept this often while it grows.
_KEEP_EVERY = 2000
#: What a portrait takes beside a copy of its photo: square copy, label map, overlay, vectors.
_BYTES_PER_PORTRAIT = 900_000

SHARD_ROWS = 256


class Store(Protocol):
    """Where portraits go."""

    kind: str
    root: Path

    def done(self) -> Iterable[str]: ...

    def store(self, rows: list[Row]) -> None: ...

    def finish(self) -> int: ...


@dataclass
class Plan:
    """What a run has to do. pending: a row for each photo.  done, held: how many of an earlier run."""

    pending: list[Row] = field(default_factory=list)
    done: int = 0
    held: int = 0
    refused: list[Refusal] = field(default_factory=list)


def open_store(root: Path, form: str) -> FolderStore | ShardStore:
    """The store for a form, ``folder`` or ``shards``.

    Raises ValueError for another form, or if the folder holds a set of the other one.
    """
    if form not in (FolderStore.kind, ShardStore.kind):
        raise ValueError(f"form is '{form}'. Expected {FolderStore.kind} or {ShardStore.kind}.")
    is_folder = form == FolderStore.kind
    if (root / (SHARDS if is_folder else JSON)).is_dir():
        other = ShardStore.kind if is_folder else FolderStore.kind
        raise ValueError(
            f"'{root}' holds a set in the form '{other}', and '{form}' was asked for. Give --form {other} to go on "
            "with it, or another folder."
        )
    return FolderStore(root) if is_folder else ShardStore(root)


def plan(
    folder: Path, store: Store, *, retry: bool = False, progress: Callable[[int], Progress] | None = None
) -> Plan:
    """List the photos, tell them apart by content, and leave out what is done.

    retry: try the photos again that were put aside.
    Raises ValueError if the folder is none, or lies inside the set, or the set inside it.
    """
    _check_folders(folder, store.root)
    storage.clear_unfinished(store.root)
    if retry:
        quarantine.clear(store.root)
    sources, refused = find_sources(folder)
    ids = _hashed(sources, store.root, refused, progress)
    done, held = set(store.done()), quarantine.held(store.root)
    result = Plan(refused=refused)
    first: dict[str, str] = {}
    for source in sources:
        content = ids.get(source.name)
        if content is None:
            continue
        if content in first:
            refused.append(Refusal(source.name, DUPLICATE, first[content]))
            continue
        first[content] = source.name
        if content in done:
            result.done += 1
        elif content in held:
            result.held += 1
        else:
            result.pending.append(first_row(content, source.path, source.name, source.size, source.time))
    quarantine.put_refusals(store.root, refused)
    _check_space(store.root, result.pending)
    return result


def build_here(
    pending: Iterable[Row], store: Store, settings: Settings, progress: Progress, *, rows_at_once: int = 1
) -> None:
    """Run the steps in this process, and store so many portraits at once.

    A run that is ended has lost at most the portraits not yet stored.
    """
    steps = make_steps(settings)
    rows = iter(pending)
    while some := list(islice(rows, rows_at_once)):
        finish_rows([run_steps(steps, row) for row in some], store, progress)


def make_steps(settings: Settings) -> list[Step]:
    """All steps with their networks loaded."""
    return [guarded(make(settings)) for make in STEPS.values()]


def run_steps(steps: Iterable[Step], row: Row) -> Row:
    """A row through all steps."""
    for step in steps:
        row = step(row)
    return row


def finish_rows(rows: list[Row], store: Store, progress: Progress | None = None) -> None:
    """Store what is good, note what is not."""
    store.store(rows)
    quarantine.put(store.root, rows)
    if progress is not None:
        refused = sum(bool(row["reason"]) for row in rows)
        progress.step(len(rows) - refused, refused)


def _check_folders(folder: Path, root: Path) -> None:
    if not folder.is_dir():
        raise ValueError(
            f"'{folder}' is no folder. Give the folder with the photos first, then that of the set."
        )
    inside, outside = root.resolve(), folder.resolve()
    if inside == outside or outside in inside.parents or inside in outside.parents:
        raise ValueError(
            f"The photos ('{folder}') and the set ('{root}') lie inside each other. Give the set a folder of its own."
        )


def _check_space(root: Path, pending: list[Row]) -> None:
    needed = sum(row["size"] for row in pending) + _BYTES_PER_PORTRAIT * len(pending)
    existing = next(path for path in (root, *root.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise storage.StorageError(
            f"The set needs about {needed / 1e9:.1f} GB more for {len(pending):,} portraits; {free / 1e9:.1f} GB are "
            f"free at '{existing}'. Make room, or put the set elsewhere."
        )


def _hashed(
    sources: list[Source],
    root: Path,
    refused: list[Refusal],
    progress: Callable[[int], Progress] | None,
) -> dict[str, str]:
    """The content hash of each photo by name; those of an unchanged file are taken from the last run."""
    known = _read_manifest(root)
    ids = {
        source.name: entry[2]
        for source in sources
        if (entry := known.get(source.name)) and entry[:2] == [source.size, source.time]
    }
    unknown = [source for source in sources if source.name not in ids]
    shown = progress(len(unknown)) if progress is not None and unknown else None
    for number, (source, content) in enumerate(hash_sources(unknown), 1):
        if isinstance(content, Refusal):
            refused.append(content)
        else:
            ids[source.name] = content
        if shown is not None:
            shown.step()
        if number % _KEEP_EVERY == 0:
            _write_manifest(root, sources, ids)
    _write_manifest(root, sources, ids)
    return ids


def _read_manifest(root: Path) -> dict[str, list]:
    try:
        content = json.loads((root / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_manifest(root: Path, sources: list[Source], ids: dict[str, str]) -> None:
    entries = {
        source.name: [source.size, source.time, ids[source.name]] for source in sources if source.name in ids
    }
    storage.write(root / MANIFEST, json.dumps(entries, ensure_ascii=False).encode())
