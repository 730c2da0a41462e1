"""Write the English texts of the interface from the node schemas, and say what the translations lack.

    python tools/locales.py                  write locales/en, list what is missing, stale or outdated
    python tools/locales.py --confirm ja     after translating: ja now says what the English texts say

Needs nothing but Python 3.10 or newer; the first run installs about 6 GB into .venv and .host.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import node_texts, paths
from tools.console import run_command, say
from tools.environment import prepare

_INSIDE = "CONSISTENTID_LOCALES_INSIDE"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--confirm", choices=node_texts.TRANSLATIONS, nargs="+", default=[], metavar="LANGUAGE"
    )
    options = parser.parse_args()
    if _INSIDE not in os.environ:
        # The schemas need ComfyUI, so this runs once more in the Python that has it.
        os.environ[_INSIDE] = "1"
        return prepare().run([__file__, *sys.argv[1:]])

    for file, texts in node_texts.english(_schemas()).items():
        say(f"wrote {node_texts.write(node_texts.SOURCE, file, texts).relative_to(paths.ROOT)}")
    source = node_texts.all_texts(node_texts.SOURCE)
    for language in options.confirm:
        node_texts.confirm(language, source)
    found = {language: node_texts.problems(language, source) for language in node_texts.TRANSLATIONS}
    for language, kinds in found.items():
        say(f"{language}: {sum(map(len, kinds.values())) or 'no'} problems, {len(source)} texts")
        for kind, keys in kinds.items():
            say(f"  {kind}:" + "".join(f"\n    {key}: {source.get(key, '')}" for key in keys))
    return 1 if any(found.values()) else 0


def _schemas() -> list:
    from tools.host import start_host

    start_host(os.environ["COMFYUI_PATH"])
    from consistentid_pack.nodes import NODES

    return [node.GET_SCHEMA() for node in NODES]


if __name__ == "__main__":
    run_command(main)
