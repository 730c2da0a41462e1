"""What is drawn in a protocol: its prompts, how many pictures, which settings.

The prompts are our own wording of the categories that the papers name. The lists released with them are not
part of this repository; give one as ``--prompts`` to use it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import EvaluationError
from ..prompts import Prompt, read_prompts


@dataclass(frozen=True)
class Protocol:
    """One way of evaluating.

    people: how many it asks for; 0 for any number.  pictures: of each person and prompt.
    settings: of sampling, by the names of the nodes' inputs; others stay as the workflow has them.
    """

    name: str
    title: str
    people: int = 0
    pictures: int = 1
    settings: Mapping[str, float] | None = None

    def prompts(self) -> list[Prompt]:
        """Its own list. Raises EvaluationError if it has none."""
        path = Path(__file__).with_name(f"{self.name}.json")
        if not path.is_file():
            raise EvaluationError(
                f"The protocol '{self.name}' has no prompts of its own. Give a file as --prompts."
            )
        return read_prompts(path)


#: The released evaluation of the paper: 50 steps, guidance 5, merged after 30 of 50 steps.
PAPER = Protocol(
    "paper",
    "ConsistentID's paper: 15 people × 45 prompts (clothing, background, action, style; our wording)",
    people=15,
    settings={"steps": 50, "cfg": 5.0, "merge_percent": 0.6},
)
FASTCOMPOSER = Protocol(
    "fastcomposer",
    "FastComposer's: 15 people × 40 prompts × 4 pictures (accessory, style, context, action; our wording)",
    people=15,
    pictures=4,
)
OWN = Protocol("own", "own people × own prompts")

PROTOCOLS = {protocol.name: protocol for protocol in (PAPER, FASTCOMPOSER, OWN)}
