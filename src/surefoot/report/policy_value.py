"""The part of a page that shows the value of a policy."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from surefoot.evaluation.policy_value import PolicyValue
from surefoot.evaluation.value_verdict import Verdict, verdict
from surefoot.report.charts import dot_interval_chart


@dataclass(frozen=True)
class ValueSection:
    """What the template `policy_value.html.jinja` shows."""

    value: PolicyValue
    verdict: Verdict
    picture: Markup


def value_section(value: PolicyValue) -> ValueSection:
    """The estimates as a picture, with what to make of them."""
    found = {
        "direct": value.direct,
        "importance": value.importance,
        "doubly robust": value.doubly_robust,
    }
    picture = dot_interval_chart(
        list(found),
        {"value": list(found.values())},
        0.5,
        axis="preferred to the reference",
        reference_label="the reference",
    )
    return ValueSection(value, verdict(value), picture)
