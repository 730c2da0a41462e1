"""The interface's texts in every language against the node schemas (see ``tools/node_texts.py``).

After a change of a schema: ``python tools/locales.py`` writes the English texts and lists what to translate;
``python tools/locales.py --confirm ja`` notes that a translation is up to date again.
"""

import re

import pytest
from consistentid_pack.nodes import NODES
from consistentid_pack.nodes.host import folders
from reporting import fail_with

from tools import node_texts

folders.register()
ENGLISH = node_texts.english(node.GET_SCHEMA() for node in NODES)
SOURCE = node_texts.flat(ENGLISH)

LANGUAGES = (node_texts.SOURCE, *node_texts.TRANSLATIONS)

#: Widget values and markers: they are not translated, so a translation that speaks of one writes it alike.
VALUES = ("original", "clean", "both", "template", "auto", "use hub_id", "embedding:name", "buffalo_l")


@pytest.mark.parametrize("file", ENGLISH)
def test_english_is_what_the_schemas_say(file):
    stored, schemas = (
        node_texts.flat(node_texts.read(node_texts.SOURCE, file)),
        node_texts.flat(ENGLISH[file]),
    )
    differing = [key for key in {**stored, **schemas} if stored.get(key) != schemas.get(key)]
    fail_with(differing, f"Run `python tools/locales.py`; locales/en/{file} is not what the schemas say:")


@pytest.mark.parametrize("language", node_texts.TRANSLATIONS)
def test_every_text_is_translated_and_none_is_left_over(language):
    found = node_texts.problems(language, SOURCE)
    fail_with(
        (f"{kind}: {key}" for kind, keys in found.items() for key in keys),
        f"locales/{language} (then `python tools/locales.py --confirm {language}`):",
    )


@pytest.mark.parametrize("language", node_texts.TRANSLATIONS)
def test_the_texts_of_the_settings_are_translated(language):
    english, translated = (
        node_texts.flat(node_texts.read(one, "settings.json")) for one in (node_texts.SOURCE, language)
    )
    fail_with(
        english.keys() ^ translated.keys(), f"Missing or left over in locales/{language}/settings.json:"
    )
    assert not {key for key, text in translated.items() if text == english[key] and len(text) > 20}


@pytest.mark.parametrize("language", node_texts.TRANSLATIONS)
def test_translations_are_in_their_language(language):
    letters = {"zh": "一-鿿", "ja": "぀-ヿ一-鿿", "ko": "가-힣"}[language]
    # Names such as CLIP or ConsistentID are the same everywhere; sentences are not.
    english = [
        key
        for key, text in node_texts.all_texts(language).items()
        if len(SOURCE[key]) > 20 and not re.search(f"[{letters}]", text)
    ]
    fail_with(english, f"Not translated into {language}:")


@pytest.mark.parametrize("language", node_texts.TRANSLATIONS)
def test_translations_fill_in_the_same_values(language):
    def places(text):
        return sorted(re.findall(r"\{\w+\}", text))

    texts = node_texts.all_texts(language)
    wrong = [key for key, text in texts.items() if places(text) != places(SOURCE[key])]
    fail_with(wrong, f"Other names in braces than in English, in {language}:")


@pytest.mark.parametrize("language", node_texts.TRANSLATIONS)
def test_widget_values_and_names_of_files_stay_as_they_are(language):
    def kept(text):
        files = re.findall(r"[\w./-]+\.(?:pth|bin|onnx)|models/\w+", text)
        return {*files, *(value for value in VALUES if f"{value}:" in text or f"'{value}'" in text)}

    texts = node_texts.all_texts(language)
    wrong = [
        f"{key}: {value}" for key, text in texts.items() for value in kept(SOURCE[key]) if value not in text
    ]
    fail_with(wrong, f"Missing in {language}:")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_read_as_message_syntax(language):
    """Names and descriptions go through the interface's message compiler; see ``node_texts.SYNTAX``."""
    texts = node_texts.flat(node_texts.read(language, node_texts.NODES_FILE))
    compiled = {key: text for key, text in texts.items() if not key.endswith(".tooltip")}
    wrong = [
        key for key, text in compiled.items() if node_texts.SYNTAX.search(re.sub(r"\{'[@{}|%]'\}", "", text))
    ]
    fail_with(wrong, f"Characters with a meaning to the interface, in {language}:")


@pytest.mark.parametrize("language", LANGUAGES)
def test_display_names_are_distinct(language):
    names = [node["display_name"] for node in node_texts.read(language, node_texts.NODES_FILE).values()]
    assert len(set(names)) == len(names)


def test_a_changed_english_text_makes_its_translation_outdated(monkeypatch, tmp_path):
    monkeypatch.setattr(node_texts, "FOLDER", tmp_path)
    node_texts.write("ja", node_texts.NODES_FILE, {"Node": {"display_name": "ノード", "gone": "古い"}})
    source = {"nodeDefs.json.Node.display_name": "Node", "nodeDefs.json.Node.description": "A node."}
    node_texts.confirm("ja", source)
    assert node_texts.problems("ja", source) == {
        "missing": ["nodeDefs.json.Node.description"],
        "stale": ["nodeDefs.json.Node.gone"],
    }
    source["nodeDefs.json.Node.display_name"] = "Another node"
    assert node_texts.problems("ja", source)["translated from an older text"] == [
        "nodeDefs.json.Node.display_name"
    ]
