"""The figures as the table of ``benchmarks/README.md``, and as the sentence of the repository's README.

Needs nothing but Python; ``python -m benchmarks.table`` writes the table anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import results
from .groups import GROUPS
from .rows import BYTES, COUNT, RATIO, SECONDS, Row

README = Path(__file__).resolve().parent / "README.md"
BEGIN, END = "<!-- table: begin, written by tools/bench.py -->", "<!-- table: end -->"

Measured = Mapping[tuple[str, str], Mapping[str, Any]]


def write(readme: Path = README, folder: Path = results.FOLDER) -> None:
    """Put the table of everything that was measured between the marks of the README."""
    text = readme.read_text("utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(f"{before}{BEGIN}\n\n{markdown(results.read_all(folder))}\n{END}{after}", "utf-8")


def markdown(measured: Measured) -> str:
    """One table a group, a column for each family and device, and under it when and how it was measured."""
    return "\n".join(_group(group, title, measured) for group, title in GROUPS.items())


def _group(group: str, title: str, measured: Measured) -> str:
    having = {key: groups[group] for key, groups in measured.items() if group in groups}
    if not having:
        return f"### {title}\n\nNot measured yet.\n"
    heads = [f"{results.FAMILIES[family]}, {results.DEVICES[device]}" for family, device in having]
    names: dict[str, str] = {}
    for one in having.values():
        for name, row in one["rows"].items():
            names.setdefault(name, row["what"])
    lines = [f"### {title}", "", _line("", *heads), _line("---", *("---:" for _ in heads))]
    for name, what in names.items():
        found = [one["rows"].get(name) for one in having.values()]
        lines.append(_line(what, *("" if row is None else cell(row) for row in found)))
    lines.append("")
    lines += [
        f"{head}: {_conditions(one['conditions'])}.  "
        for head, one in zip(heads, having.values(), strict=True)
    ]
    return "\n".join(lines) + "\n"


def cell(row: Row) -> str:
    """A value in its unit, the quartiles around it in brackets, its share behind."""
    digits, unit = {RATIO: (3, ""), SECONDS: (3, " s")}.get(row["unit"], (0, ""))
    if row["unit"] == COUNT:
        return str(row["value"])
    if row["unit"] == BYTES:
        return _bytes(row["value"])
    text = f"{row['value']:.{digits}f}{unit}"
    low, high = row["quartiles"]
    if low != high:
        text += f" ({low:.{digits}f}–{high:.{digits}f})"
    return text + (f", {row['share']:.0%}" if "share" in row else "")


def _bytes(value: int) -> str:
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.1f} MB"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _conditions(conditions: Mapping[str, Any]) -> str:
    """When and on what; what older figures did not note is left out."""
    known = dict(conditions)
    parts = [known["date"], f"{known['size']}² pixels", f"{known['rounds']} rounds"]
    if "machine" in known:
        parts.append(f"{known['machine']}, {known['threads']} of {known['cores']} cores")
    if known.get("load_average"):
        parts.append("load average " + " to ".join(str(load) for load in known["load_average"]))
    return ", ".join([*parts, f"PyTorch {known['torch']}"])


def sentence(measured: Measured) -> str:
    """What the repository's README says about a step on the CPU."""
    rows = {family: measured[family, "cpu"]["step"]["rows"] for family in results.FAMILIES}
    more = {
        family: of["operations_patched"]["value"] - of["operations_plain"]["value"]
        for family, of in rows.items()
    }
    times = [of[case]["value"] for of in rows.values() for case in ("patched", "two_people")]
    return (
        f"A sampling step dispatches {more['sd15']} more tensor operations than a plain one ({more['sdxl']} with SDXL) "
        f"and takes {min(times):.2f} to {max(times):.2f} times as long, with one person or two"
    )


if __name__ == "__main__":
    write()
