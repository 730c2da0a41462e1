"""The pictures of a run in a folder, and one page that shows how they change from step to step.

pictures/index.html                       a row per step
pictures/portraits/1.png                  the portraits that are drawn
pictures/step-00001000/sample-1-2.png     the first of them with the second prompt
pictures/step-00001000/attention-1.png    where its words look
"""

import html
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..files.atomic import write_whole

_STEP = re.compile(r"step-(\d{8,})")


class PictureFolder:
    """The names of a run's pictures, and their page."""

    def __init__(self, root: Path, *, is_held_out: bool = True):
        """is_held_out: whether the portraits are not trained on."""
        self.root = root
        self._people, self.who = (
            ("Held-out people", "held out, never trained on")
            if is_held_out
            else ("People that are trained on as well, since none are held out", "trained on as well")
        )

    def portrait(self, number: int) -> Path:
        """One of the portraits, counted from 0."""
        return self.root / "portraits" / f"{number + 1}.png"

    def sample(self, step: int, number: int, prompt: int) -> Path:
        """A sample picture of a step; number, prompt: of portrait and prompt, counted from 0."""
        return self._of_step(step) / f"sample-{number + 1}-{prompt + 1}.png"

    def attention(self, step: int, number: int) -> Path:
        """The attention maps of a step over a portrait."""
        return self._of_step(step) / f"attention-{number + 1}.png"

    def steps(self) -> list[int]:
        """The steps that have pictures, ascending."""
        found = (_STEP.fullmatch(path.name) for path in self.root.glob("step-*"))
        return sorted(int(match[1]) for match in found if match)

    def drop_after(self, step: int) -> None:
        """Remove the pictures of later steps, which a run that goes on from here will make again."""
        for later in (one for one in self.steps() if one > step):
            shutil.rmtree(self._of_step(later), ignore_errors=True)

    def write_page(self, portraits: int, prompts: Sequence[str]) -> Path:
        """Show everything that is there; returns the page. portraits: how many are drawn."""
        page = self.root / "index.html"
        tables = [
            self._table(
                "Samples",
                f"{self._people}, drawn with the same prompts and the same noise at every step.",
                [
                    (self.portrait(number), prompt, [self.sample(step, number, at) for step in self.steps()])
                    for number in range(portraits)
                    for at, prompt in enumerate(prompts)
                ],
            ),
            self._table(
                "Attention",
                "Where the five words look, over the portrait that belongs to the text; the line is the outline of "
                "the part. A number is the mean attention inside the part over that outside: above 1, the word looks "
                "at its part.",
                [
                    (
                        self.portrait(number),
                        "",
                        [self.attention(step, number) for step in self.steps()],
                    )
                    for number in range(portraits)
                ],
            ),
        ]
        write_whole(page, (_HEAD + "".join(tables)).encode(), lasting=False)
        return page

    def _table(self, title: str, text: str, columns: Sequence[tuple[Path, str, Sequence[Path]]]) -> str:
        steps = self.steps()
        rows = []
        for row, step in enumerate(steps):
            cells = [self._image(pictures[row], f"step {step}") for _, _, pictures in columns]
            if any(cells):
                rows.append(f"<tr><th>{step}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
        if not rows:
            return ""
        heads = "".join(
            f"<th>{self._image(portrait, 'portrait')}<p>{html.escape(prompt)}</p></th>"
            for portrait, prompt, _ in columns
        )
        kind = title.lower()
        return (
            f"<h2>{title}</h2><p>{text}</p><div><table class={kind}><thead><tr><th>step</th>{heads}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )

    def _image(self, path: Path, text: str) -> str:
        if not path.is_file():
            return ""
        place = path.relative_to(self.root).as_posix()
        return f'<a href="{place}"><img src="{place}" alt="{text}" loading="lazy"></a>'

    def _of_step(self, step: int) -> Path:
        return self.root / f"step-{step:08d}"


_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Pictures of the run</title><style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:none;background:Canvas;color:CanvasText}
body>p{max-width:46em;opacity:.75}
div{overflow-x:auto}
table{border-collapse:separate;border-spacing:6px}
th{font-weight:500;text-align:left;vertical-align:bottom;font-variant-numeric:tabular-nums}
tbody th{vertical-align:middle;text-align:right;padding-right:.5em;position:sticky;left:0;background:Canvas}
th p{margin:.3em 0;max-width:256px}
img{display:block;border-radius:6px;width:256px;height:auto}
thead img{width:96px}
.attention tbody img{width:min(1100px,90vw)}
</style><h1>Pictures of the run</h1>"""
