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
    gap = " " if console.width >= WIDE else "\n"
    table = Table(title="Reward models against the truth", title_justify="left", show_lines=True)
    table.add_column("objective")
    for column in COLUMNS.values():
        table.add_column(column.title, justify="right")
    for row in result.rows:
        table.add_row(row.method.name, *(_text(row.cells[key], gap) for key in COLUMNS))
    console.print(table)
    for line in summary(result):
        console.print(line, markup=False)


def summary(result: DemoResult) -> list[str]:
    """What the table says, in words."""
    held = sum(claim.held for claim in result.claims)
    first = result.rows[0].cells["clean"].value
    lines = [
        f"Figures: means over {result.seeds} seeds with {100 * first.level:g} % intervals that "
        f"cover {first.covers}; below each, the paired difference to plain, ▲ better and ▼ "
        "worse where its own interval leaves out 0.",
        f"Theory made {len(result.claims)} predictions; {held} held (Holm's correction over them).",
    ]
    return lines + [
        f"  {'as predicted' if c.held else 'NOT as predicted'}: {c.method}, "
        f"{COLUMNS[c.column].title}: {c.found} ({interval(c.against_plain.difference, signed=True)}"
        f"), predicted {c.predicted}"
        for c in result.claims
    ]


def _text(cell: Cell, gap: str) -> Text:
    text = Text(_figure(cell.value, gap))
    if cell.against_plain is None or cell.outcome is None:
        return text
    difference = _figure(cell.against_plain.difference, gap, signed=True)
    text.append(f"\n{_MARKS.get(cell.outcome, '')}{difference}", _STYLES.get(cell.outcome, "dim"))
    return text


def _figure(found: Estimate, gap: str, signed: bool = False) -> str:
    """Figure and interval, with `gap` between them; `demo.json` says why an interval is absent."""
    figure = number(found.estimate, signed=signed)
    if found.low is None:
        return f"{figure}{gap}(no interval)"
    return f"{figure}{gap}[{number(found.low, 3, signed)}, {number(found.high, 3, signed)}]"
