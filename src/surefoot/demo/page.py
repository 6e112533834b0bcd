"""The demo's page: one HTML file with its pictures inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from markupsafe import Markup

from surefoot.demo.files import commands
from surefoot.demo.methods import CALIBRATED, COLUMNS, PLAIN, ColumnKey
from surefoot.demo.policies.methods import ON_PAIRS, ON_WRITTEN, POLICY_COLUMNS
from surefoot.demo.result import Claim, DemoResult, PolicyResult
from surefoot.demo.table import MARKS
from surefoot.report.charts import bar_chart, dot_interval_chart, reliability_chart
from surefoot.report.page import environment_of
from surefoot.report.words import interval
from surefoot.worlds.pool import RARE

#: The rows of the reliability picture.
_RELIABLE = (PLAIN, CALIBRATED)


def demo_page(result: DemoResult, output: str = "demo") -> str:
    """The page, with commands at its end for the folder that it is written to."""
    tone, sentence, points = verdict(result)
    cells = [cell for row in result.rows for cell in row.cells.values()]
    calibrations = {name: result.row(name).details["calibration"] for name in _RELIABLE}
    return _rendered(
        "demo.html.jinja",
        result.claims,
        result=result,
        columns=COLUMNS,
        compared=sum(cell.difference is not None for cell in cells),
        sentence=sentence,
        tone=tone,
        points=points,
        planted=sum(result.planted.values()),
        found=sum(f.count for f in result.damage.findings),
        pictures={key: _accuracies(result, key) for key in COLUMNS},
        weights=_weights(result),
        reliability=reliability_chart(calibrations),
        damage=_damage(result),
        policies=policy_section(result.policies, result.no_policies),
        commands=commands(output),
    )


def policy_section(result: PolicyResult | None, why_not: str) -> Markup:
    """The page's part on policies, escaped; without a result it says why there is none."""
    section = _rendered(
        "policies.html.jinja",
        () if result is None else result.claims,
        found=result,
        why_not=why_not,
        columns=POLICY_COLUMNS,
        on_pairs=ON_PAIRS,
        on_written=ON_WRITTEN,
    )
    return Markup(section)


def _rendered(template: str, claims: Sequence[Claim], **context: Any) -> str:
    """A template of the demo, which finds those of the reports too."""
    by_cell = {(claim.method, claim.column): claim for claim in claims}
    found = environment_of("surefoot.demo").get_template(template)
    return found.render(marks=MARKS, claims=by_cell, rare=RARE, **context)


def verdict(result: DemoResult) -> tuple[str, str, list[str]]:
    """Tone, what to do, and for each objective with predictions what became of them."""
    claims = result.claims
    held = sum(claim.held for claim in claims)
    turned, stays = (_better(result, keys) for keys in (("rare", "shifted"), ("clean",)))
    sentence = (
        f"Where a rare group counts, or length may turn: {turned}; where all stays as trained: "
        f"{stays}. {held} of theory's {len(claims)} predictions held, gains and costs together."
    )
    points = [
        f"{name}: " + "; ".join(_said(claim) for claim in some) + "."
        for name, some in groupby(claims, key=lambda claim: claim.method)
    ]
    return "good" if held == len(claims) else "doubt", sentence, points


def _better(result: DemoResult, keys: tuple[ColumnKey, ...]) -> str:
    """The objectives that are better in all of these columns, corrected for their number."""
    names = (
        row.method.name
        for row in result.rows
        if all(row.cells[key].outcome == "better" for key in keys)
    )
    return " or ".join(names) or PLAIN


def _said(claim: Claim) -> str:
    difference = interval(claim.difference.difference, signed=True)
    not_so = "" if claim.held else f", where {claim.predicted} was predicted"
    title = {str(key): column.title for key, column in COLUMNS.items()}[claim.column]
    return f"{claim.found} in “{title}” ({difference}){not_so}"


def _accuracies(result: DemoResult, key: ColumnKey) -> Markup:
    """One column of the table: every method, with the line of plain."""
    figures = [row.cells[key].value for row in result.rows]
    return dot_interval_chart(
        [row.method.name for row in result.rows],
        {COLUMNS[key].title: figures},
        reference=result.rows[0].cells[key].value.estimate,
        reference_label=PLAIN,
        axis="log-loss (nats)" if key == "log-loss" else "accuracy",
    )


def _weights(result: DemoResult) -> Markup:
    """Who got the weight: the rare group, and flipped labels."""
    return dot_interval_chart(
        [row.method.name for row in result.rows],
        {
            f"rare group ({RARE})": [row.details["weight_on_rare_group"] for row in result.rows],
            "flipped labels": [row.details["weight_on_flipped_labels"] for row in result.rows],
        },
        axis="share of the training weight",
    )


def _damage(result: DemoResult) -> Markup:
    """Damaged rows that the checks found."""
    found = result.damage.findings
    return bar_chart(
        [f.kind.replace("-", " ") for f in found],
        [f.count for f in found],
        axis="rows",
        form="{:,.0f}",
    )
