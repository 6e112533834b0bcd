"""The demo's page: one HTML file with its pictures inside."""

from __future__ import annotations

from itertools import groupby

from markupsafe import Markup

from surefoot.demo.claims import MARKS, Claim
from surefoot.demo.files import commands
from surefoot.demo.methods import CALIBRATED, COLUMNS, PLAIN, ColumnKey
from surefoot.demo.policies.page import policy_section
from surefoot.demo.result import DemoResult
from surefoot.demo.templates import environment
from surefoot.report.charts import bar_chart, dot_interval_chart, reliability_chart
from surefoot.report.words import interval
from surefoot.worlds.pool import RARE

#: The rows of the reliability picture.
_RELIABLE = (PLAIN, CALIBRATED)


def demo_page(result: DemoResult, output: str = "demo") -> str:
    """The page.

    Args:
        result: what the demo found.
        output: the folder it was written to, for the commands at its end.
    """
    tone, sentence, points = _verdict(result)
    return (
        environment()
        .get_template("demo.html.jinja")
        .render(
            result=result,
            columns=COLUMNS,
            marks=MARKS,
            claims={(c.method, c.column): c for c in result.claims},
            compared=sum(
                cell.difference is not None for r in result.rows for cell in r.cells.values()
            ),
            sentence=sentence,
            tone=tone,
            points=points,
            planted=sum(result.planted.values()),
            found=sum(f.count for f in result.damage.findings),
            pictures={key: _accuracies(result, key) for key in COLUMNS},
            weights=_weights(result),
            reliability=reliability_chart(
                {name: result.row(name).calibration for name in _RELIABLE}
            ),
            damage=_damage(result),
            rare=RARE,
            policies=policy_section(result.policies, result.no_policies),
            commands=commands(output),
        )
    )


def _verdict(result: DemoResult) -> tuple[str, str, list[str]]:
    """Tone, sentence, and for each objective with predictions what became of them."""
    claims = result.claims
    held = sum(claim.held for claim in claims)
    sentence = f"{held} of theory's {len(claims)} predictions held, gains and costs together."
    points = [
        f"{name}: " + "; ".join(_said(claim) for claim in some) + "."
        for name, some in groupby(claims, key=lambda claim: claim.method)
    ]
    return "good" if held == len(claims) else "doubt", sentence, points


def _said(claim: Claim) -> str:
    difference = interval(claim.difference.difference, signed=True)
    not_so = "" if claim.held else f", where {claim.predicted} was predicted"
    title = next(c.title for key, c in COLUMNS.items() if key == claim.column)
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
            f"rare group ({RARE})": [row.weight_on_rare for row in result.rows],
            "flipped labels": [row.weight_on_flipped for row in result.rows],
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
