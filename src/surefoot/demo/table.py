"""The demo's tables, in a terminal and for a README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surefoot.demo.methods import COLUMNS, Measure
from surefoot.demo.policies.methods import ON_PAIRS, ON_WRITTEN, POLICY_COLUMNS
from surefoot.demo.result import Cell, Compared, DemoResult, PolicyResult, Row
from surefoot.report.words import counted, interval, number, parts
from surefoot.statistics import Estimate

#: Beside a difference that is distinguishable from 0, corrected for the others of its table.
MARKS: Mapping[str, str] = {"better": "▲", "longer": "▲", "worse": "▼", "shorter": "▼"}

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
        "where that is distinguishable from 0 after Holm's correction, over the predictions and "
        "over the other differences.",
        *_predictions(result),
    ]


def print_policies(result: PolicyResult, console: Console) -> None:
    """Print the figures, each with its difference, and what became of the predictions."""
    console.print(
        "\nPolicies: implicit rewards against the truth, and what they write", style="bold"
    )
    wide = console.width >= WIDE
    for keys in (tuple(POLICY_COLUMNS),) if wide else (ON_PAIRS, ON_WRITTEN):
        columns = {key: POLICY_COLUMNS[key] for key in keys}
        console.print(figures_table(result.rows, columns, wide))
    for line in policy_summary(result):
        console.print(line)


def policy_summary(result: PolicyResult) -> list[str]:
    """What was made and what the table says, in words."""
    return [
        f"A model of {result.parameters:,} parameters, made and trained in the run on the world's "
        f"responses ({result.supervised_loss:.2f} nats a token), then on pairs; "
        f"{counted(result.seeds, 'seed')}. The second line of a cell is the paired difference, of "
        "plain to the supervised model, of the others to plain.",
        *_predictions(result),
    ]


def _predictions(result: Compared) -> list[str]:
    """What theory said, and what came of it."""
    claims, columns = result.claims, result.columns
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


def figures_table(rows: Iterable[Row], columns: Mapping[Any, Measure], wide: bool) -> Table:
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


def markdown(rows: Iterable[Row], columns: Mapping[Any, Measure]) -> str:
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
