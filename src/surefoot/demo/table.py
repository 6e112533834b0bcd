"""The demo's table in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surefoot.demo.methods import COLUMNS
from surefoot.demo.result import Cell, DemoResult
from surefoot.report.words import Outcome, interval, number
from surefoot.statistics import Estimate

#: Columns of a terminal that has room for a figure and its interval in one line.
WIDE = 150

_STYLES: dict[Outcome, str] = {"better": "green", "worse": "red"}
_MARKS: dict[Outcome, str] = {"better": "▲ ", "worse": "▼ "}


def print_table(result: DemoResult, console: Console) -> None:
    """Print the figures, each with its difference to plain, and what became of the predictions."""
    table = Table(show_lines=True)
    table.add_column("objective")
    for column in COLUMNS.values():
        table.add_column(column.title, justify="right")
    wide = console.width >= WIDE
    for row in result.rows:
        table.add_row(row.method.name, *(_text(row.cells[key], wide) for key in COLUMNS))
    console.print("Reward models against the truth", style="bold")
    console.print(table)
    for line in summary(result):
        console.print(line, markup=False)


def summary(result: DemoResult) -> list[str]:
    """What was checked and what the table says, in words."""
    held = sum(claim.held for claim in result.claims)
    first = result.rows[0].cells["clean"].value
    found = {kind: f.count if (f := result.damage.of(kind)) else 0 for kind in result.planted}
    damage = ", ".join(f"{kind} {found[kind]} of {n}" for kind, n in result.planted.items())
    lines = [
        f"Data: {result.damage.rows} pairs; damage found, of what was planted: {damage}. Removed.",
        f"Figures: means over {result.seeds} seeds; intervals ({100 * first.level:g} %) cover "
        f"{first.covers}. Below each, the paired difference to plain with its interval: ▲ better, "
        "▼ worse where that leaves out 0.",
        f"Theory made {len(result.claims)} predictions; {held} held (Holm's correction over them):",
    ]
    return lines + [
        f"  {'yes' if c.held else 'NO '} {c.method}: {c.predicted} in {COLUMNS[c.column].title!r} "
        f"({interval(c.against_plain.difference, signed=True)})"
        for c in result.claims
    ]


def markdown(result: DemoResult) -> str:
    """The table for a README."""
    titles = [column.title for column in COLUMNS.values()]
    lines = [
        f"| objective | {' | '.join(titles)} |",
        "|---" * (len(titles) + 1) + "|",
    ]
    for row in result.rows:
        cells = []
        for key in COLUMNS:
            cell = row.cells[key]
            text = figure(cell.value, wide=True)
            if cell.against_plain is not None and cell.outcome is not None:
                found = figure(cell.against_plain.difference, wide=True, signed=True)
                text = f"{number(cell.value.estimate)} {_MARKS.get(cell.outcome, '')}{found}"
            cells.append(text)
        lines.append(f"| {row.method.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _text(cell: Cell, wide: bool) -> Text:
    """A figure; plain's with its interval, the others' with the difference to plain."""
    if cell.against_plain is None or cell.outcome is None:
        return Text(figure(cell.value, wide))
    text = Text(figure(cell.value, wide) if wide else number(cell.value.estimate))
    difference = figure(cell.against_plain.difference, wide, signed=True)
    text.append(f"\n{_MARKS.get(cell.outcome, '')}{difference}", _STYLES.get(cell.outcome, "dim"))
    return text


def figure(found: Estimate, wide: bool, signed: bool = False, digits: int = 3) -> str:
    """Figure and interval, in one line or two; `demo.json` says why an interval is absent."""
    value, gap = number(found.estimate, digits, signed), " " if wide else "\n"
    if found.low is None:
        return f"{value}{gap}(no interval)"
    low, high = (number(end, digits, signed) for end in (found.low, found.high))
    return f"{value}{gap}[{low}, {high}]"
