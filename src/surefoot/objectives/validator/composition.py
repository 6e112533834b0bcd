"""What composes: one validator that reads the declared properties of the members.

Each rule is a function from an objective and the facts known so far to a verdict or None. The
table of compositions in the documentation is made by running them over every combination.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.errors import CompositionError
from surefoot.objectives.validator.facts import Facts, Rule, Verdict
from surefoot.objectives.validator.regularisers import REGULARISER_RULES
from surefoot.objectives.validator.risks import RISK_RULES

if TYPE_CHECKING:
    from surefoot.objectives.objective import Objective


def verdicts(objective: Objective, facts: Facts | None = None) -> tuple[Verdict, ...]:
    """Every verdict on an objective, refusals first."""
    facts = facts or Facts()
    found = [verdict for rule in RULES if (verdict := rule(objective, facts)) is not None]
    return tuple(sorted(found, key=lambda verdict: verdict.outcome))


def enforce(objective: Objective, facts: Facts | None = None) -> tuple[str, ...]:
    """Raise :class:`CompositionError` on a refusal, with its reason; return the warnings."""
    found = verdicts(objective, facts)
    for verdict in found:
        if verdict.outcome == "refused":
            raise CompositionError(f"refused: {objective.describe()}. {verdict.reason}")
    return tuple(verdict.reason for verdict in found)


def signed_and_falling(objective: Objective, facts: Facts) -> Verdict | None:
    """Signed labels on a loss that falls without limit need something that holds it."""
    growth = objective.labels.growth(objective.loss)
    if growth == "quadratic":
        option = objective.labels.holding_option
        limit = f", or set labels.{option}" if option else ""
        return Verdict(
            "refused",
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} falls like "
            f"the square of the margin, which no small ridge penalty holds. Use 'logistic'{limit}.",
        )
    if growth == "linear" and facts.linear and facts.l2 == 0:
        return Verdict(
            "refused",
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} has no lower "
            "bound: it needs a ridge penalty, and l2 is 0.",
        )
    if growth == "linear" and facts.linear is False:
        return Verdict(
            "warned",
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} has no lower "
            "bound, and this scorer can move a margin alone: watch the margins, train briefly.",
        )
    return None


def slack_that_only_rescales(objective: Objective, facts: Facts) -> Verdict | None:
    """On a loss of one slope, capping the slope multiplies the loss by a number."""
    if not objective.labels.properties.needs_convex_loss or not objective.loss.properties.convex:
        return None
    if objective.loss.slack_point(0.3) != objective.loss.slack_point(0.6):
        return None
    return Verdict(
        "refused",
        f"Labels {objective.labels.kind!r} have no effect on {objective.loss.kind!r}: its slope is "
        "1 wherever it is not 0, so that capping it multiplies the loss by the penalty.",
    )


def slack_on_a_loss_that_is_not_convex(objective: Objective, facts: Facts) -> Verdict | None:
    """Slack is the convex envelope trick; on a bounded loss it has nothing to cap."""
    if not objective.labels.properties.needs_convex_loss or objective.loss.properties.convex:
        return None
    return Verdict(
        "refused",
        f"Labels {objective.labels.kind!r} need a convex loss; {objective.loss.kind!r} is bounded "
        "and caps the pull of a pair already.",
    )


def ball_around_hard_labels(objective: Objective, facts: Facts) -> Verdict | None:
    """A chi-squared ball around a hard label has no width."""
    if not objective.labels.properties.needs_soft_labels or facts.soft_labels is not False:
        return None
    return Verdict(
        "refused",
        f"Labels {objective.labels.kind!r} have no effect on hard labels, and every label here is "
        "0 or 1. Give soft labels or votes.",
    )


def missing_columns(objective: Objective, facts: Facts) -> Verdict | None:
    """A member that needs a column which the data do not have."""
    if facts.columns is None:
        return None
    unit = {objective.risk.unit} & {"source", "group", "cluster"}
    declared = objective.labels.properties
    for name in sorted(declared.needs | unit | {one.name for one in declared.columns}):
        if name not in facts.columns:
            user = "risk.unit" if name in unit else f"labels {objective.labels.kind!r}"
            return Verdict("refused", f"The column {name!r} that {user} needs is not in the data.")
    return None


def length_of_rewards(objective: Objective, facts: Facts) -> Verdict | None:
    """A reward is no sum over tokens: nothing to normalise."""
    sums = facts.scores in (None, "token sums")
    if not objective.loss.per_token or sums:
        return None
    given = "one margin per pair" if facts.scores == "margins" else "one reward per response"
    return Verdict(
        "refused",
        f"length_normalised divides a sum over tokens by their number; this scorer gives {given}.",
    )


def margins_are_not_log_odds(objective: Objective, facts: Facts) -> Verdict | None:
    """Hinge and ramp settle near +-1: do not read probabilities off them."""
    if objective.loss.properties.calibrated:
        return None
    return Verdict(
        "warned",
        f"Margins trained with {objective.loss.kind!r} settle near 1 in absolute value: they order "
        "responses, but probabilities made of them are not calibrated.",
    )


RULES: tuple[Rule, ...] = (
    *RISK_RULES,
    signed_and_falling,
    slack_on_a_loss_that_is_not_convex,
    slack_that_only_rescales,
    ball_around_hard_labels,
    missing_columns,
    length_of_rewards,
    *REGULARISER_RULES,
    margins_are_not_log_odds,
)
