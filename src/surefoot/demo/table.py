"""The demo's table in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surefoot.demo.methods import COLUMNS
from surefoot.demo.result import Cell, DemoResult
from surefoot.report.words import Outcome, interval

_STYLES: dict[Outcome, str] = {"better": "green", "worse": "red"}
_MARKS: dict[Outcome, str] = {"better": "▲ better", "worse": "▼ worse"}


def print_table(result: DemoResult, console: Console) -> None:
    """Print the figures, each with its difference to plain, and what became of the predictions."""
    table = Table(title="Reward models against the truth", title_justify="left", show_lines=True)
    table.add_column("objective")
    for column in COLUMNS.values():
        table.add_column(column.title, justify="right")
    for row in result.rows:
        table.add_row(row.method.name, *(_text(row.cells[key]) for key in COLUMNS))
    console.print(table)
    for line in summary(result):
        console.print(line, markup=False)


def summary(result: DemoResult) -> list[str]:
    """What the table says, in words."""
    held = [c for c in result.claims if c.held]
    missed = [c for c in result.claims if not c.held]
    first = result.rows[0].cells["clean"].value
    lines = [
        f"Figures: mean over {result.seeds} seeds with {100 * first.level:g} % intervals that "
        f"cover {first.covers}; below each, the paired difference to plain. "
        "▲ ▼: told apart after Holm's correction over the whole table.",
        f"Theory made {len(result.claims)} predictions; {len(held)} held.",
    ]
    lines += [
        f"  not as predicted: {c.method}, {COLUMNS[c.column].title}: predicted {c.predicted}, "
        f"found {c.found}."
        for c in missed
    ]
    return lines


def _text(cell: Cell) -> Text:
    text = Text(interval(cell.value))
    if cell.against_plain is None or cell.outcome is None:
        return text
    mark = _MARKS.get(cell.outcome, "")
    difference = interval(cell.against_plain.difference, signed=True)
    text.append(f"\n{mark} {difference}".rstrip(), style=_STYLES.get(cell.outcome, "dim"))
    return text
