"""docs/troubleshooting.md against the messages in the source (see ``user_messages``).

A section of the page belongs to a message if its heading, a text in backticks, is how the message begins.
``…`` in a heading skips any text, so it stands for filled-in values or for what need not be written out.
A heading must have enough fixed text to be searched for, and each message has exactly one section.

So a new ``raise SomeError("...")`` needs a section, or, if no user can cause it, a line in
:data:`FOR_PROGRAMMERS`; a changed or deleted one shows up as a heading without a message.
"""

import re
from pathlib import Path

import pytest
from reporting import fail_with
from user_messages import GAP, begins, messages_in, user_messages

PAGE = Path(__file__).resolve().parents[2] / "docs" / "troubleshooting.md"

#: What only a caller of the core can cause; the nodes check or compute these values before. Written like headings.
FOR_PROGRAMMERS = (
    "'…' is not a facial part. Expected one of:",
    "A label map is uint8 (height, width); found",
    "A picture is uint8 (height, width, 3); found",
    "An ID embedding is a (vectors, …) float32 tensor, not",
    "At least one photo is needed for an ID embedding.",
    "Cannot fuse prompt rows of shape",
    "ID weights … do not fit … photos",
    "Of each part at least one picture must be kept, not",
    "Only stored photos can be written",
    "Expected aligned faces, uint8",
    "Got … face embeddings and CLIP features of",
    "No face recogniser at",
    "No facial region is called '…'.",
    "The caption is empty: no word carries a facial part.",
    "The prompts mark … rows but come with",
    "The threshold is a score above 0 and at most 1",
    "Unknown colour order '…'.",
    "Unknown provider '…'.",
)

#: Reasons behind the colon of "'…' was not opened: …" and "The contents of '…' do not fit its header: …".
REASONS = (
    "it takes more than 4 MB to describe its tensors",
    "it uses something else than texts and numbers as keys",
    "it nests or repeats its contents far more than weights do",
    # Of "The strokes in '…' cannot be used: the file …".
    "is larger than … bytes, so it was not painted",
    "is damaged, cut short or something else than a file of brush strokes",
    "is no file of brush strokes",
    "has version … of the file format; this pack reads",
    "does not hold what a file of brush strokes does",
    "holds … …, more than the … that are drawn",
    "'…' and '…' are no size of a photo",
    "'…' says neither to add nor to erase",
    "a stroke has … numbers as points",
    "'…' is no number from … to …",
    "a number has … digits",
    "… is not part of JSON",
    "the ID embedding contains values that are not numbers",
    "the ID embedding has the length …, more than",
    "'…' is no number of …",
    "'…' is in the file but not described",
    "'…' has a part twice: …",
    "'…' has the type …, not",
    "the description of the face cannot be used",
    "'…' is no part of the …",
    "'…' has the shape …, not",
    "'…' contains values that are not numbers",
)

#: Shorter headings would fit too much.
FEWEST_FIXED_CHARACTERS = 12

MESSAGES = user_messages()
HEADINGS = re.findall(r"^### `(.+)`$", PAGE.read_text("utf-8"), re.MULTILINE)
KNOWN = (*HEADINGS, *FOR_PROGRAMMERS, *REASONS)


def test_every_message_has_some_fixed_text_to_search_for():
    unreadable = [message for message in MESSAGES if len(message.template.replace(GAP, "").strip()) < 12]
    fail_with(unreadable, "Write these so that their text can be read off the source:")


def test_every_message_a_user_can_meet_is_explained():
    missing = [message for message in MESSAGES if not any(begins(text, message) for text in KNOWN)]
    fail_with(missing, "docs/troubleshooting.md has no section for:")


def test_no_section_explains_a_message_that_does_not_exist():
    stale = [text for text in KNOWN if not any(begins(text, one) for one in MESSAGES)]
    fail_with(stale, "No message of the pack begins like this any more:")


def test_every_message_has_only_one_section():
    several = {
        str(message): found
        for message in MESSAGES
        if len(found := [text for text in KNOWN if begins(text, message)]) > 1
    }
    fail_with(several.items(), "More than one heading fits:")


def test_every_heading_has_enough_fixed_text_to_search_for():
    short = [text for text in HEADINGS if len(text.replace("…", "")) < FEWEST_FIXED_CHARACTERS]
    fail_with(short, "Too short to be found:")


def test_every_section_says_something():
    sections = re.split(r"^### `.+`$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    texts = [section.split("\n## ")[0].strip() for section in sections]
    empty = [heading for heading, text in zip(HEADINGS, texts, strict=True) if len(text) < 20]
    fail_with(empty, "Nothing stands below:")


SOURCE = """
LIMIT = "five"

def fail(kind):
    raise SomeError(f"Found {kind}, " f"expected {LIMIT}.")

def made(path):
    return OtherError(f"{path} is wrong.")

def branch(path, ok):
    text = "good" if ok else f"bad {path}"
    logger.warning("%s Going on.", text)
    raise made(path)

def reason(ok):
    if ok:
        return "Nothing to do."
    return "Everything " + "to do."

def third(error):
    try:
        raise SomeError(reason(False)) from error
    except ValueError:
        raise

def some_notes():
    notes = ["First note."]
    notes.append(f"Second {notes}.")
    return ["Third note."]
"""


@pytest.mark.parametrize(
    "text",
    [
        "Found …, expected ….",
        "… is wrong.",
        "… Going on.",
        "Nothing to do.",
        "Everything to do.",
        "First note.",
        "Second ….",
        "Third note.",
    ],
)
def test_messages_are_read_off_any_way_of_writing_them(text):
    found = {message.template.replace(GAP, "…") for message in messages_in(SOURCE, Path("example.py"))}
    assert text in found and len(found) == 8
