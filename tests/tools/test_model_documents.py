"""What README, help pages and workflows say about model files, against the catalogue."""

import json
import re
from pathlib import Path

import pytest
from reporting import fail_with

from consistentid_core.files.catalogue import EXAMPLE_FILES, JUDGE_FILES, MODEL_FILES
from tools.templates.model_links import RECOGNISING, WITH_BUTTON

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "web" / "docs").glob("*.md")),
]
TABLES = [ROOT / "README.md", ROOT / "docs" / "troubleshooting.md"]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))

ALL = MODEL_FILES + JUDGE_FILES + EXAMPLE_FILES
NAMES = {name for file in ALL for name in (file.name, *file.other_names)}
SIZES = {size for file in ALL for size in (file.size, file.archive.size if file.archive else None) if size}

#: Named in pages too, without a row of their own.
OTHER_NAMES = {"model-00001-of-00003.safetensors"}  # a part of the captioner

#: What these describe are files the commands of the pack make, not files one fetches.
OUTPUTS = {ROOT / "docs" / "data.md", ROOT / "docs" / "training.md"}

MODEL_NAME = re.compile(r"[\w.-]+\.(?:bin|pth|pt|ckpt|onnx|safetensors)\b")
BYTES = re.compile(r"\d{1,3}(?:,\d{3}){2,}")


def rows(page):
    """The rows of the tables in a page, as text."""
    return [line for line in page.read_text("utf-8").splitlines() if line.startswith("|")]


@pytest.mark.parametrize("file", MODEL_FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_every_file_is_in_the_table_with_all_folders_it_may_lie_in(page, file):
    found = [row for row in rows(page) if file.name in row]
    assert found, f"{file.name} is missing"
    places = [file.place, *file.folders[1:]]
    assert any(all(f"`{place}" in row for place in places) for row in found), f"{places} in none of {found}"


def test_files_named_in_pages_are_those_of_the_catalogue():
    unknown = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in PAGES
        if page not in OUTPUTS
        for name in MODEL_NAME.findall(page.read_text("utf-8"))
        if name not in NAMES | OTHER_NAMES
    ]
    fail_with(unknown, "The catalogue knows no such file:")


def test_sizes_in_pages_are_those_of_the_catalogue():
    wrong = [
        f"{page.relative_to(ROOT)}: {number}"
        for page in PAGES
        for number in BYTES.findall(page.read_text("utf-8"))
        if int(number.replace(",", "")) not in SIZES
    ]
    fail_with(wrong, "No file of the catalogue has this size:")


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_megabytes_in_tables_are_those_of_the_file_of_the_row(page):
    wrong = []
    for row in rows(page):
        sizes = {file.size for file in MODEL_FILES if file.size and file.name in row}
        for number, unit in re.findall(r"([\d.]+) (MB|GB)", row) if sizes else ():
            factor = 1e6 if unit == "MB" else 1e9
            digits = len(number.partition(".")[2])
            if not any(round(size / factor, digits) == float(number) for size in sizes):
                wrong.append(f"{number} {unit}: {row}")
    fail_with(wrong, "Other sizes than in the catalogue:")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_models_a_workflow_names_come_from_where_the_catalogue_says(path):
    known = {(file.name, file.place, file.address) for file in ALL}
    named = {
        (model["name"], model["directory"], model["url"])
        for model in _models(json.loads(path.read_text("utf-8")))
    }
    assert named and named <= known


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_tells_the_checksum_of_every_model_that_has_one(path):
    known = {file.name: file.sha256 for file in ALL}
    for model in _models(json.loads(path.read_text("utf-8"))):
        told = (model.get("hash"), model.get("hash_type"))
        assert told == ((known[model["name"]], "SHA256") if known[model["name"]] else (None, None))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_model_entry_has_the_name_in_its_node_s_widget(path):
    """The interface finds an entry by the value of a widget."""
    for node in json.loads(path.read_text("utf-8"))["nodes"]:
        for model in node["properties"].get("models", []):
            assert model["name"] in node["widgets_values"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_first_line_of_a_note_names_what_has_no_download_button(path):
    workflow = json.loads(path.read_text("utf-8"))
    active = [node for node in workflow["nodes"] if node["mode"] == 0]
    (note,) = (node["widgets_values"][0] for node in active if node["type"] == "MarkdownNote")
    first = note.splitlines()[1]
    for model in _models(active):
        assert (model["name"] in first) == (not model["name"].endswith(WITH_BUTTON)), first
    reads_faces = any(node["type"] in RECOGNISING for node in active)
    assert ("InsightFace's two files" in first) == reads_faces


def _models(value):
    """Every entry of a ``models`` list, however deep in a workflow."""
    if isinstance(value, list):
        for item in value:
            yield from _models(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "models" and isinstance(item, list):
                yield from item
            else:
                yield from _models(item)
