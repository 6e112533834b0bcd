"""What margin losses compose with."""

from __future__ import annotations

from surefoot.objectives.members import Members
from surefoot.objectives.validator.facts import Facts, Rule, Verdict, refused, warned


def length_of_rewards(objective: Members, facts: Facts) -> Verdict | None:
    """A reward is no sum over tokens: nothing to normalise."""
    sums = facts.scores in (None, "token sums")
    if not objective.loss.per_token or sums:
        return None
    given = "one margin per pair" if facts.scores == "margins" else "one reward per response"
    return refused(
        f"length_normalised divides a sum over tokens by their number; this scorer gives {given}."
    )


def margins_are_not_log_odds(objective: Members, facts: Facts) -> Verdict | None:
    """Hinge and ramp settle near +-1: do not read probabilities off them."""
    if objective.loss.properties.calibrated:
        return None
    return warned(
        f"Margins trained with {objective.loss.kind!r} settle near 1 in absolute value: they order "
        "responses, but probabilities made of them are not calibrated."
    )


RULES: tuple[Rule, ...] = (
    length_of_rewards,
    margins_are_not_log_odds,
)
