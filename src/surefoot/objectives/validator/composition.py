"""What composes: one validator that reads the declared properties of the members.

Each rule is a function from an objective and the facts known so far to a verdict or None, in the
file of its slot. The tables of compositions in the documentation are made by running them over
every combination.
"""

from __future__ import annotations

from surefoot.errors import CompositionError
from surefoot.objectives.members import Members
from surefoot.objectives.validator import labels, losses, regularisers, risks
from surefoot.objectives.validator.facts import Facts, Rule, Verdict


def verdicts(objective: Members, facts: Facts | None = None) -> tuple[Verdict, ...]:
    """Every verdict on an objective, refusals first."""
    facts = facts or Facts()
    found = [verdict for rule in RULES if (verdict := rule(objective, facts)) is not None]
    return tuple(sorted(found, key=lambda verdict: verdict.outcome))


def enforce(objective: Members, facts: Facts | None = None) -> tuple[str, ...]:
    """Raise :class:`CompositionError` on a refusal, with its reason; return the warnings."""
    found = verdicts(objective, facts)
    for verdict in found:
        if verdict.outcome == "refused":
            raise CompositionError(f"refused: {objective.describe()}. {verdict.reason}")
    return tuple(verdict.reason for verdict in found)


RULES: tuple[Rule, ...] = (*risks.RULES, *labels.RULES, *losses.RULES, *regularisers.RULES)
