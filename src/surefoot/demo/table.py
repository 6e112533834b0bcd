"""The demo's tables, in a terminal and for a README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surefoot.demo.claims import MARKS, Cell, Claim, TableRow
from surefoot.demo.methods import COLUMNS, Measure
from surefoot.demo.result import DemoResult
from surefoot.report.words import interval, number, parts
from surefoot.statistics import Estimate

#: Columns of a terminal that has room for a figure and its interval in one line.
WIDE = 150

_STYLES = {"better": "green", "worse": "red"}


def print_table(result: DemoResult, console: Console) -> None:
    """Print the figures, each with its difference, and what became of the predictions."""
    console.print("Reward models against the truth", style="bold")
    console.print(figures_table(result.rows, COLUMNS, console.width >= WIDE))
    for line in summary(result):
        console.print(line)


def summary(result: DemoResult) -> list[str]:
    """What was checked and what the table says, in words."""
    first = result.rows[0].cells["clean"].value
    found = {kind: f.count if (f := result.damage.of(kind)) else 0 for kind in result.planted}
    damage = ", ".join(f"{kind} {found[kind]} of {n}" for kind, n in result.planted.items())
    return [
        f"Data: {result.damage.rows} pairs; damage found, of what was planted: {damage}. Removed.",
        f"Figures: means over {result.seeds} seeds; intervals ({100 * first.level:g} %) cover "
        f"{first.covers}. Below each, the paired difference with its interval, to plain; where the "
        "objective is given the flip rate, to plain calibrated for the flips: ▲ better, ▼ worse "
        "where that leaves out 0.",
        *predictions(result.claims, COLUMNS),
    ]


def predictions(claims: Sequence[Claim], columns: Mapping[Any, Measure]) -> list[str]:
    """What theory said, and what came of it."""
    held = sum(claim.held for claim in claims)
    return [
        f"Theory made {len(claims)} predictions; {held} held (Holm's correction over them):",
        *(
            f"  {'yes' if c.held else 'NO '} {c.method}: {c.predicted} in "
            f"{columns[c.column].title!r} ({interval(c.difference.difference, signed=True)}"
            f"{'' if c.held else f', {c.found}'})"
            for c in claims
        ),
    ]


def figures_table(rows: Iterable[TableRow], columns: Mapping[Any, Measure], wide: bool) -> Table:
    """The rows that have any of these columns."""
    table = Table(show_lines=True)
    table.add_column("objective")
    for column in columns.values():
        table.add_column(column.title, justify="right")
    for row in rows:
        if any(key in row.cells for key in columns):
            cells = (_text(row.cells.get(key), c, wide) for key, c in columns.items())
            table.add_row(row.method.name, *cells)
    return table


def markdown(rows: Iterable[TableRow], columns: Mapping[Any, Measure]) -> str:
    """The table for a README."""
    titles = [column.title for column in columns.values()]
    lines = [f"| objective | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for row in rows:
        cells = (str(_text(row.cells.get(key), c, True)) for key, c in columns.items())
        inline = (cell.replace("\n", " ") for cell in cells)
        lines.append(f"| {row.method.name} | {' | '.join(inline)} |")
    return "\n".join(lines) + "\n"


def _text(cell: Cell | None, column: Measure, wide: bool) -> Text:
    """A figure with its interval, or with the difference and its interval."""
    if cell is None:
        return Text("–", "dim")
    if cell.difference is None or cell.outcome is None:
        return Text(figure(cell.value, wide, digits=column.digits))
    text = Text(number(cell.value.estimate, column.digits))
    difference = figure(cell.difference.difference, wide, signed=True, digits=column.digits)
    mark = f"{MARKS[cell.outcome]} " if cell.outcome in MARKS else ""
    text.append(f"\n{mark}{difference}", _STYLES.get(cell.outcome, "dim"))
    return text


def figure(estimate: Estimate, wide: bool, signed: bool = False, digits: int = 3) -> str:
    """Figure and interval, in one line or two; `demo.json` says why an interval is absent."""
    (value, low, high), gap = parts(estimate, digits, signed), " " if wide else "\n"
    return f"{value}{gap}[{low}, {high}]" if low else f"{value}{gap}(no interval)"
