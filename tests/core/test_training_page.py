"""docs/training.md against the training code: every setting, preset, column and message it names is there."""

import dataclasses
import re
from itertools import chain

import pytest
import yaml
from reporting import fail_with
from user_messages import GAP, ROOT, begins, messages_in

from consistentid_core.training.config import PRESETS, TrainingConfig, from_mapping
from consistentid_core.training.trainer import STEP_COLUMNS
from consistentid_core.training.validation import COLUMNS as VALIDATION_COLUMNS

PAGE = (ROOT / "docs" / "training.md").read_text("utf-8")

SETTINGS = [field.name for field in dataclasses.fields(TrainingConfig)]

#: Met by programs only: the command and the configuration see to it.
FOR_PROGRAMMERS = (
    "A Trainer trains inside its 'with' block only.",
    "A prompt marks",
    "An attention map has",
    "No attention map was captured",
    "Pass … of a step of",
    "Token index",
)

#: No trouble, or explained where the sentence they are part of is.
SAID_ELSEWHERE = (
    "… portraits to train on",
    "… steps of … samples",
    "weights: …, learning rate",
    "memory: about",
    "cache: … of … GB in",
    "its content is not what was written",  # why an entry of the cache is damaged
    "Stopping: the step in progress",
    "… Going on from the state before it.",
)


def table(head):
    """The rows of the table whose first columns are called so, without backticks."""
    lines = PAGE.split(f"\n| {head} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_setting_is_in_the_table_and_no_other():
    assert [row[0] for row in table("Setting | Default")] == SETTINGS


@pytest.mark.parametrize(("name", "default"), [row[:2] for row in table("Setting | Default")])
def test_the_defaults_are_the_real_ones(name, default):
    assert from_mapping({name: yaml.safe_load(default)}) == TrainingConfig()


def test_the_presets_differ_where_the_page_says():
    rows = table("Setting | `recommended`")
    for column, preset in ((1, "recommended"), (2, "original")):
        shown = from_mapping({"preset": preset} | {row[0]: yaml.safe_load(row[column]) for row in rows})
        assert shown == from_mapping({"preset": preset})
    assert {row[0] for row in rows} == set(PRESETS["original"])


def test_every_setting_with_a_value_in_the_text_can_be_set_so():
    written = re.findall(r"`([a-z_]+: [^`]+)`", PAGE)
    assert len(written) > 5
    for one in written:
        from_mapping(yaml.safe_load(one))


@pytest.mark.parametrize(
    ("heading", "columns"), [("Column", VALIDATION_COLUMNS), ("Column of `steps.csv`", STEP_COLUMNS)]
)
def test_every_column_of_the_curves_is_explained(heading, columns):
    assert [row[0] for row in table(heading)] == list(columns)


def training_messages():
    files = chain.from_iterable(
        sorted((ROOT / folder / "training").rglob("*.py")) for folder in ("consistentid_core", "nodes")
    )
    return [message for path in files for message in messages_in(path.read_text("utf-8"), path)]


MESSAGES = [one for one in training_messages() if one.template.replace(GAP, "").strip()]
TROUBLE = re.findall(r"\*\*`(.+?)`\*\*", PAGE)
KNOWN = (*TROUBLE, *FOR_PROGRAMMERS, *SAID_ELSEWHERE)

#: What the node alone says is explained where the messages of all nodes are.
OF_THE_NODES = re.findall(
    r"^### `(.+)`$", (ROOT / "docs" / "troubleshooting.md").read_text("utf-8"), re.MULTILINE
)


def explained(message):
    pages = (*KNOWN, *OF_THE_NODES) if message.place.startswith("nodes/") else KNOWN
    return any(begins(text, message) for text in pages)


def test_every_message_of_training_is_explained():
    fail_with([one for one in MESSAGES if not explained(one)], "Not in docs/training.md:")


def test_no_message_is_explained_that_does_not_exist():
    fail_with([text for text in KNOWN if not any(begins(text, one) for one in MESSAGES)], "No such message:")
