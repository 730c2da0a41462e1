"""Saved states of a run: the weights as a released file, and what it takes to go on exactly.

A state is a folder ``step-00001000`` that appears under its name when everything in it is on the disk, was
read back and was found equal to what was meant. Whatever goes wrong before leaves the older states alone.
The weights are written by our own groups and names: adapters never live inside the UNet, so no tensor is there twice.
"""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError, ConsistentIDError
from ..families import Family
from ..files.atomic import whole_folder
from ..files.weights_file import read_weights
from .config import PATHS
from .modules import Groups

logger = logging.getLogger(__name__)

WEIGHTS, AVERAGE = "consistentid", "consistentid_ema"
_OPTIMIZER, _STATE = "optimizer.safetensors", "state.json"
_FOLDER = re.compile(r"step-(\d{8,})")

#: Windows neither moves nor deletes a file that is mapped into memory.
_CAN_MAP = os.name != "nt"

#: What the released files call the ID projection (SPEC 1.1).
_PROJECTIONS: dict[Family, str] = {"sd15": "image_proj", "sdxl": "image_proj_model"}


class SaveError(ConsistentIDError):
    """A state could not be saved; the states saved before are as they were."""


@dataclass(frozen=True, eq=False)
class RunState:
    """Everything a run goes on from.

    step: steps done.  groups: the weights.  average: those of the moving average, None without one.
    optimizer: "<parameter>/<name>" -> tensor.  counters: numbers that go on counting.
    settings: of the run that saved it.
    """

    step: int
    groups: Groups
    average: Groups | None
    optimizer: dict[str, Tensor]
    counters: dict[str, float]
    settings: dict[str, Any]


def save_state(
    run: Path,
    state: RunState,
    *,
    family: Family,
    keep: int,
    file_format: str = "safetensors",
) -> Path:
    """Write a state and delete the oldest beyond ``keep``; returns its folder.

    run: folder of the states.  Raises SaveError if the disk is full or what was written reads differently.
    """
    # The same step is there already after going back to an older state: it is replaced.
    final = _save(run, f"step-{state.step:08d}", state, family, file_format)
    for _, old in saved_states(run)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def save_best(run: Path, state: RunState, *, family: Family, file_format: str = "safetensors") -> Path:
    """Write a state as the best so far, in place of the best before; returns its folder, ``best-00001000``.

    The one before goes when this one is whole.  Raises SaveError like :func:`save_state`.
    """
    final = _save(run, f"best-{state.step:08d}", state, family, file_format)
    for old in run.glob("best-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    return final


def _save(run: Path, name: str, state: RunState, family: Family, file_format: str) -> Path:
    final = run / name
    try:
        run.mkdir(parents=True, exist_ok=True)
        _require_space(run, state)
        with whole_folder(final) as unfinished:
            _write_all(unfinished, state, family, file_format)
    except OSError as error:
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise SaveError(
            f"Step {state.step} could not be saved to '{final}': {reason}. States saved before are untouched; make "
            "room or choose another output folder, and start the same run again to go on from the last of them."
        ) from error
    return final


def saved_states(run: Path) -> list[tuple[int, Path]]:
    """Steps and folders of the complete states in a folder, ascending."""
    if not run.is_dir():
        return []
    found = ((_FOLDER.fullmatch(folder.name), folder) for folder in run.iterdir() if folder.is_dir())
    return sorted((int(match[1]), folder) for match, folder in found if match)


def latest_state(run: Path) -> RunState | None:
    """The newest state that is undamaged, or None if there is none; damaged ones are named in the log."""
    for _, folder in reversed(saved_states(run)):
        try:
            return load_state(folder)
        except CheckpointError as error:
            logger.warning("%s Going on from the state before it.", error)
    return None


def load_state(folder: Path) -> RunState:
    """Read a state; raises CheckpointError if a file of it is missing or is not as it was written."""
    try:
        notes = json.loads((folder / _STATE).read_text("utf-8"))
        files = {name: (folder / name, digest) for name, digest in notes["files"].items()}
        changed = [name for name, (path, digest) in files.items() if _digest(path) != digest]
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"The saved state '{folder}' is incomplete ({error}).") from error
    if changed:
        raise CheckpointError(
            f"The saved state '{folder}' is damaged: {', '.join(changed)} changed after it was written."
        )
    by_stem = {path.stem: path for path, _ in files.values()}
    return RunState(
        step=notes["step"],
        groups=read_groups(by_stem[WEIGHTS]),
        average=read_groups(by_stem[AVERAGE]) if AVERAGE in by_stem else None,
        optimizer=read_weights(folder / _OPTIMIZER, mapped=_CAN_MAP),
        counters=notes["counters"],
        settings=notes["settings"],
    )


