"""The texts of the nodes in the form ComfyUI's interface reads them, and the files of their translations.

``locales/<language>/nodeDefs.json`` holds a text for everything a node shows; the interface looks each up
by the path ``<node id>.inputs.<input>.tooltip`` and falls back to the schema. ``main.json`` holds the
category and the sentences of the widgets. ``translated_from.json`` is ours: for each text of a translation
a digest of the English one it was made from, so that a changed sentence is noticed.

Needs no ComfyUI itself: the schemas come as an argument.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import paths

FOLDER = paths.ROOT / "locales"
SOURCE = "en"
TRANSLATIONS = ("zh", "ja", "ko")

NODES_FILE, MAIN_FILE, ORIGINS_FILE = "nodeDefs.json", "main.json", "translated_from.json"
#: The sentences of the widgets, in English.
WIDGET_TEXTS = paths.ROOT / "web" / "js" / "lib" / "texts.js"

#: What the interface's message compiler takes for syntax. Tooltips are shown as they are, so only
#: the other texts of a node go through it.
SYNTAX = re.compile(r"[@{}|%]")

#: Nested texts by key; or, flattened, a text by the path of its keys.
Texts = Mapping[str, Any]
FlatTexts = dict[str, str]


def english(schemas: Iterable[Any]) -> dict[str, Texts]:
    """The English contents of each file.

    schemas: ``io.Schema`` of all nodes.
    """
    schemas = list(schemas)
    categories = {part for schema in schemas for part in schema.category.split("/")}
    return {
        NODES_FILE: {schema.node_id: _texts_of(schema) for schema in schemas},
        MAIN_FILE: {
            "nodeCategories": {category: category for category in sorted(categories)},
            "consistentid": widget_texts(),
        },
    }


def _texts_of(schema: Any) -> Texts:
    texts: dict[str, Any] = {
        "display_name": _compiled(schema.display_name),
        "description": _compiled(schema.description),
    }
    # The interface replaces dots in names, because they would separate keys.
    inputs = {one.id.replace(".", "_"): _slot(one) for one in schema.inputs}
    outputs = {str(index): _slot(one) for index, one in enumerate(schema.outputs)}
    return texts | {"inputs": inputs, "outputs": outputs}


def _slot(slot: Any) -> Texts:
    return {"name": _compiled(slot.display_name or slot.id), "tooltip": slot.tooltip}


def _compiled(text: str) -> str:
    """Plain text for a key the interface compiles as a message."""
    return SYNTAX.sub(lambda match: "{'" + match[0] + "'}", text)


def widget_texts() -> FlatTexts:
    """The sentences of the widgets by key, read off their JavaScript object."""
    source = WIDGET_TEXTS.read_text("utf-8")
    table = source[source.index("export const TEXTS = {") : source.index("};")]
    return {
        key: json.loads(f'"{text}"')
        for key, text in re.findall(r'^\s+(\w+):\s*"((?:\\.|[^"\\])*)"', table, re.M)
    }


# --- files and comparison ---------------------------------------------------------------------------------


def read(language: str, file: str) -> dict[str, Any]:
    """A file of a language; empty if there is none."""
    path = FOLDER / language / file
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def write(language: str, file: str, texts: Texts) -> Path:
    path = FOLDER / language / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(texts, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return path


def flat(texts: Texts, prefix: str = "") -> FlatTexts:
    """Nested texts by the path of their keys, joined with dots."""
    result: FlatTexts = {}
    for key, value in texts.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[prefix + key] = value
    return result


def all_texts(language: str) -> FlatTexts:
    """Every text of a language, the file's name first in its path."""
    return flat({file: read(language, file) for file in (NODES_FILE, MAIN_FILE)})


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def problems(language: str, source: FlatTexts) -> dict[str, list[str]]:
    """What a translation lacks, by kind of problem; kinds without a case are left out.

    source: all English texts, as :func:`all_texts` gives them.
    """
    found, origins = all_texts(language), read(language, ORIGINS_FILE)
    kinds = {
        "missing": [key for key in source if not found.get(key, "").strip()],
        "stale": [key for key in found if key not in source],
        "translated from an older text": [
            key for key in source if key in found and origins.get(key) != digest(source[key])
        ],
    }
    return {kind: keys for kind, keys in kinds.items() if keys}


def confirm(language: str, source: FlatTexts) -> None:
    """Note that a language's texts are translations of the present English ones."""
    write(language, ORIGINS_FILE, {key: digest(source[key]) for key in all_texts(language) if key in source})
