"""Every node explains itself in the interface: schema texts, and a help page that agrees with the schema.

A page lists inputs and outputs in tables of two columns (the help panel is narrow). The first cell holds
the name and, in a line of its own, the type of a socket or the default of a widget. A new node or input
without its texts fails here by name.
"""

import asyncio
import re
from pathlib import Path

import pytest
from consistentid_pack.nodes import NODES
from consistentid_pack.nodes.host import folders, help_page
from consistentid_pack.nodes.models.types import CATEGORY
from PIL import Image
from reporting import fail_with

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "web" / "docs"
SECTIONS = ["Inputs", "Outputs", "How to wire it", "Settings that work", "What goes wrong"]

#: Words that people search by who know the field, but not this pack.
SEARCHED = ("face id", "identity", "ipadapter")
MAIN_NODES = ("ConsistentIDModelLoader", "ConsistentIDApply", "ConsistentIDSimple")

MAX_PICTURE_BYTES = 60_000

#: Widgets whose default is a text or a file of this machine.
WRITTEN_OUT = {"STRING": "text", "COMBO": "file folder"}

folders.register()
SCHEMAS = {node.GET_SCHEMA().node_id: node.GET_SCHEMA() for node in NODES}


@pytest.fixture(params=SCHEMAS)
def schema(request):
    return SCHEMAS[request.param]


@pytest.fixture
def page(schema):
    path = PAGES / f"{schema.node_id}.md"
    return (
        path.read_text("utf-8") if path.is_file() else pytest.fail(f"No web/docs/{path.name}", pytrace=False)
    )


def slots(schema):
    return [*schema.inputs, *schema.outputs]


def section(page, title):
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]


def table(page, title):
    """Name -> second line of the first cells of a section's table."""
    return dict(re.findall(r"^\| `([^`]+)`<br>([^|]+) \|", section(page, title), re.MULTILINE))


def type_or_default(slot):
    """What may stand below the name of an input."""
    if slot.get_io_type() in ("FLOAT", "INT"):
        return [f"`{slot.default}`"]
    if slot.get_io_type() == "BOOLEAN":
        return [f"`{str(slot.default).lower()}`"]
    if slot.get_io_type() in WRITTEN_OUT:
        default = slot.default or (slot.options or [None])[0] if hasattr(slot, "options") else slot.default
        return [*WRITTEN_OUT[slot.get_io_type()].split(), f"`{default}`"]
    return [" or ".join(f"`{one}`" for one in slot.get_io_type().split(","))]


def fixed_choices(schema):
    """The choices of every combo that does not list files: those a user may have to understand."""
    for slot in schema.inputs:
        if slot.get_io_type() == "COMBO" and slot.id not in ("model_name", "face_parser", "name"):
            yield from slot.options


# --- schemas ------------------------------------------------------------------------------------------------


def test_every_slot_has_a_tooltip(schema):
    fail_with(
        (slot.id for slot in slots(schema) if not slot.tooltip), f"{schema.node_id} has no tooltip for:"
    )


def test_every_node_can_be_found_and_says_what_it_does(schema):
    assert schema.description and schema.search_aliases and schema.category == CATEGORY


def test_display_names_are_distinct():
    assert len({schema.display_name for schema in SCHEMAS.values()}) == len(SCHEMAS)


@pytest.mark.parametrize("word", SEARCHED)
@pytest.mark.parametrize("node_id", MAIN_NODES)
def test_the_words_of_the_field_find_the_main_nodes(node_id, word):
    assert any(word in alias for alias in SCHEMAS[node_id].search_aliases)


@pytest.mark.parametrize("word", ["face swap", "same person", "portrait", "instantid", "pulid"])
def test_what_a_newcomer_looks_for_finds_the_simple_node(word):
    assert word in SCHEMAS["ConsistentIDSimple"].search_aliases


def test_texts_end_like_sentences(schema):
    texts = {"description": schema.description, **{slot.id: slot.tooltip for slot in slots(schema)}}
    fail_with(
        (name for name, text in texts.items() if text and not text.endswith((".", "?"))), "No full stop:"
    )


# --- pages --------------------------------------------------------------------------------------------------


def test_no_page_is_left_of_a_node_that_is_gone():
    assert {path.stem for path in PAGES.glob("*.md")} <= SCHEMAS.keys()


def test_the_page_has_the_nodes_name_and_all_sections(schema, page):
    assert page.startswith(f"# {schema.display_name}\n")
    assert re.findall("^## (.+)", page, re.MULTILINE) == SECTIONS


def test_the_page_lists_the_inputs_in_order(schema, page):
    rows, names = list(table(page, "Inputs")), [slot.id for slot in schema.inputs]
    fail_with((name for name in names if name not in rows), "The table has no row for:")
    assert rows == names


def test_the_page_lists_the_outputs_in_order(schema, page):
    expected = {slot.id: f"`{slot.get_io_type()}`" for slot in schema.outputs}
    assert list(table(page, "Outputs").items()) == list(expected.items())


def test_the_page_says_types_and_defaults_as_they_are(schema, page):
    cells = table(page, "Inputs")
    fail_with(
        (
            f"{slot.id}: the page says {cells.get(slot.id)}, the schema {type_or_default(slot)[0]}"
            for slot in schema.inputs
            if cells.get(slot.id) not in type_or_default(slot)
        ),
        "Below the name of an input stands its type or its default:",
    )


def test_the_page_names_every_fixed_choice(schema, page):
    fail_with((one for one in fixed_choices(schema) if f"`{one}`" not in page), "The page does not explain:")


def test_the_page_has_pictures_that_are_there_and_small(page):
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)\s]+)\)", page)
    assert pictures
    for description, address in pictures:
        # The interface puts the address of docs/ before it.
        file = PAGES / address
        assert len(description) > 10 and file.stat().st_size < MAX_PICTURE_BYTES
        with Image.open(file) as picture:
            assert picture.width <= 500


def test_no_picture_is_left_that_no_page_shows():
    shown = {
        name
        for path in PAGES.glob("*.md")
        for name in re.findall(r"\(images/([^)]+)\)", path.read_text("utf-8"))
    }
    assert {path.name for path in (PAGES / "images").iterdir()} == shown


def test_the_page_links_to_troubleshooting_and_nowhere_that_the_interface_cannot_reach(page):
    links = re.findall(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)", page)
    assert help_page.ADDRESS.removeprefix("/") in links
    assert not [link for link in links if not link.startswith(("https://", help_page.ADDRESS[1:]))]


def test_the_page_is_ready_for_github_and_the_interface_alike(page):
    # Both read GitHub's Markdown and line breaks; other HTML is stripped by one of them.
    assert not re.search(r"<(?!\||br>)[a-z/]", re.sub(r"```.*?```|`[^`]*`", "", page, flags=re.DOTALL))


def test_the_address_of_the_links_shows_the_troubleshooting_page():
    response = asyncio.run(help_page.show(None))
    assert response.text == (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    assert response.content_type == "text/plain" and response.charset == "utf-8"


def test_the_address_is_registered_with_a_server(monkeypatch):
    from aiohttp import web
    from server import PromptServer

    class Server:
        routes = web.RouteTableDef()

    monkeypatch.setattr(PromptServer, "instance", Server(), raising=False)
    help_page.register()
    assert [route.path for route in Server.routes] == [help_page.ADDRESS]