def write_groups(path: Path, groups: Groups, family: Family, notes: Mapping[str, str]) -> None:
    """Write weights as a released file: nested for ``.bin``, with prefixes for ``.safetensors``.

    notes: metadata of a ``.safetensors`` file.
    Raises SaveError if the file does not hold what was written.
    """
    named = {_PROJECTIONS[family] if name == "image_proj" else name: group for name, group in groups.items()}
    if path.suffix == ".bin":
        torch.save(
            {name: {k: t.cpu().clone() for k, t in group.items()} for name, group in named.items()}, path
        )
    else:
        flat = {
            f"{name}.{key}": t.cpu().contiguous() for name, group in named.items() for key, t in group.items()
        }
        save_file(flat, path, metadata=dict(notes))
    found = read_groups(path)
    wrong = [
        f"{name}.{key}"
        for name, group in groups.items()
        for key, tensor in group.items()
        if key not in found.get(name, {}) or not torch.equal(found[name][key], tensor.cpu())
    ]
    _require_equal(path, wrong)


def read_groups(path: Path) -> Groups:
    """The groups of a file from :func:`write_groups`, the ID projection as ``image_proj``."""
    groups: Groups = {}
    for key, value in read_weights(path, mapped=_CAN_MAP).items():
        pairs = value.items() if isinstance(value, Mapping) else [(key.split(".", 1)[1], value)]
        name = key.split(".", 1)[0]
        groups.setdefault("image_proj" if name in _PROJECTIONS.values() else name, {}).update(pairs)
    return groups


def _write_all(folder: Path, state: RunState, family: Family, file_format: str) -> None:
    # These files are passed on, and folders tell of who trained.
    settings = {
        name: Path(value).name if name in PATHS and value else value for name, value in state.settings.items()
    }
    notes = {
        "step": str(state.step),
        "family": family,
        "settings": json.dumps(settings, ensure_ascii=False),
    }
    write_groups(folder / f"{WEIGHTS}.{file_format}", state.groups, family, notes)
    if state.average is not None:
        write_groups(folder / f"{AVERAGE}.{file_format}", state.average, family, {**notes, "average": "ema"})
    optimizer = {name: tensor.cpu().contiguous() for name, tensor in state.optimizer.items()}
    save_file(optimizer, folder / _OPTIMIZER)
    found = read_weights(folder / _OPTIMIZER, mapped=_CAN_MAP)
    _require_equal(
        folder / _OPTIMIZER,
        [name for name, one in optimizer.items() if name not in found or not torch.equal(found[name], one)],
    )
    text = {
        "step": state.step,
        "counters": state.counters,
        "settings": state.settings,
        "files": {path.name: _digest(path) for path in sorted(folder.iterdir())},
    }
    (folder / _STATE).write_text(json.dumps(text, indent=2, ensure_ascii=False), "utf-8")


def _require_equal(path: Path, wrong: list[str]) -> None:
    if wrong:
        raise SaveError(
            f"'{path}' does not hold what was written to it ({len(wrong)} tensors, {wrong[0]} first). Check the disk; "
            "states saved before are untouched."
        )


def _require_space(run: Path, state: RunState) -> None:
    tensors = [*state.optimizer.values()]
    for groups in (state.groups, state.average or {}):
        tensors += [tensor for group in groups.values() for tensor in group.values()]
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors) + (1 << 20)
    if shutil.disk_usage(run).free < needed:
        raise OSError(errno.ENOSPC, "No space left")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
