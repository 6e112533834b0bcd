"""What label models compose with."""

from __future__ import annotations

from surefoot.objectives.members import Members
from surefoot.objectives.validator.facts import Facts, Rule, Verdict, refused, warned


def signed_and_falling(objective: Members, facts: Facts) -> Verdict | None:
    """Signed labels on a loss that falls without limit need something that holds it."""
    growth = objective.labels.growth(objective.loss)
    if growth == "quadratic":
        option = objective.labels.holding_option
        limit = f", or set labels.{option}" if option else ""
        return refused(
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} falls like "
            f"the square of the margin, which no small ridge penalty holds. Use 'logistic'{limit}."
        )
    if growth == "linear" and facts.linear and facts.l2 == 0:
        return refused(
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} has no lower "
            "bound: it needs a ridge penalty, and l2 is 0."
        )
    if growth == "linear" and facts.linear is False:
        return warned(
            f"Under labels {objective.labels.kind!r} the loss {objective.loss.kind!r} has no lower "
            "bound, and this scorer can move a margin alone: watch the margins, train briefly."
        )
    return None


def slack_on_a_loss_that_is_not_convex(objective: Members, facts: Facts) -> Verdict | None:
    """Slack is the convex envelope trick; on a bounded loss it has nothing to cap."""
    if not objective.labels.properties.needs_convex_loss or objective.loss.properties.convex:
        return None
    return refused(
        f"Labels {objective.labels.kind!r} need a convex loss; {objective.loss.kind!r} is bounded "
        "and caps the pull of a pair already."
    )


def slack_that_only_rescales(objective: Members, facts: Facts) -> Verdict | None:
    """Warn where the loss has one slope: capping it multiplies the loss by a number."""
    if not objective.labels.properties.needs_convex_loss or not objective.loss.properties.convex:
        return None
    if objective.loss.slack_point(0.3) != objective.loss.slack_point(0.6):
        return None
    return refused(
        f"Labels {objective.labels.kind!r} have no effect on {objective.loss.kind!r}: its slope is "
        "1 wherever it is not 0, so that capping it multiplies the loss by the penalty."
    )


def mixture_of_no_likelihoods(objective: Members, facts: Facts) -> Verdict | None:
    """A mixture of chances, of a loss that is not the logarithm of one."""
    if not objective.labels.properties.needs_likelihood or objective.loss.properties.likelihood:
        return None
    return refused(
        f"Labels {objective.labels.kind!r} mix the chances of a label and of its opposite, and "
        f"{objective.loss.kind!r} is not the logarithm of a chance. Use 'logistic' or 'probit'."
    )


def ball_around_hard_labels(objective: Members, facts: Facts) -> Verdict | None:
    """A chi-squared ball around a hard label has no width."""
    if not objective.labels.properties.needs_soft_labels or facts.soft_labels is not False:
        return None
    return refused(
        f"Labels {objective.labels.kind!r} have no effect on hard labels, and every label here is "
        "0 or 1. Give soft labels or votes."
    )


def missing_columns(objective: Members, facts: Facts) -> Verdict | None:
    """A member that needs a column which the data do not have."""
    if facts.columns is None:
        return None
    unit = {objective.risk.unit} & {"source", "group", "cluster"}
    declared = objective.labels.properties
    beside = {one.name for one in objective.labels.columns}
    for name in sorted(declared.needs | unit | beside):
        if name not in facts.columns:
            user = "risk.unit" if name in unit else f"labels {objective.labels.kind!r}"
            return refused(f"The column {name!r} that {user} needs is not in the data.")
    return None


RULES: tuple[Rule, ...] = (
    signed_and_falling,
    slack_on_a_loss_that_is_not_convex,
    slack_that_only_rescales,
    mixture_of_no_likelihoods,
    ball_around_hard_labels,
    missing_columns,
)
