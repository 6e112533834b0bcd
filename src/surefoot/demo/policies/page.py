"""The policies' part of the demo's page."""

from __future__ import annotations

from markupsafe import Markup

from surefoot.demo.claims import MARKS
from surefoot.demo.policies.methods import ON_PAIRS, ON_WRITTEN, POLICY_COLUMNS
from surefoot.demo.policies.result import PolicyResult
from surefoot.demo.templates import environment
from surefoot.worlds.pool import RARE


def policy_section(result: PolicyResult | None, why_not: str) -> Markup:
    """The section, escaped; without a result it says why there is none."""
    claims = () if result is None else result.claims
    return Markup(
        environment()
        .get_template("policies.html.jinja")
        .render(
            found=result,
            why_not=why_not,
            columns=POLICY_COLUMNS,
            on_pairs=ON_PAIRS,
            on_written=ON_WRITTEN,
            claims={(c.method, c.column): c for c in claims},
            marks=MARKS,
            rare=RARE,
        )
    )
