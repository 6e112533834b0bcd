"""The policies' table in a terminal."""

from __future__ import annotations

from rich.console import Console

from surefoot.demo.policies.methods import ON_PAIRS, ON_WRITTEN, POLICY_COLUMNS
from surefoot.demo.policies.result import PolicyResult
from surefoot.demo.table import WIDE, figures_table, predictions
from surefoot.report.words import counted


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
        *predictions(result.claims, POLICY_COLUMNS),
    ]
