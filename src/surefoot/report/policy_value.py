"""The page of the value of a policy: is it preferred to its reference, as far as labels tell?"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from surefoot.evaluation.policies.logged import LoggedValues
from surefoot.evaluation.policies.value import PolicyValue
from surefoot.evaluation.policies.value_verdict import ValueVerdict, verdict
from surefoot.report.charts import dot_interval_chart
from surefoot.report.page import render


@dataclass(frozen=True)
class ValueSection:
    """What the page says of one set of comparisons."""

    name: str
    value: PolicyValue
    verdict: ValueVerdict
    picture: Markup


def value_page(values: LoggedValues, command: str = "") -> str:
    """An HTML page of one policy on one or several sets of comparisons.

    Args:
        values: the estimates.
        command: the command line that made it, shown at the end.
    """
    return render(
        "policy_value.html.jinja",
        found=values,
        sections=[_section(name, value) for name, value in values.sets.items()],
        command=command,
    )


def _section(name: str, value: PolicyValue) -> ValueSection:
    estimates = {
        "direct": value.direct,
        "importance": value.importance,
        "doubly robust": value.doubly_robust,
    }
    picture = dot_interval_chart(
        list(estimates),
        {"value": list(estimates.values())},
        0.5,
        axis="preferred to the reference",
        reference_label="the reference",
    )
    return ValueSection(name, value, verdict(value), picture)
