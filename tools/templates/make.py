"""Writes the shipped workflows; started by ``tools/make_workflows.py`` with the environment's Python."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path

from .. import browser, paths
from ..base_directory import PACK_NAME, BaseDirectory, base_directory
from ..console import CommandError, run_command, say, step
from ..environment import Environment
from ..server import Server
from .catalogue import TEMPLATES
from .graph import Template
from .model_links import note_of
from .portraits import SAVED_PERSON
from .thumbnails import thumbnail


def main() -> int:
    templates = _chosen(sys.argv[1:])
    environment = Environment(Path(sys.executable), Path(os.environ["COMFYUI_PATH"]))
    programs = browser.prepare()
    paths.API_WORKFLOWS.mkdir(parents=True, exist_ok=True)
    with base_directory({}) as base:
        put_placeholders(base, templates)
        server = Server(environment, base, log=paths.LOGS / "workflows-server.log")
        with step(f"Drawing {len(templates)} workflows in ComfyUI's interface"), server:
            _draw(templates, server.url, programs)
    return 0


def _chosen(names: list[str]) -> list[Template]:
    known = {template.name: template for template in TEMPLATES}
    if unknown := sorted(set(names) - set(known)):
        raise CommandError(f"There is no workflow {', '.join(unknown)}; there are {', '.join(known)}.")
    return [known[name] for name in names or known]


def put_placeholders(base: BaseDirectory, templates: Iterable[Template]) -> None:
    """Empty files under the names of all models and people, and the pictures: nothing is reported as missing."""
    for picture in (paths.WORKFLOWS / "assets").glob("*.png"):
        shutil.copy(picture, base.input)
    saved = base.output / "consistentid" / SAVED_PERSON
    saved.parent.mkdir()
    saved.touch()
    for template in templates:
        for node in template.nodes():
            for model in node.models:
                file = base.folder / "models" / model.directory / model.name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()


def _draw(templates: list[Template], url: str, programs: browser.Browser) -> None:
    job = {
        "url": url,
        "chromium": programs.chromium,
        "renderer": "classic",
        "folder": str(paths.WORKFLOWS),
        "api_folder": str(paths.API_WORKFLOWS),
        "pack": {"name": PACK_NAME, "version": _version()},
        "workflows": [
            {
                **template.description(),
                "note": note_of(template),
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, template.name)),
                "thumbnail": thumbnail(template),
            }
            for template in templates
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(job), "utf-8")
        script = Path(__file__).with_name("canvas.mjs")
        done = subprocess.run([programs.node, str(script), str(file)], capture_output=True, encoding="utf-8")
    if done.returncode != 0:
        raise CommandError(done.stderr.strip() or done.stdout.strip())
    say(done.stdout.strip())


def _version() -> str:
    """Of the pack, from pyproject.toml."""
    for line in (paths.ROOT / "pyproject.toml").read_text("utf-8").splitlines():
        if line.startswith("version = "):
            return line.split('"')[1]
    raise CommandError("pyproject.toml names no version.")


if __name__ == "__main__":
    run_command(main)
