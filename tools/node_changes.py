"""Compare the nodes with those of another commit, and refuse what would break a saved workflow.

    python tools/node_changes.py origin/main
    python tools/node_changes.py v0.1.0

A workflow names nodes by id, and stores links and widgets by the position of inputs and outputs. So ids,
inputs and outputs stay, in their order; what is new comes after them. Read off locales/en/nodeDefs.json,
which the tests keep equal to the schemas. Needs git and Python 3.10 or newer, nothing else.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version_info[0]}.{sys.version_info[1]}.")

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import paths
from tools.console import CommandError, run_command, say
from tools.repository import git

NODES = "locales/en/nodeDefs.json"
_SLOTS = {"inputs": "input", "outputs": "output"}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit", help="whose workflows must go on working: a branch, tag or hash")
    options = parser.parse_args()
    for line in compare(options.commit):
        say(line)
    say(f"Workflows of {options.commit} go on working.")
    return 0


def compare(commit: str) -> list[str]:
    """What is new since a commit.

    Raises CommandError with all that would break.
    """
    old = json.loads(git("show", f"{commit}:{NODES}"))
    new = json.loads((paths.ROOT / NODES).read_text("utf-8"))
    if broken := list(find_breaks(old, new)):
        raise CommandError(f"Workflows of {commit} would break:" + "".join(f"\n  {line}" for line in broken))
    return list(find_news(old, new))


def find_breaks(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What a workflow can rely on and would no longer find, one line each."""
    for node_id, node in old.items():
        if node_id not in new:
            yield f"{node_id} is gone."
            continue
        for kind, slot in _SLOTS.items():
            before, now = _names(node, kind), _names(new[node_id], kind)
            gone = [name for name in before if name not in now]
            if gone:
                yield f"{node_id} has lost the {slot} {', '.join(gone)}."
            elif now[: len(before)] != before:
                yield f"{node_id} has its {kind} in another order: {', '.join(now)}; it was {', '.join(before)}."


def find_news(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What there was not before, which makes the next version a minor one."""
    for node_id, node in new.items():
        if node_id not in old:
            yield f"New: {node_id}."
            continue
        for kind, slot in _SLOTS.items():
            for name in _names(node, kind)[len(_names(old[node_id], kind)) :]:
                yield f"New: the {slot} {name} of {node_id}."


def _names(node: dict[str, Any], kind: str) -> list[str]:
    """Inputs are stored under their id, outputs under their number."""
    slots = node.get(kind, {})
    return list(slots) if kind == "inputs" else [slot["name"] for slot in slots.values()]


if __name__ == "__main__":
    run_command(main)
