"""The policies' table, in a terminal and for a README."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from surefoot.demo.policy_methods import ON_PAIRS, ON_WRITTEN, POLICY_COLUMNS, PolicyKey
from surefoot.demo.policy_result import PolicyCell, PolicyResult
from surefoot.demo.table import WIDE, figure
from surefoot.report.words import counted, interval, number

_MARKS = {"better": "▲ ", "longer": "▲ ", "worse": "▼ ", "shorter": "▼ "}
_STYLES = {"better": "green", "worse": "red"}


def print_policies(result: PolicyResult, console: Console) -> None:
    """Print the figures, each with its difference, and what became of the predictions."""
    console.print(
        "\nPolicies: implicit rewards against the truth, and what they write", style="bold"
    )
    for keys in (tuple(POLICY_COLUMNS),) if console.width >= WIDE else (ON_PAIRS, ON_WRITTEN):
        console.print(_table(result, keys, console.width >= WIDE))
    for line in policy_summary(result):
        console.print(line, markup=False)


def _table(result: PolicyResult, keys: Sequence[PolicyKey], wide: bool) -> Table:
    table = Table(show_lines=True)
    table.add_column("objective")
    for key in keys:
        table.add_column(POLICY_COLUMNS[key].title, justify="right")
    for row in result.rows:
        if any(key in row.cells for key in keys):
            table.add_row(row.method.name, *(_text(key, row.cells.get(key), wide) for key in keys))
    return table


def policy_summary(result: PolicyResult) -> list[str]:
    """What was made and what the table says, in words."""
    held = sum(claim.held for claim in result.claims)
    lines = [
        f"A model of {result.parameters:,} parameters, made and trained in the run on the world's "
        f"responses ({result.supervised_loss:.2f} nats a token), then on pairs; "
        f"{counted(result.seeds, 'seed')}. The second line of a cell is the paired difference, of "
        "plain to the supervised model, of the others to plain.",
        f"Theory made {len(result.claims)} predictions; {held} held (Holm's correction over them):",
    ]
    return lines + [
        f"  {'yes' if c.held else 'NO '} {c.method}: {c.predicted} in "
        f"{POLICY_COLUMNS[c.column].title!r} ({interval(c.difference.difference, signed=True)}"
        f"{'' if c.held else f', {c.found}'})"
        for c in result.claims
    ]


def policy_markdown(result: PolicyResult) -> str:
    """The table for a README."""
    titles = [column.title for column in POLICY_COLUMNS.values()]
    lines = [f"| objective | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for row in result.rows:
        cells = [str(_text(key, row.cells.get(key), wide=True)) for key in POLICY_COLUMNS]
        inline = (cell.replace("\n", " ") for cell in cells)
        lines.append(f"| {row.method.name} | {' | '.join(inline)} |")
    return "\n".join(lines) + "\n"


def _text(key: PolicyKey, cell: PolicyCell | None, wide: bool) -> Text:
    """A figure with its interval, or with the difference and its interval."""
    if cell is None:
        return Text("–", "dim")
    digits = POLICY_COLUMNS[key].digits
    if cell.difference is None or cell.outcome is None:
        return Text(figure(cell.value, wide, digits=digits))
    text = Text(number(cell.value.estimate, digits))
    difference = figure(cell.difference.difference, wide, signed=True, digits=digits)
    mark, style = _MARKS.get(cell.outcome, ""), _STYLES.get(cell.outcome, "dim")
    text.append(f"\n{mark}{difference}", style)
    return text
